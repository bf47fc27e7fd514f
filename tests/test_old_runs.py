"""A run that rmeval 0.1.0 wrote is still a run: it loads, recomputes, and stands beside a new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval import ModelOptions, RunRecord, compare, evaluate, load_run
from rmeval.eval.runner import recompute
from rmeval.reports.run.report import report_page

OLD = Path(__file__).parent / "golden" / "run-0.1.0"
"""``rmeval mini --model quickstart --subset mini-arithmetic --limit 6``."""


@pytest.fixture(scope="module")
def new() -> RunRecord:
    """The same with this rmeval."""
    options = ModelOptions(dtype="float32", device="cpu", cache=False)
    return evaluate("quickstart", "mini", subsets=["mini-arithmetic"], limit=6, model_options=options)


def test_it_loads_and_what_it_did_not_know_is_none() -> None:
    run = load_run(OLD)
    assert run.info.rmeval_version == "0.1.0"
    model = run.info.model
    assert (model.residual_dtype, model.path, model.template_date, model.tokenizer_fingerprint) == (None,) * 4
    assert run.info.accounting is not None
    assert run.info.accounting.recalled is None
    assert recompute(run).subsets["mini-arithmetic"].right == run.info.results.subsets["mini-arithmetic"].right == 3


def test_it_is_compared_with_a_new_run_and_has_a_page(new: RunRecord) -> None:
    old = load_run(OLD)
    assert new.scores_table["score"].to_pylist() == pytest.approx(old.scores_table["score"].to_pylist(), abs=0.05)
    found = compare(old, new)
    assert found.overall is not None
    assert found.overall.difference == 0
    page = report_page([old, new])
    assert "mini-arithmetic" in page

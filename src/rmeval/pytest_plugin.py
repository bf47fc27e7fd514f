"""For people who live in pytest: score a model once a session, and assert that it did not get worse.

pytest loads this module wherever rmeval is installed, so it imports nothing of weight until a test asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest

if TYPE_CHECKING:
    from rmeval.eval.gate.check import Gate
    from rmeval.eval.scorers.base import Scorer
    from rmeval.records import RunRecord

__all__ = ["assert_no_regression", "rmeval_score"]

ScoreOnce: TypeAlias = "Callable[..., RunRecord]"


@pytest.fixture(scope="session")
def rmeval_score() -> ScoreOnce:
    """Score a model on a suite: ``rmeval_score(model, suite="rewardbench", **options)``.

    The options are those of ``rmeval.evaluate``. The same call with the same arguments in the same folder is computed
    once a session; the run is shared by all tests that ask for it.
    """
    runs: dict[str, tuple[str | Scorer, RunRecord]] = {}

    def score(model: str | Scorer, suite: str = "rewardbench", **options: Any) -> RunRecord:
        """Score a suite with a model as ``rmeval.evaluate`` does; the same call again gives the same run."""
        from rmeval.eval.evaluate import evaluate

        # The model is kept beside its run, so that no other object gets its id while the run is remembered.
        name = model if isinstance(model, str) else f"object {id(model)}"
        key = repr((os.getcwd(), name, suite, sorted(options.items())))
        if key not in runs:
            runs[key] = (model, evaluate(model, suite, **options))
        return runs[key][1]

    return score


def assert_no_regression(
    baseline: RunRecord | str | Path,
    candidate: RunRecord | str | Path,
    rules: Sequence[str] = ("overall:0", "section:*:0"),
    *,
    alpha: float = 0.05,
    mode: Literal["regression", "noninferiority"] = "regression",
    margin: float | None = None,
    common_only: bool = False,
) -> Gate:
    """Assert that a candidate did not get worse than a baseline, as ``rmeval check`` does.

    Args:
        baseline: The run to compare with, or its folder.
        candidate: The run to judge, or its folder.
        rules: As for ``--fail-on``.
        alpha: How often the rules together may fail although nothing changed.
        mode: ``noninferiority`` to let only pass what is shown to have dropped by less than its margin.
        margin: The margin of rules whose limit is 0, in a test of non-inferiority: a share, 0.01 for 1%.
        common_only: Compare the examples that both runs have, where they are not all the same.

    Returns:
        The gate, for a closer look.

    Raises:
        AssertionError: if a rule fails; the message says which and why.
        RmevalError: if the runs cannot be read or compared.
    """
    __tracebackhide__ = True
    from rmeval.eval.gate.check import check
    from rmeval.eval.gate.rules import parse_mode, parse_rule
    from rmeval.records import load_run
    from rmeval.reports.gate.console import as_text

    before, after = (load_run(run) if isinstance(run, str | Path) else run for run in (baseline, candidate))
    gate = check(
        after,
        before,
        rules=[parse_rule(rule) for rule in rules],
        alpha=alpha,
        mode=parse_mode(mode, "mode"),
        margin=margin,
        common_only=common_only,
    )
    if not gate.passed:
        raise AssertionError(as_text(gate))
    return gate

"""Decisions as arrays are those that the metrics make one by one."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rmeval import load_run
from rmeval.errors import RunError
from rmeval.eval.numbers.decisions import decide
from rmeval.eval.suites.credit_rules import all_beat_all
from rmeval.records import RunRecord, scored_examples
from tests.reports.made import made_run
from tests.support.comparing import run_of, write_rows


def kinds(run: RunRecord) -> list[str]:
    found = decide(run)
    assert found.counted.tolist() == [float(kind == "right") for kind in found.kind]
    assert found.valid.tolist() == [kind != "invalid" for kind in found.kind]
    return [str(kind) for kind in found.kind]


def test_the_same_as_one_by_one(tmp_path: Path) -> None:
    run = made_run(tmp_path, 3, number=200)
    assert set(kinds(run)) == {"right", "wrong", "tie", "invalid"}
    assert kinds(run) == [all_beat_all(each.chosen, each.rejected).kind for each in scored_examples(run)]


def test_several_completions(tmp_path: Path) -> None:
    """Right only if the lowest right one beats the highest wrong one; one infinite score is enough to be invalid."""
    run = run_of(write_rows(tmp_path / "rows.jsonl", "aab"), "+-=")
    scores = run.scores_table.to_pylist()
    values = [(2, 3, 1), (2, 3, 2), (2, 3, math.inf)]
    rows = [
        {**scores[0], "example_id": f"e{place}", "score": value, "role": "rejected" if k == 2 else "chosen"}
        for place, own in enumerate(values)
        for k, value in enumerate(own)
    ]
    examples = [{**row, "completion_chars": [1, 1, 1]} for row in run.examples_table.to_pylist()]
    run = RunRecord(
        run.info,
        pa.Table.from_pylist(rows, run.scores_table.schema),
        pa.Table.from_pylist(examples, run.examples_table.schema),
    )
    assert kinds(run) == ["right", "tie", "invalid"]


def test_subsets_and_clusters(tmp_path: Path) -> None:
    run = run_of(write_rows(tmp_path / "rows.jsonl", "abab", ["p", "q", "p", "p"]), "++--")
    found = decide(run)
    assert {name: places.tolist() for name, places in found.subsets().items()} == {"a": [0, 2], "b": [1, 3]}
    own = found.clusters
    assert own[0] == own[2] == own[3] != own[1]
    other = run_of(write_rows(tmp_path / "other.jsonl", "abab", ["p", "q", "p", "q"]), "++--")
    assert decide(other).digest != found.digest == decide(run_of(tmp_path / "rows.jsonl", "----")).digest


def test_tables_that_do_not_fit_together(tmp_path: Path) -> None:
    run = run_of(write_rows(tmp_path / "rows.jsonl", "ab"), "++")
    for table in (run.scores_table.slice(1), run.scores_table.slice(2), run.scores_table.take(pa.array([2, 3, 0, 1]))):
        with pytest.raises(RunError, match="do not fit together"):
            decide(RunRecord(run.info, table, run.examples_table))


def test_a_run_is_read_without_its_texts(tmp_path: Path) -> None:
    run = made_run(tmp_path, 1)
    assert run.path is not None
    light = load_run(run.path, with_text=False)
    assert "prompt" not in light.examples_table.column_names
    assert np.array_equal(decide(light).kind, decide(run).kind)

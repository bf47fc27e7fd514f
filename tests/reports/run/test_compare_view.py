"""What the page of a comparison is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval import RunRecord, evaluate
from rmeval.reports.run.arrays import run_arrays
from rmeval.reports.run.compare_view import CompareView, compare_views
from rmeval.reports.run.examples_data import examples_text
from tests.support.comparing import Script

ROWS = [
    {"id": f"e{place}", "subset": "s", "prompt": f"ask {place}\n\n  twice", "chosen": "yes" * size, "rejected": "no"}
    for place, size in enumerate((1, 1, 20, 20))
]


def scored(folder: Path, rows: list[dict[str, str]], decided: str, *, text: bool = True) -> RunRecord:
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {"output_dir": folder / "run", "keep_text": text}
    return evaluate(Script(decided), "pairs", dataset=str(folder / "rows.jsonl"), **options)  # type: ignore[arg-type]


def view(*runs: RunRecord, common_only: bool = False) -> CompareView:
    arrays = [run_arrays(run) for run in runs]
    (found,) = compare_views(runs, arrays, examples_text(runs), common_only=common_only)
    return found


def test_flipped_examples_have_their_text_and_both_margins(tmp_path: Path) -> None:
    found = view(scored(tmp_path / "a", ROWS, "+-=+"), scored(tmp_path / "b", ROWS, "++-="))
    (gained,) = found.to_right
    assert (gained.id, gained.subset, gained.text) == ("e1", "s", "ask 1 twice")
    assert gained.outcomes == [("wrong", -1.0), ("right", 1.0)]
    assert [(each.id, each.outcomes) for each in found.to_wrong] == [("e3", [("right", 1.0), ("tie", 0.0)])]


def test_the_plot_is_of_the_examples_that_both_have_and_can_count(tmp_path: Path) -> None:
    """One is invalid in A, one is another text under the same id."""
    other = [*ROWS[:3], {**ROWS[3], "chosen": "another answer"}]
    found = view(scored(tmp_path / "a", ROWS, "n+++"), scored(tmp_path / "b", other, "++-+"), common_only=True)
    assert found.plot is not None
    assert [(row[0], row[1], row[2], row[4]) for row in found.plot.rows] == [
        ("0 to 30", "1", "100.0", "100.0"),
        ("30 to 100", "1", "100.0", "0.0"),
    ]


def test_without_texts_there_are_ids(tmp_path: Path) -> None:
    runs = [scored(tmp_path / name, ROWS, decided, text=False) for name, decided in (("a", "----"), ("b", "+---"))]
    (gained,) = view(*runs).to_right
    assert (gained.id, gained.text) == ("e0", "")


@pytest.mark.parametrize("decided", ["++++", "----"])
def test_nothing_flips(tmp_path: Path, decided: str) -> None:
    found = view(scored(tmp_path / "a", ROWS, decided), scored(tmp_path / "b", ROWS, decided))
    assert (found.to_right, found.to_wrong) == ([], [])

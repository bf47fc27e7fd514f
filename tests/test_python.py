"""What Python programs hand over: runs or their folders, one name or several, rows of any kind."""

from __future__ import annotations

from pathlib import Path

import datasets
import pandas as pd
import pytest

import rmeval
from rmeval.errors import RunError, UsageError

ROWS = [
    {"prompt": f"Question {place}?", "chosen": "y" * (place % 3 + 1), "rejected": "n" * (place % 2 + 1)}
    for place in range(12)
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[rmeval.RunRecord]:
    folder = tmp_path_factory.mktemp("runs")
    return [rmeval.evaluate(f"baseline:{name}", "mini", output_dir=folder / name) for name in ("longest", "random")]


def test_compare_and_check_take_runs_or_folders(runs: list[rmeval.RunRecord]) -> None:
    before, after = runs
    found = rmeval.compare(before, after)
    assert before.path is not None
    assert rmeval.compare(str(before.path), after) == found
    assert rmeval.compare(before.path, str(after.path)) == found
    gate = rmeval.check(after, before, rules=["overall:99%"])
    by_path = rmeval.check(str(after.path), str(before.path), rules=["overall:99%"])
    assert gate.passed
    assert by_path.lines == gate.lines
    with pytest.raises(RunError, match="no finished run in nowhere"):
        rmeval.compare("nowhere", after)


def test_report_and_leaderboard_do_too(runs: list[rmeval.RunRecord], tmp_path: Path) -> None:
    before, after = runs
    page = rmeval.report([str(before.path), after], tmp_path / "two.html")
    assert "baseline:random" in page.read_text()
    alone = rmeval.report(before, tmp_path / "one.html")
    assert alone.read_text() == rmeval.report(str(before.path), tmp_path / "same.html").read_text()
    board = rmeval.leaderboard([before, str(after.path)], tmp_path / "site")
    assert len(board.tables) + len(board.apart) > 0
    with pytest.raises(UsageError, match="run of baseline:longest is in memory only"):
        rmeval.leaderboard([rmeval.evaluate("baseline:longest", "mini")], tmp_path / "other")


def test_a_text_is_one_subset() -> None:
    one = rmeval.evaluate("baseline:longest", "mini", subsets="mini-code")
    assert set(one.info.results.subsets) == {"mini-code"}
    assert one.info.data.subsets == ("mini-code",)
    with pytest.raises(UsageError, match=r"rewardbench has no option --prior of its own"):
        rmeval.evaluate("baseline:longest", "rewardbench", dataset=ROWS, suite_options="prior")


@pytest.mark.parametrize("kind", [list, pd.DataFrame, datasets.Dataset.from_list])
def test_rows_of_any_kind(kind: type) -> None:
    run = rmeval.evaluate("baseline:longest", "pairs", dataset=kind(ROWS))
    again = rmeval.evaluate("baseline:longest", "pairs", dataset=ROWS)
    assert run.info.data.fingerprint == again.info.data.fingerprint
    assert run.info.results == again.info.results

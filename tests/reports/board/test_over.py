"""One table over all suites, and tables of runs of the same examples that are not the benchmark's."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rmeval import leaderboard, load_run
from rmeval.eval.field import FIELD, evaluate_field
from rmeval.reports.board.entries import Leaderboard
from rmeval.reports.board.over import over_suites
from tests.support.ranking import as_models

ROWS = {
    "pairs": [{"prompt": f"p{k}", "chosen": "a" * (1 + k % 4), "rejected": "bb"} for k in range(12)],
    "rewardbench": [
        {"id": str(k), "prompt": f"q{k}", "chosen": "a" * (1 + k % 5), "rejected": "bbb", "subset": "alpacaeval-easy"}
        for k in range(10)
    ],
}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    """Two models on two suites; the rewardbench rows are a few of one subset."""
    folder = tmp_path_factory.mktemp("over")
    data = {}
    for name, rows in ROWS.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        data[name] = str(folder / f"{name}.jsonl")
    for model in ("longest", "shortest"):
        evaluate_field(f"baseline:{model}", tuple(ROWS), output_dir=folder / model, datasets=data)
    as_models(folder)
    return leaderboard([folder / "longest", folder / "shortest"], folder / "site")


NUMBERS = {
    # Of lengths 1 to 4 against 2, half are longer, a quarter shorter; of 1 to 5 against 3, two fifths each.
    "baseline:longest": {"pairs": 0.5, "rewardbench": 0.4},
    "baseline:shortest": {"pairs": 0.25, "rewardbench": 0.4},
}


def test_a_row_a_model_and_a_column_a_suite(board: Leaderboard) -> None:
    over = over_suites(board)
    assert over is not None
    assert [suite.name for suite in over.suites] == ["rewardbench", "pairs"]
    found = {row.model: {name: each.accuracy for name, each in row.numbers.items()} for row in over.rows}
    assert found == {model: pytest.approx(own) for model, own in NUMBERS.items()}
    assert [row.model for row in over.rows] == ["baseline:longest", "baseline:shortest"]
    assert all(row.mean is None for row in over.rows)
    assert all(set(row.apart) == {"rewardbench"} for row in over.rows)


class Cells(HTMLParser):
    """The texts of the cells of one table."""

    def __init__(self, table: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._table, self._inside = table, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._inside = dict(attrs).get("id") == self._table
        elif self._inside and tag == "tr":
            self.rows.append([])
        elif self._inside and tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def test_it_stands_in_all_three_files(board: Leaderboard) -> None:
    expected = [["baseline:longest", "(40.0)", "50.0", "–"], ["baseline:shortest", "(40.0)", "25.0", "–"]]
    page = Cells("over-table")
    page.feed((board.path / "index.html").read_text())
    assert page.rows[0] == ["model", "rewardbench", "pairs", "mean"]
    assert page.rows[1:] == expected
    with (board.path / "suites.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["model"], float(row["rewardbench"]), float(row["pairs"]), row["mean"]) for row in rows] == [
        ("baseline:longest", 40.0, 50.0, ""),
        ("baseline:shortest", 40.0, 25.0, ""),
    ]
    assert {row["not_ranked"] for row in rows} == {"rewardbench"}
    lines = (board.path / "leaderboard.md").read_text().splitlines()
    drawn = [line.replace("\\", "").strip("| ").split(" | ") for line in lines if "baseline:longest |" in line]
    assert drawn[0] == ["baseline:longest", "(40.0)", "50.0", "–"]
    document = json.loads((board.path / "leaderboard.json").read_text())
    assert document["over_suites"]["rows"][1]["numbers"]["pairs"]["accuracy"] == 0.25


def test_runs_of_the_same_examples_are_ranked_among_themselves(board: Leaderboard) -> None:
    """Ten rows of one subset are no RewardBench, but both models have scored the same ones."""
    (own,) = [table for table in board.tables if table.suite.name == "rewardbench"]
    assert own.title == "RewardBench: rewardbench.jsonl, 10 examples"
    assert own.reason.startswith("not the benchmark: ")
    assert [row.rank for row in own.rows] == [(1, 2), (1, 2)]
    assert own.ranking is not None
    assert board.apart == []
    text = (board.path / "index.html").read_text()
    assert "RewardBench: rewardbench.jsonl, 10 examples" in text


def test_one_suite_has_no_table_over_suites(board: Leaderboard, tmp_path: Path) -> None:
    alone = leaderboard([board.path.parent / "longest" / "pairs"], tmp_path / "site")
    assert over_suites(alone) is None
    assert not (tmp_path / "site" / "suites.csv").exists()
    assert json.loads((tmp_path / "site" / "leaderboard.json").read_text())["over_suites"] is None


def test_of_several_runs_of_a_model_the_latest_counts(board: Leaderboard) -> None:
    runs = [row.entry.measured for table in board.tables for row in table.rows if row.entry.measured]
    assert len({run.path for run in runs}) == 4
    assert {load_run(run.path).info.suite for run in runs} == {"pairs", "rewardbench"}
    assert not set(FIELD) <= {run.info.suite for run in runs}

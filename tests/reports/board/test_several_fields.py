"""Several fields of two models in one leaderboard: a table a suite and one over suites, the same in all three files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rmeval import leaderboard, load_run
from rmeval.eval.field import evaluate_field
from rmeval.reports.board.entries import Leaderboard
from tests.support.ranking import as_models

MODELS = ("longest", "shortest")
ROWS: dict[str, Sequence[Mapping[str, object]]] = {
    "rm-bench": [
        {"prompt": f"{name} {k}", "domain": name, "chosen": ["x", "xx", "x" * (3 + k)], "rejected": ["y", "yy", "yyyy"]}
        for k in range(3)
        for name in ("chat", "math", "code", "safety")
    ],
    "judgebench": [
        {"pair_id": str(k), "question": f"q{k}", "source": "livecodebench", "response_model": "gpt-4o"}
        | {"response_A": "x" * (1 + k % 4), "response_B": "yy", "label": "A>B"}
        for k in range(12)
    ],
    "pairs": [{"prompt": f"p{k}", "chosen": "a" * (1 + k % 5), "rejected": "bb"} for k in range(10)],
}
FIELDS = (("first", ("rm-bench", "judgebench")), ("second", ("pairs",)))
"""What is scored together: each model has two fields, which the leaderboard puts together."""
Numbers = dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    folder = tmp_path_factory.mktemp("fields")
    data = {name: str(folder / f"{name}.json") for name in ROWS}
    for name, rows in ROWS.items():
        Path(data[name]).write_text(json.dumps(rows))
    for model in MODELS:
        for part, suites in FIELDS:
            own = {name: data[name] for name in suites}
            evaluate_field(f"baseline:{model}", suites, output_dir=folder / f"{part}-{model}", datasets=own)
    as_models(folder)
    return leaderboard([folder / f"{part}-{model}" for part, _ in FIELDS for model in MODELS], folder / "site")


@pytest.fixture(scope="module")
def expected(board: Leaderboard) -> Numbers:
    """The overall numbers of the runs themselves, in percent, by model and suite."""
    found = {}
    for part, suites in FIELDS:
        for model in MODELS:
            for suite in suites:
                whole = load_run(board.path.parent / f"{part}-{model}" / suite).info.results.overall
                assert whole is not None
                found[f"baseline:{model}", suite] = f"{100 * whole.accuracy:.1f}"
    assert len(set(found.values())) > 3
    return found


class Tables(HTMLParser):
    """The texts of the cells of every table that has an id, and the heading before each."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.heading: dict[str, str] = {}
        self._rows: list[list[str]] | None = None
        self._last, self._in_heading = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = dict(attrs).get("id") or ""
        if tag == "h2":
            self._last, self._in_heading = "", True
        elif tag == "table" and name:
            self._rows = self.tables.setdefault(name, [])
            self.heading[name] = self._last
        elif self._rows is not None and tag == "tr":
            self._rows.append([])
        elif self._rows and tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_heading = self._in_heading and tag != "h2"
        self._rows = None if tag == "table" else self._rows

    def handle_data(self, data: str) -> None:
        self._last += data if self._in_heading else ""
        if self._rows and self._rows[-1]:
            self._rows[-1][-1] += data.strip()


def suite_of(heading: str) -> str:
    return {"RM-Bench": "rm-bench", "JudgeBench": "judgebench", "Preference pairs": "pairs"}[heading.partition(":")[0]]


def model_in(cells: list[str]) -> str | None:
    return next((f"baseline:{name}" for name in MODELS for cell in cells if f"baseline:{name}" in cell), None)


def numbers_of(suite: str, rows: list[list[str]]) -> Numbers:
    """Read one suite's table: the models' overall numbers, by its header."""
    column = [each.strip() for each in rows[0]].index("overall")
    return {(model, suite): cells[column] for cells in rows[1:] if (model := model_in(cells)) is not None}


def test_a_table_a_suite_in_the_page(board: Leaderboard, expected: Numbers) -> None:
    page = Tables()
    page.feed((board.path / "index.html").read_text())
    own = {name: rows for name, rows in page.tables.items() if name.startswith("board-")}
    found = [numbers_of(suite_of(page.heading[name].strip()), rows) for name, rows in own.items()]
    assert len(found) == len(ROWS)
    assert {key: value for each in found for key, value in each.items()} == expected


def test_a_table_a_suite_in_markdown(board: Leaderboard, expected: Numbers) -> None:
    found: Numbers = {}
    _, *sections = (board.path / "leaderboard.md").read_text().replace("\\", "").split("\n## ")
    for section in sections:
        heading, *lines = section.splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]
        if heading != "All suites":
            found |= numbers_of(suite_of(heading), rows)
    assert found == expected
    assert [section.splitlines()[0] for section in sections].count("All suites") == 1


def test_a_row_a_model_and_suite_in_csv(board: Leaderboard, expected: Numbers) -> None:
    with (board.path / "leaderboard.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["model"], row["suite"]): f"{float(row['overall']):.1f}" for row in rows} == expected
    assert len(rows) == len(expected)


def test_one_over_suites_in_all_three(board: Leaderboard, expected: Numbers) -> None:
    """RM-Bench and JudgeBench in brackets, or named: a few rows are no result of a benchmark."""
    order = ["rm-bench", "judgebench", "pairs"]
    page = Tables()
    page.feed((board.path / "index.html").read_text())
    header, *rows = page.tables["over-table"]
    assert header == ["model", *order, "mean"]
    over = {(row[0], suite): cell for row in rows for suite, cell in zip(order, row[1:], strict=False)}
    assert {key: value.strip("()") for key, value in over.items()} == expected
    assert {suite for (_, suite), value in over.items() if value.startswith("(")} == {"rm-bench", "judgebench"}

    with (board.path / "suites.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert {(row["model"], name): f"{float(row[name]):.1f}" for row in table for name in order} == expected
    assert all(set(row["not_ranked"].split()) == {"rm-bench", "judgebench"} for row in table)

    text = (board.path / "leaderboard.md").read_text().replace("\\", "").split("\n## ")
    (lines,) = (section.splitlines() for section in text if section.startswith("All suites"))
    cells = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("| baseline")
    ]
    assert cells == rows

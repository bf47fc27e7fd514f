"""A field's page and summary: what each suite's own report says beside its number stands there too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rmeval import load_run
from rmeval.eval.field import Field, evaluate_field
from rmeval.reports.field.console import print_field
from rmeval.reports.field.page import field_page
from rmeval.reports.run.summary import summary

ROWS: dict[str, Sequence[Mapping[str, object]]] = {
    "judgebench": [
        {"pair_id": str(k), "question": f"q{k}", "source": "livecodebench", "response_model": "gpt-4o"}
        | {"response_A": "x" * (1 + k % 3), "response_B": "yy", "label": "B>A" if k % 2 else "A>B"}
        for k in range(12)
    ],
    "rm-bench": [
        {
            "prompt": f"q{k}",
            "domain": name,
            "chosen": ["x", "xx", "x" * (3 + k)],
            "rejected": ["y" * 2, "y" * 4, "y" * 6],
        }
        for k, name in enumerate(("chat", "math", "code", "safety"))
    ],
}


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Field:
    folder = tmp_path_factory.mktemp("field")
    data = {name: str(folder / f"{name}.json") for name in ROWS}
    for name, rows in ROWS.items():
        Path(data[name]).write_text(json.dumps(rows))
    return evaluate_field("baseline:longest", tuple(ROWS), output_dir=folder / "f", datasets=data)


def test_the_summary_has_what_each_suites_own_has(field: Field) -> None:
    document = json.loads((field.path / "field.json").read_text())
    for entry in document["suites"]:
        own = json.loads(json.dumps(summary(load_run(field.path / entry["run"]))))
        assert {key: entry[key] for key in ("rules", "lengths", "best_of_n")} == {
            key: own[key] for key in ("rules", "lengths", "best_of_n")
        }
    judged, grid = document["suites"]
    assert list(judged["rules"]) == ["ties-as-b"]
    assert judged["best_of_n"] == []
    assert [point["n"] for point in grid["best_of_n"]] == [1, 2, 3, 4, 5, 6]


def test_the_page(field: Field) -> None:
    html = field_page(field)
    (table,) = re.findall(r'<table id="lengths-table">(.*?)</table>', html, flags=re.DOTALL)
    rows = re.findall(r'<tr data-suite="([^"]*)">(.*?)</tr>', table, flags=re.DOTALL)
    found = {name: re.findall(r'<td[^>]*>([^<]*)<br><span class="small muted">(\d+)</span>', row) for name, row in rows}
    # Of twelve pairs, 4 of each length of A against 2: where one is the longer one, half are right; equal ones tie.
    assert found["judgebench"] == [("0.0", "4"), ("0.0", "4"), ("100.0", "4")]
    (rule,) = re.findall(r'<tr data-rule="ties-as-b">(.*?)</tr>', html, flags=re.DOTALL)
    assert '<td class="num">50.0</td>' in rule
    points = re.findall(r'<tr data-n="(\d)">(.*?)</tr>', html, flags=re.DOTALL)
    assert [n for n, _ in points] == list("123456")
    # The longest of the six: of lengths 3 + k against 6, the fourth row ties and gets half, of four rows.
    assert '<td class="num">12.5</td>' in points[-1][1]


def test_a_partial_number_is_called_so_in_the_first_table(field: Field, capsys: pytest.CaptureFixture[str]) -> None:
    """Both suites are a few local rows: no reader may take their numbers for the benchmarks'."""
    (table,) = re.findall(r'<table id="field-table">(.*?)</table>', field_page(field), flags=re.DOTALL)
    for title in ("PARTIAL: not a JudgeBench result", "PARTIAL: not an RM-Bench result"):
        assert f'<span class="badge warn" title="{title}">partial</span>' in table
    print_field(field)
    printed = capsys.readouterr().out
    assert re.search(r"^judgebench \(partial\) +33\.3", printed, flags=re.MULTILINE)
    assert re.search(r"^rm-bench \(partial\) ", printed, flags=re.MULTILINE)


def test_rows_of_another_split_do_not_stand_under_the_wrong_name(tmp_path: Path) -> None:
    """JudgeBench's two splits count apart: the claude rows are no `judgebench`, alone or in the mean."""
    rows = [{**row, "response_model": "claude-3-5-sonnet"} for row in ROWS["judgebench"]]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (tmp_path / "pairs.json").write_text(json.dumps([{"prompt": "p", "chosen": "a", "rejected": "b"}]))
    data = {"judgebench": str(tmp_path / "rows.json"), "pairs": str(tmp_path / "pairs.json")}
    found = evaluate_field("baseline:longest", tuple(data), output_dir=tmp_path / "f", datasets=data)
    assert found.entries[0].info is None
    assert found.entries[0].error == (
        "its rows are of JudgeBench (claude): ask for judgebench-claude"
        " (--suites judgebench-claude --dataset judgebench-claude=…)"
    )

"""Published results: the real files where they are at hand, and every way in which a file can be wrong."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rmeval import leaderboard
from rmeval.errors import DataError
from rmeval.eval.suites import get_suite
from rmeval.reports.board.entries import Entry
from rmeval.reports.board.imports import read_imports

SUITE = get_suite("rewardbench")
EVAL = dict.fromkeys(SUITE.expected, 0.5)
PRIOR = {"anthropic_helpful": 0.6, "anthropic_hhh": 0.8, "shp": 0.7, "summarize": 0.9}
HEADER = "model,avg,chat,chat_hard,safety,reasoning,prior_sets\n"


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Path:
    return shared_data / "reference-results"


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def read(*paths: Path, weights: str = "today", csv_weights: str | None = None) -> list[Entry]:
    return read_imports(paths, weights, csv_weights)[0]


def refused(*paths: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(*paths)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- the real files -------------------------------------------------------------------------------------------------


def test_the_table_of_may_2024_keeps_its_order(published: Path, tmp_path: Path) -> None:
    file = published / "leaderboard-2024-05.csv"
    with file.open(encoding="utf-8") as stream:
        expected = list(csv.DictReader(stream))
    board = leaderboard([], tmp_path / "site", imports=[file], weights="2024-05", import_weights="2024-05")
    (table,) = board.tables
    assert len(table.rows) == 31
    assert [row.entry.model for row in table.rows] == [row["model"] for row in expected]
    for row, own in zip(table.rows, expected, strict=True):
        assert row.entry.overall is not None
        assert f"{100 * row.entry.overall.accuracy:.1f}" == own["avg"]
        assert row.entry.overall.low is None
        assert row.rank is None
        assert row.entry.origin == "imported"
    assert not board.apart
    flagged = {row.entry.model: row.entry.notes for row in table.rows if "not the mean" in " ".join(row.entry.notes)}
    assert flagged == {
        "0-hero/Matter-0.1-7B-boost-DPO-preview": (
            "its published average, 72.4, is not the mean of its sections, 73.4",
        )
    }
    lacking = [row.entry.model for row in table.rows if row.entry.notes == ("its average leaves out Prior Sets",)]
    assert lacking == [row["model"] for row in expected if not row["prior_sets"]]


def test_rm_mistral_s_row_is_rebuilt_with_the_weights_of_that_time(published: Path) -> None:
    files = [published / f"RM-Mistral-7B.{name}.json" for name in ("eval-set.30dd245", "pref-sets.a1950b3")]
    (entry,) = read(*files, weights="2024-05")
    shown = [f"{100 * each.accuracy:.1f}" for each in entry.sections.values()]
    assert entry.overall is not None
    assert (f"{100 * entry.overall.accuracy:.1f}", shown) == ("79.3", ["96.9", "58.1", "87.1", "77.0", "75.3"])
    assert entry.source == "RM-Mistral-7B.eval-set.30dd245.json + RM-Mistral-7B.pref-sets.a1950b3.json"
    assert entry.facts == ("in the file but of no section: anthropic_harmless, mtbench_gpt4, mtbench_human",)
    (today,) = read(*files)
    assert f"{100 * today.sections['Safety'].accuracy:.2f}" == "86.35"
    (newer,) = read(published / "RM-Mistral-7B.eval-set.3345ba1.json")
    shown = [f"{100 * each.accuracy:.2f}" for each in newer.sections.values()]
    assert newer.overall is not None
    assert (f"{100 * newer.overall.accuracy:.2f}", shown) == ("80.39", ["96.65", "60.53", "87.03", "77.36"])


def test_the_whole_folder(published: Path, tmp_path: Path) -> None:
    """Two files of the same model are two rows; what counts other sections or other weights stands by itself."""
    board = leaderboard([], tmp_path / "site", imports=[published], weights="2024-05", import_weights="2024-05")
    assert [len(table.rows) for table in board.tables] == [33, 1]
    assert board.tables[1].reason == "its overall numbers do not count Prior Sets, those above do"
    own = [row for row in board.tables[0].rows if row.entry.model == "weqweasdas/RM-Mistral-7B"]
    assert [row.detail.partition(" + ")[0] for row in own] == [
        "RM-Mistral-7B.eval-set.3345ba1.json",
        "leaderboard-2024-05.csv",
        "RM-Mistral-7B.eval-set.30dd245.json",
    ]
    (tulu,) = board.tables[1].rows
    assert f"{100 * tulu.entry.sections['Safety'].accuracy:.2f}" == "78.16"
    today = leaderboard([], tmp_path / "today", imports=[published])
    assert [(table.weights, len(table.rows)) for table in today.tables] == [("today", 2), ("today", 1), (None, 31)]
    assert "--import-weights" in today.tables[2].reason


# --- made up ----------------------------------------------------------------------------------------------------------


def test_other_files_in_a_folder_are_passed_over_and_named(tmp_path: Path) -> None:
    """One stray file is no reason to lose the rest; named by itself it is a mistake."""
    folder = tmp_path / "published"
    write(folder / "m.json", {"model": "m", **EVAL})
    strays = [write(folder / "list.json", []), write(folder / "table.csv", "Model Name,Overall\nm,80\n")]
    strays += [write(folder / "cut.json", '{"model": "x", "al'), write(folder / "lines.json", "{}\n{}\n")]
    board = leaderboard([], tmp_path / "site", imports=[folder])
    assert [row.entry.model for table in board.tables for row in table.rows] == ["m"]
    assert {Path(name).name for name in board.ignored} == {"list.json", "table.csv", "cut.json", "lines.json"}
    for stray in strays:
        assert "no" in refused(stray)
    (folder / "m.json").unlink()
    assert "no file of published results in it" in refused(folder)


def test_files_of_a_model_are_joined(tmp_path: Path) -> None:
    whole = write(tmp_path / "eval-set" / "org" / "m.json", {"model": "m", "chat_template": "x", "steps": 7, **EVAL})
    prior = write(tmp_path / "pref-sets" / "org" / "m.json", {"model": "m", "trust_remote_code": True, **PRIOR})
    other = write(tmp_path / "eval-set" / "n.json", {"model": "n", **EVAL, "alpacaeval-easy": 1})
    note = write(tmp_path / "README.md", "notes")
    entries, ignored = read_imports([tmp_path], "today", None)
    assert ignored == [str(note)]
    found = {entry.model: entry for entry in entries}
    assert set(found) == {"m", "n"}
    assert found["m"].overall is not None
    assert found["m"].overall.accuracy == pytest.approx((2 * 4 * 0.5 + 0.75) / 9)
    assert found["m"].counted == (*SUITE.sections("today"),)
    assert found["n"].sections["Chat"].accuracy == pytest.approx((0.5 * 258 + 100) / 358)
    assert len(read(whole, prior, other, whole)) == 2, "a file given twice is one"


def test_a_file_that_lacks_subsets_stands_apart(tmp_path: Path) -> None:
    some = {name: value for name, value in EVAL.items() if not name.startswith("hep")}
    write(tmp_path / "in" / "m.json", {"model": "m", **some})
    write(tmp_path / "in" / "p.json", {"model": "only prior", **PRIOR})
    write(tmp_path / "in" / "h.json", {"model": "half", **EVAL, "shp": 0.5})
    write(tmp_path / "in" / "t.csv", HEADER + "no reasoning,80,90,70,80,,\n")
    board = leaderboard([], tmp_path / "site", imports=[tmp_path / "in"])
    assert not board.tables
    reasons = {each.label: " ".join(each.reasons) for each in board.apart}
    assert reasons["m"] == "partial: it lacks hep-cpp, hep-go, hep-java, hep-js, hep-python, hep-rust"
    assert reasons["only prior"].startswith("partial: it lacks alpacaeval-easy, ")
    assert reasons["half"] == "partial: it lacks anthropic_helpful, anthropic_hhh, summarize"
    assert reasons["no reasoning"] == "partial: it lacks Reasoning"


def test_an_average_within_rounding_is_not_flagged(tmp_path: Path) -> None:
    rows = "exact,80,80,80,80,80,80\nrounded,80.1,80,80,80,80,80\nwrong,80.2,80,80,80,80,80\nnone,,80,80,80,80,71\n"
    found = {entry.model: entry for entry in read(write(tmp_path / "t.csv", HEADER + rows))}
    assert [model for model, entry in found.items() if entry.notes] == ["wrong", "none"]
    assert found["wrong"].overall is not None
    assert found["wrong"].overall.accuracy == pytest.approx(0.802), "flagged, not fixed"
    assert found["none"].overall is not None
    assert found["none"].overall.accuracy == pytest.approx(0.79)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "not JSON that can be imported"),
        ("[]", 'it names no "model"'),
        ({**EVAL}, 'it names no "model"'),
        ({"model": " ", **EVAL}, 'it names no "model"'),
        ({"model": "m", "chat": 0.5}, "no subset of a suite"),
        ({"model": "m", **EVAL, "shp": "0.5"}, 'the accuracy of shp is not a number: "0.5"'),
        ({"model": "m", **EVAL, "shp": None}, "not a number: null"),
        ({"model": "m", **EVAL, "shp": True}, "not a number: true"),
        ({"model": "m", **EVAL, "shp": 1.5}, "is 1.5, not between 0 and 1"),
        ({"model": "m", **EVAL, "shp": -0.1}, "is -0.1, not between 0 and 1"),
        ('{"model": "m", "shp": NaN}', "NaN is no accuracy"),
        ('{"model": "m", "shp": 1e999}', "not between 0 and 1"),
        ('{"model": "m", "shp": 0.5, "shp": 0.6}', "'shp' stands there twice"),
        ("[" * 100_000, "not JSON that can be imported"),
        ('{"model": "\xff', "not JSON that can be imported"),
    ],
)
def test_json_that_is_wrong(tmp_path: Path, value: object, said: str) -> None:
    file = write(tmp_path / "m.json", value)
    if isinstance(value, str) and "\xff" in value:
        file.write_bytes(value.encode("latin-1"))
    text = refused(file)
    assert said in text
    assert str(file) in text


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "has no rows"),
        (HEADER, "has no rows"),
        ("name,avg\nm,80\n", "unknown column 'name'"),
        ("avg,chat\n80,80\n", "no column 'model'"),
        ("model,avg,chat_hrd\nm,80,80\n", "did you mean 'chat_hard'?"),
        (HEADER + "m,80,80,80,80,80,80\nm,81,80,80,80,80,80\n", "line 3: the model 'm' is already there (2)"),
        (HEADER + "m,eighty,80,80,80,80,80\n", "avg is 'eighty', not a number"),
        (HEADER + "m,80,nan,80,80,80,80\n", "chat is 'nan', not a number"),
        (HEADER + "m,80,101,80,80,80,80\n", "between 0 and 100"),
        (HEADER + "m,0.8,0.8,0.8,0.8,0.8,0.8\n", "shares of 1"),
        (HEADER + ",80,80,80,80,80,80\n", "no model"),
        (HEADER + "m,,,,,,\n", "not a number"),
        (HEADER + "m,80\n", "2 cells, but the header names 7"),
    ],
)
def test_csv_that_is_wrong(tmp_path: Path, rows: str, said: str) -> None:
    assert said in refused(write(tmp_path / "t.csv", rows))


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no such file or folder" in refused(tmp_path / "gone.csv")
    assert "no such file or folder" in refused(tmp_path / "gone")
    assert "no .json or .csv file in it" in refused(tmp_path / "empty")
    assert "not a .json or .csv file" in refused(write(tmp_path / "a.txt", "x"))


def same(model: str, *parts: Mapping[str, float]) -> list[dict[str, object]]:
    return [{"model": model, **part} for part in parts]


@pytest.mark.parametrize("parts", [(EVAL, PRIOR, PRIOR), (EVAL, {**EVAL, **PRIOR}, PRIOR)])
def test_a_model_s_prior_sets_twice(tmp_path: Path, parts: Sequence[Mapping[str, float]]) -> None:
    for place, value in enumerate(same("m", *parts)):
        write(tmp_path / f"{place}.json", value)
    assert "import one of them" in refused(tmp_path)

"""The leaderboard: which runs may be ranked, which not and why, and what is written."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmeval import leaderboard, load_run
from rmeval.errors import RmevalError, RunError, UsageError
from rmeval.eval.suites import get_suite
from rmeval.eval.suites.credit_rules import all_beat_all
from rmeval.records import scored_examples
from rmeval.reports.board.entries import Leaderboard
from tests.support.comparing import write_rows
from tests.support.ranking import decisions, whole_run

SUBSETS = ["alpacaeval-easy", "llmbar-natural", "xstest-should-refuse", "hep-python"] * 60
NAMES = {"org/strong": 0.95, "org/good": 0.9, "org/fair": 0.7, "other/fair": 0.7, "org/weak": 0.4}
PUBLISHED = dict.fromkeys(get_suite("rewardbench").expected, 0.8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("data") / "rows.jsonl", SUBSETS)


@pytest.fixture(scope="module")
def runs(data: Path) -> Path:
    """Five whole runs, and one of each kind that may not stand beside them."""
    folder = data.parent / "runs"
    for seed, (name, share) in enumerate(NAMES.items()):
        created = f"2026-11-{10 + seed}T12:00:00+00:00"
        whole_run(folder / f"run-{seed}", data, decisions(share, 240, seed), name, "rewardbench", created=created)
    again = decisions(0.9, 240, 9)
    created = "2026-11-20T12:00:00+00:00"
    whole_run(folder / "again", data, again, "org/good", "rewardbench", created=created)
    reasons = ("only the first 240 examples asked for", "unverified local copy (rows from elsewhere)")
    whole_run(folder / "partial", data, again, "part", "rewardbench", partial=True, partial_reasons=reasons)
    whole_run(folder / "invalid", data, "n" + again[1:], "with NaN", "rewardbench")
    old = decisions(0.9, 240, 5)
    run = whole_run(folder / "old", data, old, "old", "rewardbench", weights="2024-05")
    assert run.info.weights == "2024-05"
    fewer = write_rows(data.parent / "fewer.jsonl", SUBSETS[:200])
    whole_run(folder / "fewer", fewer, again[:200], "fewer", "rewardbench")
    changed = whole_run(folder / "changed", data, again, "changed", "rewardbench")
    lies = json.loads((folder / "changed" / "run.json").read_text())
    lies["results"]["overall"]["accuracy"] = 0.99
    (folder / "changed" / "run.json").write_text(json.dumps(lies))
    assert changed.path is not None
    (folder / "stopped").mkdir()
    whole_run(folder / "damaged", data, again, "damaged", "rewardbench")
    (folder / "damaged" / "scores.parquet").write_bytes(b"x")
    whole_run(folder / "deeper" / "pairs-1", data, decisions(0.9, 240, 1), "pairs model")
    whole_run(folder / "deeper" / "pairs-2", data, decisions(0.6, 240, 2), "<b>bold</b>")
    return folder


@pytest.fixture(scope="module")
def board(runs: Path) -> Leaderboard:
    published = runs.parent / "published.json"
    published.write_text(json.dumps({"model": "published", **PUBLISHED}))
    return leaderboard([runs], runs.parent / "site", imports=[published])


def shown(board: Leaderboard) -> dict[str, tuple[int, int] | None]:
    return {row.label: row.rank for row in board.tables[0].rows}


# --- what is ranked -------------------------------------------------------------------------------------------------


def test_whole_runs_are_ranked_and_published_rows_stand_among_them(board: Leaderboard) -> None:
    table = board.tables[0]
    found = shown(board)
    assert found.pop("published") is None
    assert set(found) == {
        "org/strong",
        "org/good (2026-11-11)",
        "org/good (2026-11-20)",
        "org/fair",
        "other/fair",
        "org/weak",
    }
    assert found["org/weak"] == (6, 6)
    assert found["org/fair"] == found["other/fair"] == (4, 5)
    numbers = [row.entry.overall.accuracy for row in table.rows if row.entry.overall]
    assert numbers == sorted(numbers, reverse=True)
    assert table.examples == 240
    assert table.counted == ("Chat", "Chat Hard", "Safety", "Reasoning")
    groups = {row.label: set(row.groups) for row in table.measured}
    for row in table.measured:
        assert row.rank is not None
        for other in table.measured:
            assert other.rank is not None
            if other is not row and not groups[row.label] & groups[other.label]:
                assert row.rank[1] < other.rank[1] or other.rank[1] < row.rank[1]


def test_ranks_follow_from_the_examples(board: Leaderboard, runs: Path) -> None:
    """The same differences by other code: from the files alone, one example at a time."""
    table = board.tables[0]
    overall = []
    for row in table.measured:
        assert row.entry.measured is not None
        right: dict[str, list[bool]] = {}
        for each in scored_examples(load_run(row.entry.measured.path)):
            right.setdefault(each.subset, []).append(all_beat_all(each.chosen, each.rejected).kind == "right")
        overall.append(np.mean([np.mean(own) for own in right.values()]))  # Here each section has one subset.
    assert table.ranking is not None
    assert table.ranking.accuracy == pytest.approx(overall)
    assert [row.entry.overall.accuracy for row in table.measured if row.entry.overall] == pytest.approx(overall)
    better = table.ranking.better
    for place, row in enumerate(table.measured):
        assert row.rank == (1 + better[:, place].sum(), len(overall) - better[place].sum())


def test_what_may_not_be_ranked_stands_apart_with_its_reason(board: Leaderboard) -> None:
    found = {each.label: each.reasons for each in board.apart}
    assert found["part"] == ("partial: only the first 240 examples asked for, unverified local copy",)
    assert found["with NaN"] == ("1 example has no finite score",)
    assert found["old"] == ("other weights: 2024-05; this leaderboard is of today (--weights 2024-05)",)
    assert re.fullmatch(
        r"other data: 200 examples with the fingerprint \w{12}, the table's are 240 with \w{12}", found["fewer"][0]
    )
    assert found["changed"] == ("its run.json does not say what its scores say: score it again",)
    assert "unfinished" in found["stopped"][0]
    assert "damaged" in found["damaged"][0]
    assert len(found) == 7
    assert {each.label for each in board.apart if each.row is None} == {"changed", "stopped", "damaged"}


def test_a_reference_line_is_no_model(data: Path, tmp_path: Path) -> None:
    run = whole_run(tmp_path / "runs" / "model", data, decisions(0.9, 240, 1), "m", "rewardbench")
    line = replace(run.info.model, name="baseline:shortest", kind="baseline")
    whole_run(tmp_path / "runs" / "line", data, decisions(0.95, 240, 2), "x", "rewardbench", model=line)
    board = leaderboard([tmp_path / "runs"], tmp_path / "site")
    assert shown(board) == {"m": (1, 1)}
    assert [(each.label, each.reasons) for each in board.apart] == [
        ("baseline:shortest", ("a reference line, not a model",))
    ]


def test_a_table_a_suite(board: Leaderboard) -> None:
    assert [(table.suite.name, table.weights, len(table.rows)) for table in board.tables] == [
        ("rewardbench", "today", 7),
        ("pairs", None, 2),
    ]
    assert board.tables[1].counted == ()


def test_the_weights_asked_for(runs: Path, tmp_path: Path) -> None:
    board = leaderboard([runs / "old", runs / "run-0"], tmp_path / "site", weights="2024-05")
    assert [row.label for row in board.tables[0].rows] == ["old"]
    assert board.tables[0].rows[0].rank == (1, 1)
    assert board.apart[0].reasons[0].startswith("other weights: today; this leaderboard is of 2024-05")


def test_rulers_are_shown_and_not_ranked(board: Leaderboard) -> None:
    assert set(board.tables[0].reference_lines) == {"longest", "shortest", "random"}
    assert board.tables[0].reference_lines["longest"].overall == 1.0  # "yes" is longer than "no".


def test_prior_sets_are_other_data(runs: Path, data: Path, tmp_path: Path) -> None:
    run = load_run(runs / "fewer")
    whole_run(
        tmp_path / "prior",
        data.parent / "fewer.jsonl",
        "+" * 200,
        "with prior",
        "rewardbench",
        data=replace(run.info.data, added={"include-prior-sets": "abc"}),
    )
    board = leaderboard([runs / "run-0", runs / "run-1", tmp_path / "prior"], tmp_path / "site")
    assert board.apart[0].reasons == (
        "other data: it was scored with --include-prior-sets, the table is of runs with nothing added",
    )


def test_two_runs_of_a_model_on_the_same_day(data: Path, tmp_path: Path) -> None:
    for name in ("a/x", "b/x", "b/y"):
        whole_run(tmp_path / name, data, decisions(0.8, 240, 1), "m", created="2026-11-10T12:00:00+00:00")
    one = leaderboard([tmp_path / "b"], tmp_path / "one")
    assert sorted(row.detail for row in one.tables[0].rows) == ["x", "y"]
    two = leaderboard([tmp_path / "a", tmp_path / "b"], tmp_path / "two")
    assert sorted(row.detail for row in two.tables[0].rows) == [str(tmp_path / each) for each in ("a/x", "b/x", "b/y")]
    again = leaderboard([tmp_path / "a", tmp_path / "a" / "x", tmp_path / "a" / "x" / "run.json"], tmp_path / "three")
    assert len(again.rows) == 1, "a run given twice is one"


# --- what is written --------------------------------------------------------------------------------------------------


def test_files(board: Leaderboard) -> None:
    names = {str(path.relative_to(board.path)) for path in board.path.rglob("*") if path.is_file()}
    assert names == {
        "index.html",
        "suites.csv",
        "leaderboard.csv",
        "leaderboard.json",
        "leaderboard.md",
        *(row.page for row in board.rows),
    }
    assert len(board.rows) == 13


def test_json_has_every_number(board: Leaderboard) -> None:
    document = json.loads((board.path / "leaderboard.json").read_text())
    table = document["tables"][0]
    for row, found in zip(board.tables[0].rows, table["rows"], strict=True):
        assert row.entry.overall is not None
        assert found["overall"] == {
            "accuracy": row.entry.overall.accuracy,
            "low": row.entry.overall.low,
            "high": row.entry.overall.high,
        }
        assert found["rank"] == (list(row.rank) if row.rank else None)
        assert set(found["sections"]) == set(row.entry.sections)
        assert found["origin"] == row.entry.origin
    assert document["pages"] == [row.page for row in board.rows]
    assert "max-t" in document["method"]


def test_csv_and_markdown(board: Leaderboard) -> None:
    rows = list(csv.DictReader((board.path / "leaderboard.csv").open()))
    assert [row["model"] for row in rows[:7]] == [row.entry.model for row in board.tables[0].rows]
    assert rows[0]["rank_first"] == "1"
    overall = board.tables[0].rows[0].entry.overall
    assert overall is not None
    assert float(rows[0]["overall"]) == pytest.approx(100 * overall.accuracy, abs=1e-4)
    assert {row["model"]: row["apart"] for row in rows}["with NaN"] == "1 example has no finite score"
    text = (board.path / "leaderboard.md").read_text()
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert "| 6 | " in text
    assert "- stopped: no finished run" in text


def test_the_same_input_gives_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    paths = [runs / "run-0", runs / "run-1", runs / "run-2"]
    one, two = (leaderboard(paths, tmp_path / name) for name in ("one", "two"))
    for path in one.path.rglob("*.*"):
        assert path.read_bytes() == (two.path / path.relative_to(one.path)).read_bytes()


def test_overwriting_removes_the_pages_of_before_and_nothing_else(runs: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    leaderboard([runs / "run-0", runs / "run-1"], site)
    (site / "models" / "mine.html").write_text("mine")
    with pytest.raises(RunError, match="--overwrite"):
        leaderboard([runs / "run-0"], site)
    document = json.loads((site / "leaderboard.json").read_text())
    document["pages"] += ["../mine", "models/../../x.html", "index.html"]
    (site / "leaderboard.json").write_text(json.dumps(document))
    (tmp_path / "x.html").write_text("x")
    leaderboard([runs / "run-0"], site, overwrite=True)
    assert sorted(path.name for path in (site / "models").iterdir()) == ["mine.html", "org-strong.html"]
    assert (tmp_path / "x.html").exists()


def test_files_of_the_users_are_not_replaced(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(RunError, match=r"holds index\.html, which rmeval did not write and would replace"):
            leaderboard([runs / "run-0"], tmp_path, overwrite=overwrite)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"index.html": "mine"}


def test_a_site_is_written_whole_or_not_at_all(runs: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "models" / "org-strong.html").mkdir(parents=True)
    with pytest.raises(RunError, match=r"holds models/org-strong\.html, which rmeval did not write and would replace"):
        leaderboard([runs / "run-0"], site)
    assert not (site / "index.html").exists()
    assert not list(site.rglob("*.tmp"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="it is a file; --output-dir takes a folder"):
        leaderboard([runs / "run-0"], tmp_path / "file")


NAMED = [
    "../../x",
    "a/b",
    "a b",
    "A/B",
    "con",
    "",
    "…",
    "<script>",
    "\u202eabc",
    "y" * 300,
    "C:\\x",
    ".hidden",
    "ü",
    "a\x00b",
]


def test_names_of_models_are_never_paths(data: Path, tmp_path: Path) -> None:
    for place, name in enumerate(NAMED):
        whole_run(tmp_path / "runs" / str(place), data, decisions(0.8, 240, place), name)
    board = leaderboard([tmp_path / "runs"], tmp_path / "deep" / "site")
    pages = {row.entry.model: row.page for row in board.rows}
    assert len({page.lower() for page in pages.values()}) == len(NAMED)
    assert all(re.fullmatch(r"models/[A-Za-z0-9][A-Za-z0-9._-]{0,90}\.html", page) for page in pages.values())
    assert pages["con"] == "models/model-con.html"
    assert {path.parent for path in tmp_path.rglob("*.html")} == {board.path, board.path / "models"}


def test_a_name_is_no_formula(data: Path, tmp_path: Path) -> None:
    whole_run(tmp_path / "run", data, "+" * 240, "=1+1")
    board = leaderboard([tmp_path / "run"], tmp_path / "site")
    (row,) = csv.DictReader((board.path / "leaderboard.csv").open())
    assert row["model"] == "'=1+1"


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_mistakes(runs: Path, tmp_path: Path) -> None:
    def refused(kind: type[RmevalError], *arguments: object, **options: object) -> str:
        with pytest.raises(kind) as caught:
            leaderboard(*arguments, **options)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
        return str(caught.value)

    site = tmp_path / "site"
    (tmp_path / "empty").mkdir()
    assert "nothing to show" in refused(UsageError, [], site)
    assert "no run in" in refused(UsageError, [tmp_path / "empty"], site)
    assert "no run in" in refused(UsageError, [tmp_path / "gone"], site)
    assert "no run in" in refused(UsageError, [tmp_path / "gone" / "run.json"], site)
    assert "did you mean 'today'?" in refused(UsageError, [runs], site, weights="toady")
    assert "known: today, 2024-05, equal" in refused(UsageError, [runs], site, import_weights="even")
    assert not site.exists()


def test_three_levels_down_is_too_deep(runs: Path, data: Path, tmp_path: Path) -> None:
    whole_run(tmp_path / "a" / "b" / "c" / "run", data, "+" * 240, "m")
    with pytest.raises(UsageError, match="no run in"):
        leaderboard([tmp_path / "a"], tmp_path / "site")
    assert len(leaderboard([tmp_path / "a" / "b"], tmp_path / "site").rows) == 1


def test_progress(runs: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    leaderboard([runs / "run-0", runs / "run-1"], tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def row_lengths(html: str) -> list[set[int]]:
    """How many cells the rows of each table have."""
    tables = re.findall(r"<table.*?</table>", html, re.DOTALL)
    rows = [re.findall(r"<tr.*?</tr>", table, re.DOTALL) for table in tables]
    return [{len(re.findall(r"<t[hd][ >]", row)) for row in own} for own in rows]


def test_every_row_has_a_cell_for_each_column(board: Leaderboard, runs: Path, tmp_path: Path) -> None:
    one = leaderboard([runs / "run-0", runs / "deeper" / "pairs-1"], tmp_path / "one")
    none = leaderboard([runs / "partial", runs / "invalid"], tmp_path / "none")
    for each, tables in ((board, 4), (one, 3), (none, 1)):
        lengths = row_lengths((each.path / "index.html").read_text())
        assert len(lengths) == tables
        assert all(len(own) == 1 for own in lengths)
    assert not none.tables

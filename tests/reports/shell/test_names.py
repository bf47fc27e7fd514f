"""Names from data are data: never a pattern, a path, a format string, markup or a command to the terminal."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from rmeval.cli import _run
from rmeval.records import load_run
from rmeval.reports.shell.names import printable, short

LONG = "x" * 3000
PAIRS = 12
"""Of each name: so many that a fall from all to none is no chance, though 31 names are tested."""
NAMES = (
    "*", "?", "[m]ath", "math", "%s %d %(x)s", "{} {0} {x!r}", "{{ 1+1 }}", "a/b/../../c", "..", "~/.x", "nul\x00l",
    "[red]x[/red] :smile:", "\x1b[31mred", "line\nbreak\r\ttab", "\u202egnihtyna", "=1+1", "<script>alert(1)</script>",
    'a,"b";c', "subset:math:1%", "overall", "a:b", "#2", " lead", "(none)", "$x^2_3$ \\frac", "| pipe `code` |",
    "__proto__", "&amp;", "'; DROP", "日本語", LONG,
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The longest and the shortest answer's runs of some pairs of each name, of which the longest is right always."""
    folder = tmp_path_factory.mktemp("names")
    rows = [
        {"subset": name, "prompt": f"{place} {number}", "chosen": "long", "rejected": "s"}
        for place, name in enumerate(NAMES)
        for number in range(PAIRS)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for line in ("longest", "shortest"):
        made = ["--dataset", str(folder / "rows.jsonl"), "--output-dir", str(folder / line)]
        assert _run(["pairs", "--model", f"baseline:{line}", *made]) == 0
    return folder


def test_every_name_is_a_subset_and_nothing_else(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = load_run(runs / "longest").info.results.subsets
    assert [(name, each.n, each.right) for name, each in results.items()] == [(name, PAIRS, PAIRS) for name in NAMES]
    assert sorted(path.name for path in runs.iterdir()) == ["longest", "rows.jsonl", "shortest"]


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_and_an_option_take_a_name_as_it_is(runs: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--baseline", str(runs / "longest"), "--candidate", str(runs / "shortest")]
    assert _run(["check", *both, "--fail-on", f"subset:{name}:0", "--json"]) == 1
    lines = json.loads(capsys.readouterr().out)["lines"]
    wanted = set(NAMES) if name == "*" else {name}
    assert {each["name"] for each in lines} == wanted
    if name == "nul\x00l":
        return  # No shell can pass it on.
    data = ["--dataset", str(runs / "rows.jsonl"), "--output-dir", str(runs.parent / "only"), "--overwrite", "--json"]
    assert _run(["pairs", "--model", "baseline:longest", "--subset", name, *data]) == 0
    assert set(json.loads(capsys.readouterr().out)["subsets"]) == wanted


def test_the_terminal_shows_names_as_text(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--baseline", str(runs / "longest"), "--candidate", str(runs / "shortest")]
    assert _run(["check", *both, "--fail-on", "subset:*:0"]) == 1
    data = ["--dataset", str(runs / "rows.jsonl"), "--output-dir", str(runs.parent / "again"), "--overwrite"]
    assert _run(["pairs", "--model", "baseline:longest", *data]) == 0
    out = capsys.readouterr().out
    assert not set("\x1b\x00\r\t\u202e") & set(out)
    assert max(map(len, out.splitlines())) < 250
    for name in ("%s %d %(x)s", "{} {0} {x!r}", "{{ 1+1 }}", "[red]x[/red] :smile:", "$x^2_3$ \\frac", "[m]ath"):
        assert f"subset {name} " in out
        assert f"  {name} " in out


def test_pages_and_tables_hold_names_as_text(runs: Path, tmp_path: Path) -> None:
    report = tmp_path / "both.html"
    assert _run(["report", str(runs / "longest"), str(runs / "shortest"), "--output", str(report)]) == 0
    assert (
        _run(["leaderboard", str(runs / "longest"), str(runs / "shortest"), "--output-dir", str(tmp_path / "b")]) == 0
    )
    pages = [report, runs / "longest" / "report.html", *(tmp_path / "b").rglob("*.html")]
    assert len(pages) > 3
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script>alert(1)" not in text
        assert not set("\x1b\x00\u202e") & set(text)
    with (tmp_path / "b" / "leaderboard.csv").open(newline="", encoding="utf-8") as stream:
        assert len({len(row) for row in csv.reader(stream)}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "both.html"]


def test_what_turns_a_line_or_fills_it_is_cut() -> None:
    assert printable("a\u202eb\u2067c\x1bd\u200de") == "a\ufffdb\ufffdc\ufffdd\u200de"  # A joiner of emoji stays.
    assert short("y" * 60) == "y" * 60
    assert short(f"{'a' * 40}{'b' * 40}") == f"{'a' * 30}…{'b' * 29}"

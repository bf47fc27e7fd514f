"""Tables for a terminal: text from outside is printed as text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from rmeval import RunRecord, evaluate
from rmeval.eval.scorers.base import Pointwise
from rmeval.reports.run.console import print_names, print_run
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score

NAMES = ["[bold]x[/bold]", "[/]", "[red]", "\\", "a\\[b]", "[link=https://x.y]z[/link]", ":smile:", "{x}", "%s"]


class Named(Pointwise):
    """Scores nothing of use under any name."""

    def __init__(self, name: str, dtype: str = "float32", device: str = "cpu") -> None:
        self.name, self.dtype, self.device = name, dtype, device

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self.name, "named", "named:1", dtype=self.dtype, device=self.device)

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        return [Score(float(-item.index), 1) for item in conversations]

    def findings(self) -> Sequence[Finding]:
        return [Finding("truncated", "warning", 1, (self.name,))]


def run_named(name: str, folder: Path) -> RunRecord:
    """A run whose model, subset and example are called ``name``."""
    data = folder / "pairs.jsonl"
    data.write_text(json.dumps({"id": name, "subset": name, "prompt": "p", "chosen": "c", "rejected": "r"}) + "\n")
    return evaluate(Named(name), "pairs", dataset=str(data), limit=1)


def printed(run: RunRecord, capsys: pytest.CaptureFixture[str], *, verbose: bool = False) -> str:
    print_run(run, verbose=verbose)
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize("name", NAMES)
def test_markup_in_names_is_text(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_named(name, tmp_path)
    model, *rest = [line for line in printed(run, capsys, verbose=True).splitlines() if name in line]
    assert model.startswith(f"model    {name}")
    assert any(line.startswith(f"  {name} ") for line in rest)  # The subset's row.
    assert any(f"(such as {name})" in line for line in rest)  # The finding's example.


def test_markup_in_how_the_model_ran_is_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_named("x", tmp_path)
    model = Named("x", dtype="[i]d[/i]", device="[/]").info
    assert "([i]d[/i], [/])" in printed(run.with_info(model=model), capsys)


def test_markup_in_reasons_and_paths_is_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_named("x", tmp_path).with_info(partial_reasons=("no [/] here [bold]",))
    assert "partial: no [/] here [bold]; warning: truncated × 1 (--verbose says more)" in printed(run, capsys)
    out = printed(run, capsys, verbose=True)
    assert "partial  no [/] here [bold]" in out
    print_names([("[bold]a[/bold]", "[/]")])
    assert capsys.readouterr().out.split() == ["[bold]a[/bold]", "[/]"]


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_very_long_names(
    columns: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    out = printed(run_named("long-" * 200, tmp_path), capsys)
    assert "long-" in out
    assert "s in all" in out


def test_numbers_are_whole_in_a_terminal_of_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run = evaluate("baseline:longest", "mini")
    out = printed(run, capsys)
    assert "…" not in out
    for name, result in run.info.results.subsets.items():
        (line,) = [line for line in out.splitlines() if line.split()[:1] == [name]]
        assert line.split()[1] == str(result.n)


def test_names_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An escape sequence in a data set's text could recolour, move or rewrite what stands above it."""
    out = printed(run_named("x\x1b[2Jy\rz\x07", tmp_path), capsys, verbose=True)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", out)


def test_a_whole_and_a_partial_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    whole = printed(evaluate("baseline:longest", "mini"), capsys).splitlines()
    assert whole[0] == "rmeval mini (smoke test)"
    assert not [line for line in whole if line.startswith("partial")]
    partial = printed(evaluate("baseline:longest", "mini", limit=3), capsys).splitlines()
    assert partial[0] == "PARTIAL: not an rmeval mini (smoke test) result"
    assert (
        "partial: only the first 3 examples asked for, 7 of 8 subsets missing, 1 short (--verbose says more)" in partial
    )


def test_a_row_shows_the_subsets_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two right of three rows by length, one of them a tie: 1 of 3; Clopper and Pearson's interval is 0.8 to 90.6."""
    rows = [("long one", "short"), ("same", "text"), ("no", "longer")]
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps({"prompt": c, "chosen": c, "rejected": r}) + "\n" for c, r in rows))
    run = evaluate("baseline:longest", "pairs", dataset=str(data))
    out = printed(run, capsys)
    (row,) = [line.split() for line in out.splitlines() if line.startswith("  all")]
    # Nothing is invalid, truncated or undecided, so these have no column. Longest and shortest win one of three each,
    # the coin two: it is the best line.
    assert run.info.results.reference_lines["random"].overall == pytest.approx(2 / 3)
    assert row == ["all", "3", "33.3", "0.8–90.6", "1", "random", "66.7"]


def test_lists_say_what_a_right_example_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the console and in the audit; ready pairs need no such word."""
    data = tmp_path / "lists.jsonl"
    rows = [{"prompt": f"p{i}", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"]} for i in range(2)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = evaluate("baseline:longest", "pairs", dataset=str(data))
    out = printed(run, capsys)
    assert "(2 examples, 3 chosen × 3 rejected: right only if every chosen beats every rejected)" in out
    assert [(each.code, each.severity, each.count) for each in run.info.audit] == [
        ("several-completions", "warning", 2)
    ]
    data.write_text(json.dumps(rows[0]) + "\n" + json.dumps({**rows[1], "chosen": "a"}) + "\n")
    mixed = printed(evaluate("baseline:longest", "pairs", dataset=str(data)), capsys)
    assert "1 to 3 chosen × 3 rejected: right only if" in mixed
    assert "right only if" not in printed(evaluate("baseline:longest", "mini", limit=3), capsys)


def test_scores_without_a_number_are_a_dash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Nothing(Named):
        def score_conversations(
            self, conversations: Sequence[Conversation], progress: Progress | None = None
        ) -> list[Score]:
            return [Score(float("nan"), 1) for _ in conversations]

    data = tmp_path / "pairs.jsonl"
    data.write_text(json.dumps({"prompt": "p", "chosen": "c", "rejected": "r"}) + "\n")
    out = printed(evaluate(Nothing("n"), "pairs", dataset=str(data)), capsys)
    (row,) = [line.split() for line in out.splitlines() if line.startswith("  all")]
    assert row[:5] == ["all", "0", "–", "–", "1"]

"""The plots' numbers on margins and lengths worked out by hand; the browser's tests recompute those of whole runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rmeval import evaluate
from rmeval.eval.scorers.base import Pointwise
from rmeval.reports.run.arrays import RunArrays, run_arrays
from rmeval.reports.run.plots import draw_plots
from rmeval.reports.shell.svg import Plot
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score
from tests.reports.made import write_rows


class Read(Pointwise):
    """Scores an answer by the number that it starts with."""

    info = ModelInfo("read", "classifier", "read")

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        texts = [each.completion[-1].content for each in conversations]
        return [Score(float(text.split()[0]), len(text)) for text in texts]

    def findings(self) -> Sequence[Finding]:
        return ()


def arrays(folder: Path, pairs: Sequence[tuple[str, str]]) -> RunArrays:
    items = [{"prompt": f"q{place}", "chosen": good, "rejected": bad} for place, (good, bad) in enumerate(pairs)]
    return run_arrays(evaluate(Read(), "pairs", dataset=str(write_rows(folder / "rows.jsonl", items))))


def plots(folder: Path, pairs: Sequence[tuple[str, str]], *, line: bool = False) -> dict[str, Plot]:
    return {plot.id: plot for plot in draw_plots(arrays(folder, pairs), reference_line=line)}


def test_an_edge_belongs_to_the_bin_nearer_to_zero(tmp_path: Path) -> None:
    """Differences of 30, 31, -30, -31, 0 and 1,001 characters; the model has the longer answer right."""
    lengths = [(33, 3), (34, 3), (3, 33), (3, 34), (5, 5), (1004, 3)]
    pairs = [(f"1 {'x' * (good - 2)}", f"0 {'x' * (bad - 2)}") for good, bad in lengths]
    found = plots(tmp_path, pairs)["length"]
    assert [(row[0], row[1]) for row in found.rows] == [
        ("−100 to −30", "1"),
        ("−30 to 0", "1"),
        ("0", "1"),
        ("0 to 30", "1"),
        ("30 to 100", "1"),
        ("> 1,000", "1"),
    ]
    assert {row[2] for row in found.rows} == {"100.0"}


def test_margins(tmp_path: Path) -> None:
    found = plots(tmp_path, [("3", "1"), ("1", "1"), ("1", "2")])["margins"]
    assert ("50", "0.0000") in found.rows
    assert "the median is 0.00." in found.text
    assert [label for label, _ in found.legend] == ["correct", "incorrect", "tie"]
    assert 'class="fn"' in found.svg


def test_token_groups_hold_every_example_once(tmp_path: Path) -> None:
    pairs = [(f"1 {'x' * (place % 13)}", "0 y") for place in range(40)]
    rows = plots(tmp_path, pairs)["tokens"].rows
    assert sum(int(row[1]) for row in rows) == 40
    edges = [[int(edge) for edge in row[0].split("–")] for row in rows]
    assert edges == sorted(edges)
    assert edges[0][0] == 3  # "0 y", the longer one where the other is "1 ".
    assert edges[-1][-1] == 14


def test_one_length_is_one_group(tmp_path: Path) -> None:
    (row,) = plots(tmp_path, [("1 a", "0 b"), ("0 a", "1 b")])["tokens"].rows
    assert row[:3] == ("3", "2", "50.0")


def test_rank_correlation(tmp_path: Path) -> None:
    """Longer answers score higher, without exception; with one length there is nothing to correlate."""
    assert "is 1.00." in plots(tmp_path, [("3 ccc", "2 b"), ("4 dddd", "1")])["scores"].text
    assert "correlation" not in plots(tmp_path, [("3 c", "2 b")])["scores"].text


@pytest.mark.parametrize("line", [False, True])
def test_which_plots(line: bool, tmp_path: Path) -> None:
    found = plots(tmp_path, [("2", "1")], line=line)
    assert ("calibration" in found) is not line
    assert list(found)[-3:] == ["length", "tokens", "scores"]


def test_nothing_finite_is_nothing_drawn(tmp_path: Path) -> None:
    assert plots(tmp_path, [("nan", "1")]) == {}

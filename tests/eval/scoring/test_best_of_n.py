from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.data_prep.rows.scorable import ScorableRow, scorable_rows
from rmeval.data_prep.rows.stream import open_source
from rmeval.errors import DataError, UsageError
from rmeval.eval.refine import refine_decisions
from rmeval.eval.scoring.best_of_n import best_decisions
from rmeval.eval.scoring.score import score
from rmeval.types import Conversation, Progress, Score
from tests.support.scoring import ASSISTANT, LONGEST, USER, jsonl, lines, refused


def test_best_and_worst(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "prompt": [USER], "completions": ["xx", [ASSISTANT], "x"], "n": 1},
        {"id": 2, "prompt": "Hi", "completions": ["aa", "bb"]},
        {"id": 3, "prompt": "Hi", "completions": ["a"]},
    ]
    source = jsonl(tmp_path / "in.jsonl", rows)
    done = score(LONGEST, source, tmp_path / "o.jsonl", best=tmp_path / "b.jsonl.gz", limit=3)
    pair = {"chosen": [ASSISTANT], "rejected": "x", "score_chosen": 5.0, "score_rejected": 1.0}
    places = {"index_chosen": 1, "index_rejected": 2}
    assert lines(tmp_path / "b.jsonl.gz") == [{"id": 1, "prompt": [USER], "n": 1, **pair, **places}]
    assert (done.pairs, done.left_out, done.best) == (1, 2, tmp_path / "b.jsonl.gz")


def test_best_needs_completions(tmp_path: Path) -> None:
    source, best = jsonl(tmp_path / "in.jsonl", [{"messages": [USER, ASSISTANT]}]), tmp_path / "b.jsonl"
    assert "--best needs rows with" in refused(UsageError, LONGEST, source, tmp_path / "o.jsonl", best=best)
    jsonl(tmp_path / "in.jsonl", [{"prompt": "a", "completions": ["b"], "chosen": "b"}])
    assert "column 'chosen' already" in refused(DataError, LONGEST, source, tmp_path / "o.jsonl", best=best)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


class Drifting:
    """Exact scores are known; the low ones carry normal errors."""

    can_refine = True

    def __init__(self, exact: Sequence[float], error: float) -> None:
        self.exact = list(exact)
        noise = np.random.default_rng(3).normal(0, error, len(self.exact))
        self.low = [Score(value + float(shift), 1) for value, shift in zip(exact, noise, strict=True)]
        self.asked: list[int] = []

    def rescore(self, conversations: Sequence[Conversation], progress: Progress | None = None) -> list[Score]:
        places = [int(each.completion[0].content) for each in conversations]
        self.asked += places
        return [Score(self.exact[place], 1, refined=True) for place in places]


def test_rounding_picks_no_best_and_no_worst() -> None:
    """Of 200 rows of 4 completions, rounding alone would choose others for several."""
    made = [{"prompt": "Hi", "completions": [str(4 * row + i) for i in range(4)]} for row in range(200)]
    rows = list(scorable_rows_of(made))
    conversations = [each for row in rows for each in row.conversations]
    exact = np.random.default_rng(2).normal(0, 0.3, 800)
    scorer = Drifting(exact.tolist(), error=0.03)
    decisions = best_decisions(rows, scorer.low)
    found = refine_decisions(decisions, conversations, scorer.low, scorer, drift=0.05)

    def choices(values: Sequence[float]) -> list[tuple[int, int]]:
        groups = np.asarray(values).reshape(200, 4)
        return list(zip(groups.argmax(1).tolist(), groups.argmin(1).tolist(), strict=True))

    wrong = sum(a != b for a, b in zip(choices([s.value for s in scorer.low]), choices(exact.tolist()), strict=True))
    assert wrong > 5
    assert choices([score.value for score in found.scores]) == choices(exact.tolist())
    assert len(set(scorer.asked)) == len(scorer.asked) < 800


def test_the_same_text_has_one_score_wherever_it_stands() -> None:
    """Low precision puts 1 above 0 where float32 does not; 0 stands twice in its row, and in another row too."""
    made = [
        {"prompt": "Hi", "completions": ["0", "1", "0", "2"]},
        {"prompt": "Hi", "completions": ["0", "3"]},
        {"prompt": "Ho", "completions": ["0", "3"]},
    ]
    rows = list(scorable_rows_of(made))
    conversations = [each for row in rows for each in row.conversations]
    low = [0.50, 0.51, 0.50, 0.2, 0.50, 0.9, 0.50, 0.9]
    scorer = Drifting([0.52, 0.49, 0.2, 0.9], error=0.0)
    decisions = best_decisions(rows, [Score(value, 1) for value in low])
    found = refine_decisions(decisions, conversations, [Score(value, 1) for value in low], scorer, drift=0.04)
    # The second row is not close, but holds a text that now has its float32 score: all of it must.
    assert [score.value for score in found.scores] == [0.52, 0.49, 0.52, 0.2, 0.52, 0.9, 0.50, 0.9]
    assert [score.refined for score in found.scores] == [True] * 6 + [False] * 2
    assert scorer.asked == [0, 1, 2, 3]  # Each text once.


def test_the_same_text_twice_decides_nothing() -> None:
    rows = list(scorable_rows_of([{"prompt": "Hi", "completions": ["0", "0"]}, {"prompt": "Hi", "completions": ["1"]}]))
    assert best_decisions(rows, [Score(1.0, 1)] * 3) == []


def scorable_rows_of(rows: list[dict[str, Any]]) -> Iterator[ScorableRow]:
    with tempfile.TemporaryDirectory() as folder:
        yield from scorable_rows(open_source(str(jsonl(Path(folder) / "rows.jsonl", rows))))

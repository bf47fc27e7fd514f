"""Refinement against a scorer whose drift is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rmeval.data_prep.rows.examples import conversations
from rmeval.eval.numbers.metrics import compute_results
from rmeval.eval.refine import SPREAD, refine, settle_precision
from rmeval.eval.suites import get_suite
from rmeval.types import Conversation, Example, Message, Progress, Score, ScoredExample


def examples(count: int) -> list[Example]:
    def answer(text: str) -> tuple[Message, ...]:
        return (Message("assistant", text),)

    return [
        Example(str(i), i, "all", (Message("user", f"q{i}"),), (answer("a"),), (answer("b"),)) for i in range(count)
    ]


class Drifting:
    """Exact scores are known; the low ones carry normal errors."""

    can_refine = True
    drift = 0.0

    def __init__(self, exact: Sequence[float], error: float, seed: int) -> None:
        self.exact, self.error = list(exact), error
        noise = np.random.default_rng(seed).normal(0, error, len(self.exact))
        self.low = [Score(value + float(shift), 1) for value, shift in zip(exact, noise, strict=True)]
        self.asked = 0

    def rescore(self, conversations: Sequence[Conversation], progress: Progress | None = None) -> list[Score]:
        self.asked += len(conversations)
        return [Score(self.exact[2 * int(c.example_id) + c.index], 1, refined=True) for c in conversations]


@pytest.mark.parametrize("seed", range(20))
def test_decisions_equal_float32s_at_a_fraction_of_its_cost(seed: int) -> None:
    """The first bound is five times too small here: the loop must find that out by itself."""
    items = examples(400)
    exact = np.random.default_rng(100 + seed).normal(0, 0.3, 800)
    scorer = Drifting(exact.tolist(), error=0.01, seed=seed)
    found = refine(items, conversations(items), scorer.low, scorer, drift=0.014)
    low = np.array([score.value for score in found.scores])
    margins = exact[::2] - exact[1::2]
    decided = low[::2] - low[1::2]
    assert ((decided > 0) == (margins > 0)).all()
    assert scorer.asked == 2 * found.rescored < 300
    # The drift of a margin has a standard deviation of 0.01 x sqrt(2), here estimated from a few dozen.
    assert found.drift is not None
    assert found.drift >= 0.8 * SPREAD * 0.01 * 2**0.5


class Trying(Drifting):
    """Can be tried out before all is scored."""

    gave_up = False

    def try_out(self, conversations: Sequence[Conversation]) -> tuple[list[Score], float | None]:
        self.asked += len(conversations)
        return [self.low[2 * int(c.example_id) + c.index] for c in conversations], 4 * 2**0.5 * self.error

    def use_float32(self) -> None:
        self.gave_up = True


@pytest.mark.parametrize(("error", "count", "expected"), [(0.01, 400, False), (0.2, 400, True), (0.2, 100, False)])
def test_float32_scores_everything_where_low_precision_decides_little(error: float, count: int, expected: bool) -> None:
    """Margins have a standard deviation of 0.42: with errors of 0.2 few are 1.1 apart. 100 are too few to try."""
    items = examples(count)
    scorer = Trying(np.random.default_rng(5).normal(0, 0.3, 2 * count).tolist(), error=error, seed=1)
    settle_precision(items, conversations(items), scorer)
    assert scorer.gave_up is expected
    assert scorer.asked == (64 if count == 400 else 0)


def test_a_drift_that_could_not_be_measured_leaves_no_number_behind() -> None:
    items = examples(3)
    scorer = Drifting([5, 1, 1, 5, 9, 1], error=0.001, seed=0)
    found = refine(items, conversations(items), scorer.low, scorer, drift=float("inf"))
    assert (found.drift, found.rescored) == (None, 3)
    assert [score.value for score in found.scores] == [5, 1, 1, 5, 9, 1]


def test_what_is_far_apart_is_not_looked_at_again() -> None:
    items = examples(3)
    scorer = Drifting([5, 1, 1, 5, 9, 1], error=0.001, seed=0)
    found = refine(items, conversations(items), scorer.low, scorer, drift=0.01)
    assert (scorer.asked, found.rescored) == (0, 0)
    assert found.scores == scorer.low


def test_a_number_that_overflowed_is_looked_at_again() -> None:
    items = examples(1)
    scorer = Drifting([2, 1], error=0.0, seed=0)
    scorer.low = [Score(float("inf"), 1), Score(1.0, 1)]
    found = refine(items, conversations(items), scorer.low, scorer, drift=0.01)
    assert [score.value for score in found.scores] == [2, 1]
    assert all(score.refined for score in found.scores)


def test_undecided_examples_and_the_range_they_leave() -> None:
    def example(name: str, margin: float, *, exact: bool = False) -> ScoredExample:
        return ScoredExample(name, "x", name, (margin,), (0.0,), (1,), (1,), exact=exact)

    scored = [example("a", 1), example("b", 0.05), example("c", -0.05), example("d", -1), example("e", 0, exact=True)]
    results = compute_results(get_suite("pairs"), None, scored, drift=0.1)
    item = results.subsets["x"]
    assert (item.undecided, item.accuracy, item.lowest, item.highest) == (2, 0.4, 0.2, 0.6)
    assert (results.lowest, results.highest) == (0.2, 0.6)
    exact = compute_results(get_suite("pairs"), None, scored, drift=None).subsets["x"]
    assert (exact.undecided, exact.lowest, exact.highest) == (0, 0.4, 0.4)

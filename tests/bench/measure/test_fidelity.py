from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.bench.measure.fidelity import compare_scores
from rmeval.types import Example, Message

WORDS = (Message("assistant", "x"),)


def example(right: int = 1, wrong: int = 1) -> Example:
    return Example("e", 0, "s", (), (WORDS,) * right, (WORDS,) * wrong)


def test_by_hand() -> None:
    exact = np.array([1.0, 0.0, 2.0, 3.0, 5.0, 4.0])
    values = np.array([1.5, 0.0, 2.0, 2.9, 4.0, 4.25])
    found = compare_scores(values, exact, [example()] * 3)
    assert found.scores == 6
    assert found.drift_max == pytest.approx(1.0)
    assert found.drift_mean == pytest.approx((0.5 + 0 + 0 + 0.1 + 1.0 + 0.25) / 6)
    # The third is decided otherwise; the second stays wrong, which is no flip.
    assert (found.decisions, found.flips) == (3, 1)
    # Ranks 2 1 3 4 6 5 and 2 1 3 4 5 6: 1 - 6 * 2 / (6 * 35).
    assert found.rank_correlation == pytest.approx(1 - 12 / 210)


def test_what_float32_cannot_decide_is_no_decision_and_a_new_tie_is_a_flip() -> None:
    exact = np.array([1.0, 1.0, 1.0, 1.000005, 1.0, 2.0])
    values = np.array([1.0, 2.0, 9.0, 1.0, 2.0, 2.0])
    found = compare_scores(values, exact, [example()] * 3)
    assert (found.decisions, found.flips) == (1, 1)


def test_the_worst_right_answer_is_held_against_the_best_wrong_one() -> None:
    exact = np.array([5.0, 3.0, 2.0, 1.0])
    found = compare_scores(np.array([5.0, 3.0, 4.0, 1.0]), exact, [example(2, 2)])
    assert (found.decisions, found.flips) == (1, 1)


def test_a_score_that_is_no_number_is_no_small_drift() -> None:
    found = compare_scores(np.array([np.nan, 0.0]), np.array([1.0, 0.0]), [example()])
    assert (found.drift_max, found.drift_mean, found.decisions, found.flips) == (None, None, 1, 1)


def test_equal_scores_have_no_order() -> None:
    assert compare_scores(np.ones(4), np.arange(4.0)).rank_correlation is None


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=20).filter(lambda values: len(values) % 2 == 0))
def test_the_same_scores_flip_nothing(values: list[float]) -> None:
    scores = np.array(values)
    found = compare_scores(scores, scores, [example()] * (len(values) // 2))
    assert (found.drift_max, found.flips) == (0.0, 0)
    opposite = compare_scores(-scores, scores, [example()] * (len(values) // 2))
    assert opposite.flips == opposite.decisions

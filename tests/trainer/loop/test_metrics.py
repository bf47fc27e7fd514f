from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.eval.numbers.calibration import calibrate
from rmeval.trainer.loop.metrics import pair_metrics


def of(*margins: float) -> dict[str, float]:
    return pair_metrics(np.array(margins, dtype=np.float64))


def test_a_model_that_knows_nothing() -> None:
    found = of(0.0, 0.0)
    assert found["accuracy"] == 0.0  # Ties are wrong.
    assert found["loss"] == pytest.approx(math.log(2))
    assert found["brier"] == pytest.approx(0.25)
    assert found["ece"] == pytest.approx(0)  # Says one half, and a tie holds half.


def test_a_report_says_the_same() -> None:
    """A tie is half of what holds, in both."""
    margins = np.array([0.0, 0.0, 0.1, -0.1, 2.0, 3.0, -1.0])
    report = calibrate(margins)
    assert report is not None
    assert (pair_metrics(margins)["ece"], pair_metrics(margins)["brier"]) == (report.ece, report.brier)


def test_by_hand() -> None:
    # sigmoid(log 3) = 3/4, sigmoid(-log 3) = 1/4, sigmoid(log 9) = 9/10.
    found = of(math.log(3), -math.log(3), math.log(9))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["loss"] == pytest.approx((math.log(4 / 3) + math.log(4) + math.log(10 / 9)) / 3)
    assert found["margin"] == pytest.approx(math.log(9) / 3)
    assert found["brier"] == pytest.approx((1 / 16 + 9 / 16 + 1 / 100) / 3)
    # Two of confidence 3/4, of which one is right; one of 9/10, which is right.
    assert found["ece"] == pytest.approx(2 / 3 * 1 / 4 + 1 / 3 * 1 / 10)


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=40))
def test_calibration_error_written_down_a_second_time(margins: list[float]) -> None:
    bins: dict[int, list[tuple[float, float]]] = {}
    for margin in margins:
        confidence = 1 / (1 + math.exp(-abs(margin)))
        place = min(9, int((confidence - 0.5) * 20))
        bins.setdefault(place, []).append((confidence, 0.5 if margin == 0 else float(margin > 0)))
    expected = sum(
        abs(sum(right for _, right in each) - sum(confidence for confidence, _ in each)) for each in bins.values()
    ) / len(margins)
    assert of(*margins)["ece"] == pytest.approx(expected, abs=1e-9)


def test_large_margins_do_not_overflow() -> None:
    found = of(-1e4, 1e4)
    assert found["loss"] == pytest.approx(5e3)
    assert found["brier"] == pytest.approx(0.5)


def test_what_is_not_finite_makes_every_number_so() -> None:
    assert all(math.isnan(value) for value in of(1.0, math.nan).values())
    assert all(math.isnan(value) for value in of().values())

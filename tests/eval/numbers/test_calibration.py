"""ECE and Brier score, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.eval.numbers.calibration import calibrate

LOGIT_80 = math.log(0.8 / 0.2)


def test_nothing() -> None:
    assert calibrate(np.array([])) is None


def test_as_good_as_it_claims() -> None:
    """Four of five pairs right, each claimed with 80%."""
    found = calibrate(np.array([LOGIT_80] * 4 + [-LOGIT_80]))
    assert found is not None
    assert found.ece == pytest.approx(0, abs=1e-12)
    assert found.brier == pytest.approx((4 * 0.2**2 + 0.8**2) / 5)
    (only,) = found.bins
    assert (only.n, only.accuracy) == (5, 0.8)
    assert only.confidence == pytest.approx(0.8)
    assert only.low < 0.8 < only.high


def test_two_bins_by_hand() -> None:
    """Three right at 80%, one wrong at 95%: (3 · 0.2 + 1 · 0.95) / 4."""
    sure = math.log(0.95 / 0.05) + 1e-9
    found = calibrate(np.array([LOGIT_80, LOGIT_80, LOGIT_80, -sure]))
    assert found is not None
    assert found.ece == pytest.approx((3 * 0.2 + 0.95) / 4, abs=1e-6)
    assert [(each.n, each.accuracy) for each in found.bins] == [(3, 1.0), (1, 0.0)]


def test_a_tie_is_a_coin() -> None:
    found = calibrate(np.array([0.0, 0.0]))
    assert found is not None
    assert (found.ece, found.brier) == (0.0, 0.25)
    assert [(each.n, each.confidence, each.accuracy) for each in found.bins] == [(2, 0.5, 0.5)]


def test_enormous_margins() -> None:
    found = calibrate(np.array([1e308, -1e308, 800.0]))
    assert found is not None
    assert found.brier == pytest.approx(1 / 3)
    assert found.ece == pytest.approx(1 / 3)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=60))
def test_like_plain_sums(margins: list[float]) -> None:
    found = calibrate(np.array(margins))
    assert found is not None
    assert sum(each.n for each in found.bins) == len(margins)
    assert found.brier == pytest.approx(sum((1 - 1 / (1 + math.exp(-m))) ** 2 for m in margins) / len(margins))
    bins: dict[int, list[float]] = {}
    for margin in margins:
        confidence = 1 / (1 + math.exp(-abs(margin)))
        bins.setdefault(min(9, int((confidence - 0.5) / 0.05)), []).append(margin)
    expected = 0.0
    for own in bins.values():
        held = sum(1.0 if m > 0 else 0.5 if m == 0 else 0.0 for m in own)
        expected += abs(held - sum(1 / (1 + math.exp(-abs(m))) for m in own))
    assert found.ece == pytest.approx(expected / len(margins), abs=1e-9)

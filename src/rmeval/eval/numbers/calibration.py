"""Does σ(margin) mean what it says? A reward model of the Bradley–Terry kind claims the right answer with that chance.

Which of two answers is called the right one says nothing, so the claim is folded: a pair's *confidence* is σ(|margin|),
from 0.5 to 1, and it *holds* where the margin is positive; a tie, which claims 0.5, holds half. Expected calibration
error: Naeini, Cooper and Hauskrecht (2015), AAAI, with ten bins of equal width. Brier score: Brier (1950), Monthly
Weather Review 78(1), here the mean of (1 − σ(margin))²; 0.25 at chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmeval.eval.numbers.intervals import wilson

__all__ = ["Bin", "Calibration", "calibrate"]

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The pairs whose confidence lies between two edges; shares of 1."""

    start: float
    end: float
    """Belongs to the bin only in the last one, which ends at 1."""
    n: int
    confidence: float
    """Mean."""
    accuracy: float
    """Share that holds; a tie counts half."""
    low: float
    """Wilson's 95% interval of the accuracy, for ties counted half with the half rounded down."""
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well a model's margins are calibrated."""

    n: int
    ece: float
    """Expected calibration error: the mean over pairs of |accuracy − confidence| of their bin; a share of 1."""
    brier: float
    bins: tuple[Bin, ...]
    """Only bins that hold a pair, ascending."""


def calibrate(margins: NDArray[np.float64]) -> Calibration | None:
    """Return the calibration of pairs' margins, float64 of shape (pairs,), all finite; None where there is none."""
    if not len(margins):
        return None
    size = np.abs(margins)
    confidence = 1 / (1 + np.exp(-size))
    holds = np.where(margins > 0, 1.0, np.where(margins == 0, 0.5, 0.0))
    place = np.minimum((confidence - 0.5) / (0.5 / BINS), BINS - 1).astype(np.int64)
    bins = []
    for number in range(BINS):
        own = place == number
        n = int(own.sum())
        if n:
            held = float(holds[own].sum())
            low, high = wilson(int(held), n)
            start = 0.5 + 0.5 * number / BINS
            bins.append(Bin(start, start + 0.5 / BINS, n, float(confidence[own].mean()), held / n, low, high))
    ece = sum(each.n * abs(each.accuracy - each.confidence) for each in bins) / len(margins)
    # 1 − σ(m) is σ(−m), which loses no digits for large margins.
    chance_wrong = np.where(margins >= 0, np.exp(-size), 1.0) / (1 + np.exp(-size))
    return Calibration(len(margins), ece, float((chance_wrong**2).mean()), tuple(bins))

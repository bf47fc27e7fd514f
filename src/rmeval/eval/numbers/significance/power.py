"""Two models on the same examples: how large a drop the data can detect.

**Smallest detectable drop**: Connor's (1987, Biometrics 43(1)) sample size for McNemar's test, solved for the
difference, with a correction for the steps in which counts move.

The tests themselves are in ``numbers.significance.paired``, the intervals in ``numbers.intervals``;
``tests/slow/test_check_simulation.py`` simulates all of it, and its last result is in ``docs/gate.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist

import numpy as np

from rmeval.eval.numbers.prompts import Prompts

__all__ = ["POWER", "Sample", "power", "smallest_detectable"]

POWER = 0.8
_STEPS = 60
"""Halvings of [0, 1] when a formula is solved for a difference."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How much data a difference rests on, in terms of one subset of single examples with the same variance."""

    size: float
    """The number of examples; smaller than the true one where weights differ or prompts repeat."""
    discordance: float
    """The share of them that flipped."""

    @staticmethod
    def of(prompts: Prompts, weights: Sequence[Fraction], gain: int, loss: int) -> Sample:
        """Return the sample behind a weighted mean; ``gain`` and ``loss`` are the credits that make a flip."""
        unit = np.array([float(weight) for weight in weights]) / prompts.n  # By how much one flip moves the mean.
        size = float(prompts.count @ (prompts.size @ unit) ** 2)
        flips = float(prompts.count @ ((prompts.credit[gain] - prompts.credit[loss]) @ unit) ** 2)
        return Sample(1 / size, flips / size)


def power(sample: Sample, drop: float, alpha: float) -> float:
    """Return the chance that a one-sided test at ``alpha`` finds a true drop.

    Args:
        sample: The data. A drop makes at least as many examples flip as it is large.
        drop: The true drop, between 0 and 1.
        alpha: The level of the test.
    """
    if sample.size < math.log2(1 / alpha):
        return 0.0  # Even if every example became wrong, coins would do as much too often.
    flips = max(sample.discordance, drop)
    normal = NormalDist()
    # Counts of flips move in steps of two (one right, one wrong): half a step is one flip.
    excess = (drop - 1 / sample.size) * math.sqrt(sample.size) + normal.inv_cdf(alpha) * math.sqrt(flips)
    spread = math.sqrt(flips - drop**2)
    if spread == 0:
        return float(excess > 0)
    return normal.cdf(excess / spread)


def smallest_detectable(sample: Sample, alpha: float, chance: float = POWER) -> float | None:
    """Return the smallest drop that a one-sided test finds with that chance; None where it finds none so surely."""
    low, high = 0.0, 1.0
    if power(sample, high, alpha) < chance:
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if power(sample, middle, alpha) < chance:
            low = middle
        else:
            high = middle
    return high

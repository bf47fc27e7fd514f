"""Exact tests that nothing changed: each prompt's change was as likely to go the other way.

**McNemar's** (1947, Psychometrika 12(2)) where all changes are alike, as they are where each prompt has one example and
all count the same: the smaller number of flips is binomial. **The sign-flip test** otherwise (Fisher, 1935, The Design
of Experiments, section 21): of all ways to give each prompt's change a sign, the share whose sum is as small as the
observed one. Its level is exact given the sizes of the changes, whatever made them, so that chance alone fails at most
as often as is promised, with any number of examples, weights and prompts in several subsets.

Sums are of whole numbers. Where there are few different ones all are enumerated; where there are many, the
distribution is computed on a grid (a product of characteristic functions, transformed), with each change rounded to
it, and what rounding may hide is added: p may be larger than the exact one, near 0.05 by less than 0.002, and is never
smaller.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import cache

import numpy as np
from scipy.special import bdtr

__all__ = ["SMALLEST", "mcnemar", "sign_flip"]

SMALLEST = 1e-15
"""What p is not computed below: sums of floats cannot tell smaller ones apart."""
_SUMS = 1 << 16
"""Sums that are enumerated at most."""
_PLACES = (256, 1 << 16, 1 << 21)
"""Places of the grid: so many for each prompt that changed, at least and at most."""
_REACH = 9.0
"""Standard deviations of the sum, in all, that the grid spans where it cannot span everything (Hoeffding, 1963, JASA
58(301): beyond them lies less than 1e-17 of it)."""


def mcnemar(to_right: int, to_wrong: int) -> tuple[float, float]:
    """Return the one-sided exact p of a drop and of a rise as large as the observed one, if nothing changed."""
    flips = to_right + to_wrong
    drop, rise = (float(bdtr(fewer, flips, 0.5)) for fewer in (to_right, to_wrong))
    return max(SMALLEST, drop), max(SMALLEST, rise)


def sign_flip(changes: Mapping[Fraction, int]) -> tuple[float, float]:
    """Return the one-sided exact p of a drop and of a rise as large as the observed one, if nothing changed.

    Args:
        changes: How many prompts changed a number by how much; 0 may be left out.
    """
    sizes: dict[Fraction, int] = {}
    for change, count in changes.items():
        if change and count:
            sizes[abs(change)] = sizes.get(abs(change), 0) + count
    if len(sizes) < 2:
        return mcnemar(
            sum(count for change, count in changes.items() if change > 0),
            sum(count for change, count in changes.items() if change < 0),
        )
    unit = Fraction(1, math.lcm(*(size.denominator for size in sizes)))
    unit *= math.gcd(*(int(size / unit) for size in sizes))
    steps = {int(size / unit): count for size, count in sizes.items()}
    observed = int(sum(change * count for change, count in changes.items()) / unit)
    few = math.prod(count + 1 for count in steps.values()) <= _SUMS
    drop, rise = _enumerated(steps, observed) if few else _on_grid(steps, observed)
    return min(1.0, max(SMALLEST, drop)), min(1.0, max(SMALLEST, rise))


def _enumerated(steps: Mapping[int, int], observed: int) -> tuple[float, float]:
    """Return the chances that the sum is ``observed`` or less, and as much or more: over all sums that there are."""
    whole = sum(step * count for step, count in steps.items())
    kind = np.int64 if whole < 2**62 else object
    sums, chances = np.zeros(1, dtype=kind), np.ones(1)
    for step, count in steps.items():
        own = np.array([step * (2 * heads - count) for heads in range(count + 1)], dtype=kind)
        sums = (sums[:, None] + own).ravel()
        chances = (chances[:, None] * _binomial(count)).ravel()
    below, above = (np.asarray(each, dtype=bool) for each in (sums <= observed, sums >= observed))
    return float(chances[below].sum()), float(chances[above].sum())


def _binomial(count: int) -> np.ndarray:
    """Return the chances of 0 to ``count`` heads in as many tosses."""
    whole = 2**count
    return np.array([math.comb(count, heads) / whole for heads in range(count + 1)])


def _on_grid(steps: Mapping[int, int], observed: int) -> tuple[float, float]:
    """Return the chances that the sum is about ``observed`` or less, and as much or more: none is too small."""
    counts = list(steps.values())
    each, least, most = _PLACES
    places = min(most, 1 << (max(least, each * sum(counts)) - 1).bit_length())
    whole = sum(step * count for step, count in steps.items())
    # One place is one step of 1 where all fit; else all is in units of the largest, for whole numbers may be huge.
    scale = 1 if whole < places else max(steps)
    sizes = [step / scale for step in steps]
    spread = math.sqrt(sum(count * size**2 for size, count in zip(sizes, counts, strict=True)))
    # Each change may be rounded up by half a place: all together must not reach round the circle.
    width = 1.0 if scale == 1 else min(whole / scale, _REACH * spread) / (places - 1 - sum(counts))
    rounded = [round(size / width) for size in sizes]
    hidden = sum(count * abs(size - width * own) for size, own, count in zip(sizes, rounded, counts, strict=True))
    # The sum of signed steps is twice the sum of those that were added, minus all; places are of the latter sum.
    total = sum(own * count for own, count in zip(rounded, counts, strict=True))
    first = total // 2 - places // 2
    chances = np.cumsum(_added(rounded, counts, total - 2 * first, places))
    ends = [math.floor(((x / scale + hidden) / width + total) / 2 + 1e-6) - first for x in (observed, -observed)]
    drop, rise = (float(chances[min(end, places - 1)]) if end >= 0 else 0.0 for end in ends)
    return drop, rise


@cache
def _circle(places: int) -> np.ndarray:
    return np.cos(np.pi * np.arange(2 * places) / places)


def _added(steps: list[int], counts: list[int], turn: int, places: int) -> np.ndarray:
    """Return the distribution of the sum of the steps that fair coins add, on a circle of ``places``.

    Args:
        steps: What heads adds.
        counts: How many coins add it.
        turn: Twice the mean of the sum, counted from the first place.
        places: A power of 2.
    """
    circle = _circle(places)
    order = np.arange(places // 2 + 1, dtype=np.int64)
    chances = np.ones(len(order))
    for step, count in zip(steps, counts, strict=True):
        chances *= circle[order * (step % (2 * places)) % (2 * places)] ** count
    angle = order * (turn % (2 * places)) % (2 * places)
    return np.fft.irfft(chances * np.exp(-1j * np.pi * angle / places), places)

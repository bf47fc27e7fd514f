"""Intervals of accuracies and of differences, made to hold for few examples, few prompts and uneven subsets.

**An accuracy** is a weighted mean of subsets' shares. Its interval is Clopper and Pearson's (1934, Biometrika 26(4))
for a sample of the effective size that has the same variance (Korn and Graubard, 1998, Survey Methodology 24(2)); for
one subset of prompts that do not repeat it is Clopper and Pearson's own. The effective size allows for

- weights: each subset's variance p(1 − p) / (n − 1 + u). Two right and two wrong pseudo-examples (Agresti and Coull,
  1998, The American Statistician 52(2)), shared among the subsets by the part ``u`` that each has in the variance, keep
  a subset that is all right, or nearly so, from having none. Subsets of one example say nothing of their variance: they
  are taken for one subset if there are three, else each has 1/4 at most.
- credits that are not 0 or 1: they vary by another factor than p(1 − p), which is estimated with one more example that
  is wrong under either, so that few credits below 1 do not seem to vary too little.
- prompts that repeat, in one subset or in several: the variance between prompts, which is the bootstrap's in closed
  form (linearised: one residual a prompt over all subsets, each subset's times n / (n − 1)). With it are averaged, by
  the weight of one wrong example, what it is if all of a prompt's examples turn out alike; few prompts also get
  Student's t.
- uneven subsets: a step of the mean, such as one example of five in a section that counts a quarter, may be larger than
  one of the effective size. The difference is a continuity correction of half a step.

**A difference** of two models is the share that became right minus the share that became wrong; its interval takes each
share's distance to its own bound as a standard deviation's multiple (square and add: Newcombe, 1998, Statistics in
Medicine 17(22), method 10; Zou and Donner, 2008, Statistics in Medicine 27(10)), with their correlation where it is
negative, as it is when nothing clusters.

**A share in a drawing** has Wilson's interval, which is quick and needs no prompts.

``tests/slow/test_coverage.py`` simulates the first two; its last result is in ``docs/coverage.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from rmeval.eval.numbers.prompts import Prompts
from rmeval.run_info import Estimate

__all__ = ["CONFIDENCE", "METHOD", "estimate", "limits", "limits_of_difference", "wilson"]

CONFIDENCE = 0.95
METHOD = "Clopper-Pearson at the effective sample size (Korn and Graubard, 1998), clustered by prompt"
"""How an accuracy's interval is made, for records that name it."""
_PSEUDO = 2.0
"""Pseudo-examples that are right, and as many that are wrong."""
_WRONG = 1.0
"""Squared distance from the mean, about, of the one wrong example that is added to credits that are not 0 or 1."""
_POOLED = 3
"""Subsets of one example at least that stand in for each other."""
_FEWEST = 3.0
"""Degrees of freedom at least; with fewer, t would make every interval reach from 0 to 1."""
_TINY = 1e-12


def estimate(prompts: Prompts, weights: Sequence[Fraction], thing: int = 0) -> Estimate:
    """Return a weighted mean of subsets' shares with its 95% interval, which is never a point.

    Args:
        prompts: The examples.
        weights: Of each subset; they add up to 1.
        thing: Which credit.
    """
    low, high = limits(prompts, weights, thing, CONFIDENCE)
    return Estimate(float(prompts.mean(thing, weights)), low, high)


def limits(prompts: Prompts, weights: Sequence[Fraction], thing: int, confidence: float) -> tuple[float, float]:
    """Return the lower and the upper limit of a weighted mean of subsets' shares, within 0 and 1 and holding it."""
    mean = float(prompts.mean(thing, weights))
    point = min(max(mean, 0.0), 1.0)  # A formula of a subset's own may reach beyond, as RewardBench 2's Ties do.
    size, step = _effective(prompts.only(weights), np.array([float(w) for w in weights if w]), thing, confidence)
    right, wrong, tail = size * point, size * (1 - point), (1 - confidence) / 2
    shift = max(0.0, size * step - 1) / 2
    low = 0.0 if right - shift < _TINY else float(betaincinv(right - shift, wrong + shift + 1, tail))
    high = 1.0 if wrong - shift < _TINY else float(betaincinv(right + shift + 1, wrong - shift, 1 - tail))
    return min(low, mean), max(high, mean)


def _effective(prompts: Prompts, weights: NDArray[np.float64], thing: int, confidence: float) -> tuple[float, float]:
    """Return the effective number of examples, and by how much one prompt of the weightier ones moves the mean."""
    n, share = prompts.n, _shares(prompts, thing)
    unit = weights / n
    part = weights * unit / (weights @ unit)
    pseudo = _PSEUDO * part
    smooth = (n * share + pseudo) / (n + 2 * pseudo)
    spread = _spread(prompts, thing)
    variance = smooth * (1 - smooth) * spread / (n - 1 + part)
    alone = n == 1
    if alone.sum() < _POOLED:
        variance[alone] = np.minimum(variance[alone], 0.25)
    else:
        count, own = float(alone.sum()), float(part[alone].sum())
        smooth[alone] = (share[alone].sum() + _PSEUDO * own) / (count + 2 * _PSEUDO * own)
        variance[alone] = smooth[alone] * (1 - smooth[alone]) * count / (count - 1 + own)
    mean = float(weights @ smooth)
    size = mean * (1 - mean) / float(weights**2 @ variance)
    jump = unit * np.sqrt(spread)  # By how much an example of each subset moves the mean where its credit changes.
    step = float(n @ jump**3 / (n @ jump**2))
    if (prompts.size.sum(axis=1) > 1).any():
        effect, step = _repeats(prompts, weights, thing, step, confidence)
        size /= effect
    return size, step


def _shares(prompts: Prompts, thing: int) -> NDArray[np.float64]:
    """Return each subset's mean, within 0 and 1."""
    return (prompts.total(thing) / prompts.n).clip(0, 1)


def _spread(prompts: Prompts, thing: int) -> NDArray[np.float64]:
    """Return how many times the variance p(1 − p) credits have in each subset: 1 where each is 0 or 1."""
    n, total, square = prompts.n, prompts.total(thing), prompts.square[thing]
    smooth = (n * _shares(prompts, thing) + _PSEUDO) / (n + 2 * _PSEUDO)
    own = smooth * (1 - smooth)
    found = (np.maximum(square - total**2 / n, 0) + _WRONG) / (n * own + _WRONG)
    return np.where(square == total, 1.0, found)


def _repeats(
    prompts: Prompts, weights: NDArray[np.float64], thing: int, step: float, confidence: float
) -> tuple[float, float]:
    """Return what prompts that repeat make of the variance and of the steps in which the mean moves.

    Args:
        prompts: The examples.
        weights: Of each subset; none is 0.
        thing: Which credit.
        step: By how much one of the weightier examples moves the mean.
        confidence: Of the interval.

    Returns:
        How many times larger the variance is, at least 1, with Student's t in it; and by how much one of the weightier
        prompts moves the mean, as far as its examples turn out alike.
    """
    n, share = prompts.n, prompts.total(thing) / prompts.n
    unit, count = weights / n, prompts.count
    clusters = n**2 / (count @ prompts.size**2)
    unbiased = np.where(clusters > 1, np.sqrt(clusters / np.maximum(clusters - 1, _TINY)), 1.0)
    residual = (prompts.credit[thing] - share * prompts.size) @ (unit * unbiased)
    between = float(count @ residual**2)
    binomial = share.clip(0, 1) * (1 - share.clip(0, 1)) * _spread(prompts, thing)
    alone = float((weights * unit * binomial * n / np.maximum(n - 1, 1)).sum())
    reach = prompts.size @ unit  # By how much a whole prompt moves the mean.
    square = float(count @ reach**2)
    most = square / float(weights @ unit)  # If all of a prompt's examples turned out alike.
    one = float(weights @ unit) / float(n.sum())
    effective = square**2 / float(count @ reach**4)  # Prompts.
    trust = 1 - effective**-2  # One prompt says nothing of how prompts vary.
    effect = max(1.0, trust * (between + one * most) / (alone + one) + (1 - trust) * most)
    alike = min(1.0, (effect - 1) / max(most - 1, _TINY))
    jump = prompts.size @ (unit * np.sqrt(_spread(prompts, thing)))
    whole = float(count @ jump**3) / float(count @ jump**2)
    student = stdtrit(max(_FEWEST, effective - 1), 0.5 + confidence / 2) / ndtri(0.5 + confidence / 2)
    return effect * float(student) ** 2, step + alike * (whole - step)


def limits_of_difference(
    prompts: Prompts, weights: Sequence[Fraction], gain: int, loss: int, confidence: float
) -> tuple[float, float]:
    """Return the lower and the upper limit of one share minus another.

    Args:
        prompts: The examples.
        weights: Of each subset; they add up to 1.
        gain: Which credit is the share that counts up.
        loss: Which one counts down; no example has both.
        confidence: Of both limits together.
    """
    up, down = float(prompts.mean(gain, weights)), float(prompts.mean(loss, weights))
    up_low, up_high = limits(prompts, weights, gain, confidence)
    down_low, down_high = limits(prompts, weights, loss, confidence)
    together = _correlation(prompts, weights, gain, loss)
    low = up - down - _root(up - up_low, down_high - down, together)
    high = up - down + _root(up_high - up, down - down_low, together)
    return max(-1.0, low), min(1.0, high)


def _root(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def _correlation(prompts: Prompts, weights: Sequence[Fraction], gain: int, loss: int) -> float:
    """Return the correlation of two shares where it is negative, else 0, which is the wider."""
    unit = np.array([float(weight) for weight in weights]) / prompts.n
    up, down = (
        (prompts.credit[thing] - prompts.total(thing) / prompts.n * prompts.size) @ unit for thing in (gain, loss)
    )
    spread = math.sqrt(float(prompts.count @ up**2) * float(prompts.count @ down**2))
    return max(-1.0, min(0.0, float(prompts.count @ (up * down)) / spread)) if spread > 0 else 0.0


def wilson(right: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return Wilson's score interval for ``right`` successes in ``n`` trials (Wilson, 1927, JASA 22(158)).

    Raises:
        ValueError: if ``n`` is not positive or ``right`` is not between 0 and ``n``.
    """
    if not 0 <= right <= n or n == 0:
        raise ValueError(f"need 0 <= right <= n and n > 0, got right={right}, n={n}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = right / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The bound at an extreme is exactly 0 or 1 on paper; rounding must not push it past.
    low = 0.0 if right == 0 else (centre - spread) / scale
    high = 1.0 if right == n else (centre + spread) / scale
    return low, high

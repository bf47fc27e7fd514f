"""Statistics of two models on the same examples: intervals, tests, and what the data could have shown.

All of it reads one thing: by how much each cluster (the examples of a subset with the same prompt, whose outcomes are
not independent) changed. A subset's change is a mean over its examples; sections and the overall number are weighted
means of their subsets'.

**Bootstrap**, for every interval and for the p of sections and of the overall number: the Bayesian bootstrap over
clusters within subsets, as for one model (``rmeval.eval.statistics``), with one pseudo-cluster that became right and
one that became wrong, shared among the subsets by weight. These are what Bonett and Price (2012, Journal of
Educational and Behavioral Statistics 37(4)) add to the two counts of flips; they keep an interval from being a point
where nothing flipped. The p is the share of draws on the other side of 0, so it says what the interval says. In one
subset of single examples it is that of a Beta(c + 1, b + 1) below one half, which is McNemar's mid-p (Fagerland,
Lydersen and Laake, 2013, BMC Medical Research Methodology 13(91)).

**McNemar's exact test** (1947, Psychometrika 12(2)), for the p of subsets: if nothing changed, a flip was as likely to
go the other way. Flips of examples that share a prompt turn together, as one coin.

**Smallest detectable drop**: Connor's (1987, Biometrics 43(1)) sample size for McNemar's test, solved for the
difference, with a correction for the steps in which counts move.

``tests/slow/test_check_simulation.py`` simulates all of it; its last result is in ``docs/gate.md``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rmeval.eval.statistics import DRAWS

__all__ = [
    "POWER",
    "Pairs",
    "Part",
    "Sample",
    "Subset",
    "bootstrap",
    "difference",
    "generator",
    "holm",
    "mcnemar",
    "power",
    "smallest_detectable",
    "tails",
]

POWER = 0.8
_STEPS = 60
"""Halvings of [0, 1] when a formula is solved for a difference."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """One subset's outcomes under two models. Clusters that look alike are counted, not listed.

    The arrays are float64 of shape (kinds of clusters,).
    """

    change: NDArray[np.float64]
    """Examples that became right in such a cluster minus those that became wrong."""
    size: NDArray[np.float64]
    """Examples in such a cluster."""
    count: NDArray[np.float64]
    """Clusters of that kind."""

    @staticmethod
    def of(baseline: Sequence[bool], candidate: Sequence[bool], cluster: Sequence[str]) -> Pairs:
        """Pair the outcomes of the same examples.

        Raises:
            ValueError: if there is no example or the sequences differ in length.
        """
        if not cluster:
            raise ValueError("no examples")
        place: dict[str, int] = {}
        index = [place.setdefault(name, len(place)) for name in cluster]
        flips = np.asarray(candidate, dtype=np.int64) - np.asarray(baseline, dtype=np.int64)
        change = np.bincount(index, weights=flips)
        kinds, count = np.unique(np.stack([change, np.bincount(index)]), axis=1, return_counts=True)
        return Pairs(kinds[0], kinds[1], count.astype(np.float64))

    @property
    def n(self) -> float:
        """Examples."""
        return float(self.count @ self.size)

    @property
    def difference(self) -> float:
        """The candidate's accuracy minus the baseline's."""
        return float(self.count @ self.change) / self.n


@dataclass(frozen=True, slots=True)
class Subset:
    """A subset's pairs, and what the bootstrap made of them; both arrays are float64 of shape (draws,)."""

    pairs: Pairs
    change: NDArray[np.float64]
    """In each draw, the sum of the clusters' changes, each times its weight."""
    size: NDArray[np.float64]
    """In each draw, the sum of the clusters' sizes, each times its weight."""

    @staticmethod
    def draw(pairs: Pairs, seed: str, draws: int = DRAWS) -> Subset:
        """Give every cluster a weight from Exp(1), ``draws`` times."""
        # A sum of such weights, one for each cluster of a kind, is Gamma(count).
        weights = generator(seed).standard_gamma(pairs.count, (draws, len(pairs.count)))
        return Subset(pairs, weights @ pairs.change, weights @ pairs.size)


@dataclass(frozen=True, slots=True)
class Part:
    """A subset's part in a number."""

    weight: float
    """Its weight in the mean; the weights of a number's parts add up to 1."""
    subset: Subset

    @property
    def pairs(self) -> Pairs:
        """The subset's pairs."""
        return self.subset.pairs


def difference(parts: Sequence[Part]) -> float:
    """Return the weighted mean of the subsets' differences."""
    return math.fsum(part.weight * part.pairs.difference for part in parts)


def bootstrap(parts: Sequence[Part], seed: str) -> NDArray[np.float64]:
    """Draw a number's difference: float64 of shape (draws,), with the observed difference as their mean."""
    random = generator(seed)
    drawn = np.full(len(parts[0].subset.size), difference(parts))
    together = _flips_together(parts)
    for part in parts:
        subset, clusters = part.subset, part.pairs.count.sum()
        right, wrong = together * random.standard_gamma(part.weight, (2, len(drawn)))
        mean = (subset.change + right - wrong) / (subset.size + right + wrong)
        # The Bayesian bootstrap's variance has K + 1 below the line where an unbiased one has K - 1.
        scale = math.sqrt((clusters + 1) / max(clusters - 1, 1))
        drawn += part.weight * scale * (mean - mean.mean())
    clipped: NDArray[np.float64] = np.clip(drawn, -1.0, 1.0)
    return clipped


def _flips_together(parts: Sequence[Part]) -> float:
    """Return how many flips a pseudo-cluster makes: 1 where examples flip alone, a cluster's size where all flip."""
    flips = sum(float(part.pairs.count @ np.abs(part.pairs.change)) for part in parts)
    squares = sum(float(part.pairs.count @ part.pairs.change**2) for part in parts)
    return squares / flips if flips else 1.0


def tails(draws: NDArray[np.float64], at: float = 0.0) -> tuple[float, float]:
    """Return the one-sided p of a drop below ``at``, and of a rise above it: the shares of draws on the other side."""
    # One more draw than there are, on the other side: a p is never 0 (Phipson and Smyth, 2010, SAGMB 9(1)).
    above, below = int(np.count_nonzero(draws >= at)), int(np.count_nonzero(draws <= at))
    return (above + 1) / (len(draws) + 1), (below + 1) / (len(draws) + 1)


def mcnemar(pairs: Pairs) -> tuple[float, float]:
    """Return the one-sided exact p of a drop and of a rise as large as the observed one, if nothing changed."""
    chances = np.ones(1)
    for size, count in _coins(pairs).items():
        steps = np.zeros(2 * size * count + 1)
        steps[:: 2 * size] = list(_binomial(count))
        chances = np.convolve(chances, steps)
    observed = len(chances) // 2 + round(float(pairs.count @ pairs.change))
    return min(1.0, float(chances[: observed + 1].sum())), min(1.0, float(chances[observed:].sum()))


def _coins(pairs: Pairs) -> dict[int, int]:
    """Return how many clusters changed by one flip, by two, and so on, either way."""
    coins: dict[int, int] = {}
    for change, count in zip(pairs.change, pairs.count, strict=True):
        if change:
            coins[abs(int(change))] = coins.get(abs(int(change)), 0) + int(count)
    return coins


def _binomial(n: int) -> Iterator[float]:
    """Return the chances of 0 to ``n`` heads in ``n`` tosses: from whole numbers, so that no tail is lost."""
    ways, whole = 1, 2**n
    for heads in range(n + 1):
        yield ways / whole
        ways = ways * (n - heads) // (heads + 1)


@dataclass(frozen=True, slots=True)
class Sample:
    """How much data a difference rests on, in terms of one subset of single examples with the same variance."""

    size: float
    """The number of examples; smaller than the true one where weights differ or prompts repeat."""
    discordance: float
    """The share of them that flipped."""

    @staticmethod
    def of(parts: Sequence[Part]) -> Sample:
        """Return the sample behind a weighted mean."""
        size = flips = 0.0
        for part in parts:
            pairs, unit = part.pairs, part.weight / part.pairs.n  # By how much one flip moves the mean.
            size += unit**2 * float(pairs.count @ pairs.size**2)
            flips += unit**2 * float(pairs.count @ pairs.change**2)
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


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p, in the order given (Holm, 1979, Scandinavian Journal of Statistics 6(2))."""
    adjusted = [1.0] * len(p)
    floor = 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        floor = max(floor, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = floor
    return adjusted


def generator(seed: str) -> np.random.Generator:
    """Return the stream of random numbers of a text."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:16], "big"))

"""Intervals for accuracies.

Subsets get Wilson's score interval. Weighted means of subsets (sections, the overall number) and differences between
two models get one bootstrap: the Bayesian bootstrap (Rubin, 1981, The Annals of Statistics 9(1)) over clusters.
Instead of drawing clusters with replacement it draws a weight from Exp(1) for each. Examples with the same prompt
form a cluster, because their outcomes are not independent; clusters are drawn within their subset, because the
benchmark fixes how many rows a subset has.

Each subset also gets half a pseudo-cluster that is right and half a one that is wrong. Where every cluster has one
example this makes a subset's draws exactly Beta(k + 1/2, n - k + 1/2), Jeffreys' posterior (Brown, Cai and DasGupta,
2001, Statistical Science 16(2)), which does not collapse to a point even where everything is right. It pulls a subset
towards one half by up to 1 / (2n + 2), and over the subsets of a section such pulls add up faster than the noise
does; so the draws are shifted to have the observed accuracy as their mean. ``tests/slow/test_coverage.py`` simulates
the coverage; its last result is in ``docs/coverage.md``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rmeval.types import Estimate

CONFIDENCE = 0.95
DRAWS = 10_000
_CHUNK = 1_000
"""Draws made at a time: bounds memory at 1,000 x clusters of a subset."""


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


@dataclass(frozen=True, slots=True)
class Clusters:
    """One subset's outcomes, summed by cluster; both arrays are float64 of shape (clusters,)."""

    right: NDArray[np.float64]
    size: NDArray[np.float64]

    @staticmethod
    def of(right: Sequence[bool], cluster: Sequence[str]) -> Clusters:
        """Sum outcomes by cluster, clusters in order of first appearance.

        Raises:
            ValueError: if the two sequences differ in length.
        """
        place: dict[str, int] = {}
        index = [place.setdefault(name, len(place)) for name in cluster]
        return Clusters(
            right=np.bincount(index, weights=np.asarray(right, dtype=np.float64), minlength=len(place)).astype(
                np.float64
            ),
            size=np.bincount(index, minlength=len(place)).astype(np.float64),
        )


def bootstrap_subset(name: str, clusters: Clusters, seed: int, draws: int = DRAWS) -> NDArray[np.float64]:
    """Draw a subset's accuracy ``draws`` times: float64 of shape (draws,), with the observed accuracy as their mean.

    The stream depends on the seed and on the subset's name alone, so that adding a subset moves no other's draws.
    """
    digest = hashlib.sha256(f"{seed}\x1f{name}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:16], "big"))
    parts = []
    for start in range(0, draws, _CHUNK):
        count = min(_CHUNK, draws - start)
        weights = generator.standard_exponential((count, len(clusters.size)))
        pseudo = generator.standard_gamma(0.5, (count, 2))
        # A pseudo-cluster is as large as a mean cluster, so that clustering does not change what "half a one" means.
        pseudo *= clusters.size.mean()
        right = weights @ clusters.right + pseudo[:, 0]
        parts.append(right / (weights @ clusters.size + pseudo.sum(axis=1)))
    drawn: NDArray[np.float64] = np.concatenate(parts)
    centred: NDArray[np.float64] = drawn - drawn.mean() + clusters.right.sum() / clusters.size.sum()
    return centred


def weighted_mean(values: Mapping[str, float], weights: Mapping[str, float]) -> float | None:
    """Return the weighted mean over the names in both; None where there are none."""
    names = [name for name in weights if name in values]
    total = sum(weights[name] for name in names)
    return sum(values[name] * weights[name] for name in names) / total if total else None


def interval(point: float, draws: NDArray[np.float64], confidence: float = CONFIDENCE) -> Estimate:
    """Return the point with the percentile interval of its draws, kept within 0 and 1 and holding the point."""
    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Estimate(accuracy=point, low=max(0.0, min(float(low), point)), high=min(1.0, max(float(high), point)))

"""Wilson's interval of a share, for drawings. Results have ``rmeval.eval.numbers.intervals``."""

from __future__ import annotations

import math
from statistics import NormalDist

from rmeval.eval.numbers.intervals import CONFIDENCE

__all__ = ["wilson"]


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

"""Many tests at once: Holm's adjustment, which keeps the chance of any false alarm at the level of one test."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["holm"]


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p, in the order given (Holm, 1979, Scandinavian Journal of Statistics 6(2))."""
    adjusted = [1.0] * len(p)
    floor = 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        floor = max(floor, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = floor
    return adjusted

"""How far low precision moves a margin: measured on a few conversations whose float32 scores are remembered."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from rmeval.data_prep.text.encode import Encoded
from rmeval.eval.engine.packed import Values

_ROWS = 12
"""Conversations, spread over the set, that the drift is measured on beside the self-check's."""


class Drift:
    """What is known of the drift of one model."""

    def __init__(self) -> None:
        self._exact: dict[bytes, float] = {}
        """Float32 scores of the samples that it is measured on, by token ids."""
        self.low: float | None = None
        """Bound on a margin's drift where float32 does not fit; None where it was not measured."""

    def unknown(self, sample: Sequence[Encoded]) -> list[Encoded]:
        """Return those whose float32 scores are not remembered."""
        return [item for item in sample if item.ids.tobytes() not in self._exact]

    def remember(self, sample: Sequence[Encoded], exact: Values) -> None:
        """Remember float32 scores."""
        self._exact.update((item.ids.tobytes(), float(value)) for item, value in zip(sample, exact, strict=True))

    def bound(self, sample: Sequence[Encoded], values: Values) -> float:
        """Bound the drift by that of a sample, all of it remembered: see ``margin_bound``."""
        return margin_bound(self.moved(sample, values))

    def moved(self, sample: Sequence[Encoded], values: Values) -> Values:
        """Return how far scores of a sample, all of it remembered, are from float32's."""
        exact: Values = np.array([self._exact[item.ids.tobytes()] for item in sample], dtype=np.float64)
        return values - exact


def spread_rows(count: int, without: Collection[int]) -> list[int]:
    """Return a few places at even steps through a set of ``count``, ascending."""
    return sorted({place * count // _ROWS for place in range(_ROWS)} - set(without))


def margin_bound(moved: Values) -> float:
    """Bound the drift of a difference of two scores from a sample of the drifts of scores.

    What all scores drift by together moves no difference, so it does not count. Infinite for fewer than two numbers.
    """
    moved = moved[np.isfinite(moved)]
    if len(moved) < 2:
        return math.inf
    return max(4 * math.sqrt(2 * float(np.var(moved, ddof=1))), 1.5 * float(np.ptp(moved)))

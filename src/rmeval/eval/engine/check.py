"""What the engine checks itself on, and what it makes of the differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rmeval.eval.engine.packed import Values
from rmeval.eval.engine.plan import Ids

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

CHECK_BOUND = {"packed": 1e-4, "packed-compiled": 1e-4, "plain": 1e-5, "plain-single": 1e-5}
"""Largest difference of a way from the model's own unpadded forward, in float32, relative to max(1, |score|)."""
LOW_CHECK_BOUND = 0.1
"""The same where float32 does not fit and both are in low precision."""
_CHECKED = 4
"""Sequences of the self-check beside the longest and those beyond attention windows."""
_OF_SPREAD = 1e-4
"""Largest difference allowed, relative to how far the scores themselves lie apart."""
_LEAST_SPREAD = 0.1
"""Scores that hardly differ are taken to lie this share of their size apart: below it, rounding would decide."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two ways to compute the same scores lie apart."""

    relative: float
    """Largest difference relative to max(1, |score|); infinite where only one of the two is a number."""
    of_spread: float
    """Largest difference relative to the spread of the scores, so that scores of any unit are held to the same."""

    def holds(self, bound: float, of_spread: float = _OF_SPREAD) -> bool:
        """True where the difference is within ``bound``, and small beside what the scores differ by."""
        return self.relative <= bound and self.of_spread <= of_spread


def agreement(values: Values, own: Values) -> Agreement:
    """Compare scores with those of the model's own forward, both of shape (sequences,)."""
    numbers = np.isfinite(own)
    if (np.isfinite(values) != numbers).any():
        return Agreement(math.inf, math.inf)
    difference, exact = np.abs(values - own)[numbers], own[numbers]
    if not difference.size or not difference.any():
        return Agreement(0.0, 0.0)
    spread = max(float(np.ptp(exact)), _LEAST_SPREAD * float(np.abs(exact).max()))
    relative = float(np.max(difference / np.maximum(1, np.abs(exact))))
    return Agreement(relative, float(difference.max()) / spread if spread else math.inf)


def holds(found: Agreement, path: str, *, exact: bool) -> bool:
    """Return whether a way may be trusted that lies so far from the model's own forward; ``exact`` is for float32."""
    return found.holds(CHECK_BOUND[path]) if exact else found.holds(LOW_CHECK_BOUND, of_spread=1.0)


def check_sample(sequences: Sequence[Ids], windows: Sequence[int], *, spread: int = 0) -> list[int]:
    """Choose what the self-check scores: the longest, the shortest beyond each attention window, a few between.

    Args:
        sequences: Token ids of the whole set.
        windows: Lengths in tokens beyond which the model computes otherwise, such as its attention windows.
        spread: So many more, of lengths at even steps from the shortest to the longest.

    Returns:
        Places in ``sequences``, ascending.
    """
    order = sorted(range(len(sequences)), key=lambda place: (len(sequences[place]), place))
    chosen = {order[-1]}
    for window in windows:
        beyond = [place for place in order if len(sequences[place]) > window]
        chosen.update(beyond[:1])
    # The lower half of the lengths costs little and varies in all else.
    half = order[: max(1, len(order) // 2)]
    chosen.update(half[i * len(half) // _CHECKED] for i in range(_CHECKED))
    chosen.update(order[i * len(order) // spread] for i in range(spread))
    return sorted(chosen)


def rope_break(config: PreTrainedConfig) -> int | None:
    """Return the length in tokens up to which a batch is turned by one set of rotary factors, beyond it by another.

    LongRoPE (Phi 3 and later) picks the set by the longest row of a batch, for all its rows.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") != "longrope":
        return None
    original: int | None = rope.get("original_max_position_embeddings")
    return original or getattr(config, "original_max_position_embeddings", None)


def lengths_that_matter(config: PreTrainedConfig) -> list[int]:
    """Return the lengths in tokens beyond which a model computes otherwise, as far as its configuration tells."""
    window: int | None = getattr(config, "sliding_window", None)
    return [length for length in (window, rope_break(config)) if length]

"""What to compute, decided before anything runs: no torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Plan:
    """Batches of distinct sequences, and how to get back to the sequences as given."""

    batches: tuple[tuple[int, ...], ...]
    """Places of distinct sequences in the input, longest first, so that a lack of memory shows at the start."""
    source: tuple[int, ...]
    """For each sequence given, the place of the first one equal to it."""


def plan_batches(sequences: Sequence[Ids], *, batch_size: int | None, token_budget: int) -> Plan:
    """Group distinct sequences of like length.

    Args:
        sequences: Token ids, each of shape (tokens,).
        batch_size: Sequences a batch; None to fill each batch up to ``token_budget``.
        token_budget: Most tokens a batch may have, padding counted, where ``batch_size`` is None.
    """
    first: dict[bytes, int] = {}
    source = tuple(first.setdefault(ids.tobytes(), place) for place, ids in enumerate(sequences))
    order = sorted(first.values(), key=lambda place: (-len(sequences[place]), place))
    batches: list[tuple[int, ...]] = []
    start = 0
    while start < len(order):
        longest = len(sequences[order[start]])
        size = batch_size or max(1, token_budget // longest)
        batches.append(tuple(order[start : start + size]))
        start += size
    return Plan(tuple(batches), source)

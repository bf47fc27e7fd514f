"""Reference lines: what a number must be held against, drawn beside every one. They read nothing.

``longest`` and ``shortest`` count the characters of a completion; ``random`` hashes seed and place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["PREFIX", "REFERENCE_LINES", "ReferenceLine"]

PREFIX = "baseline:"
"""Before the name of one that is asked for as a model."""

ReferenceLine: TypeAlias = Callable[[int, str, int, int], float]
"""(seed, example id, place of the completion in its example, characters of the completion) -> score."""


def _random(seed: int, example_id: str, index: int, chars: int) -> float:
    digest = hashlib.sha256(f"{seed}\x1f{example_id}\x1f{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


REFERENCE_LINES: dict[str, ReferenceLine] = {
    "longest": lambda seed, example_id, index, chars: float(chars),
    "shortest": lambda seed, example_id, index, chars: float(-chars),
    "random": _random,
}

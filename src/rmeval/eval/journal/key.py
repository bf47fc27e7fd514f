"""The journal key: the name of a score, from everything that decides it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SCORING_VERSION", "answer_key", "key"]

SCORING_VERSION = 3
"""Part of every key; raise it by hand with any change to what a score is (encoding, pooling, precision, kernels)."""


def key(context: str, ids: NDArray[np.int32], pooled: int) -> bytes:
    """Return the name of a score: the whole sha256 (32 bytes) of all that decides it.

    That is: token ids, int32 of shape (tokens,); the position of the token the score is read from; and in ``context``
    all the rest: model fingerprint, dtype, device kind, path, …
    """
    head = f"{SCORING_VERSION}\0{len(context)}\0{context}\0{pooled}\0".encode("utf-8", "surrogatepass")
    return hashlib.sha256(head + ids.astype("<i4", copy=False).tobytes()).digest()


def answer_key(model: Sequence[object], asked: Mapping[str, object]) -> bytes:
    """Return the name of an answer of a kind that has no token ids: the sha256 of all that decides it.

    Args:
        model: What tells models apart; JSON can say it, ``SCORING_VERSION`` included.
        asked: The request, as JSON can say it.
    """
    return hashlib.sha256(json.dumps([model, asked], sort_keys=True).encode()).digest()

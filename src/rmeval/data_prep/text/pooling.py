"""Pooling: which token's output gives the score of a decoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["pooled_position"]


def pooled_position(ids: NDArray[np.int32], pad_token_id: int | None) -> int:
    """Return the position whose output a decoder classifier scores, as its own unpadded forward picks it.

    That is the rightmost token that is not the pad token; the last one where the model has no pad token, and the first
    where all are pad tokens (``transformers``' ``GenericForSequenceClassification``).
    """
    if pad_token_id is None:
        return len(ids) - 1
    others = np.flatnonzero(ids != pad_token_id)
    return int(others[-1]) if len(others) else 0

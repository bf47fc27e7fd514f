"""Pooling: which token's output gives the score of a decoder, and which one a gate beside it reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["GateToken", "pooled_position"]


def pooled_position(ids: NDArray[np.int32], pad_token_id: int | None) -> int:
    """Return the position whose output a decoder classifier scores, as its own unpadded forward picks it.

    That is the rightmost token that is not the pad token; the last one where the model has no pad token, and the first
    where all are pad tokens (``transformers``' ``GenericForSequenceClassification``).
    """
    if pad_token_id is None:
        return len(ids) - 1
    others = np.flatnonzero(ids != pad_token_id)
    return int(others[-1]) if len(others) else 0


@dataclass(frozen=True, slots=True)
class GateToken:
    """Where a gating network reads: at the end of the turn before the assistant's last one."""

    pattern: tuple[int, ...]
    """Token ids from the end of that turn to the end of the assistant's header; the first of them is read."""
    opens: int
    """The token id that begins the header of a turn."""

    def position(self, ids: NDArray[np.integer]) -> int | None:
        """Return where the pattern begins for the last time in token ids of shape (tokens,); None if it is not there.

        None also where another turn begins behind it: then the last header became other tokens, as where an answer
        begins with a line break, and an earlier turn would be read in its place.
        """
        size = len(self.pattern)
        if len(ids) < size:
            return None
        found = np.flatnonzero((np.lib.stride_tricks.sliding_window_view(ids, size) == self.pattern).all(axis=1))
        if not len(found):
            return None
        last = int(found[-1])
        return None if (ids[last + size :] == self.opens).any() else last

"""Texts as sets of hashed word shingles, and which of these say nothing of a text because too many others have them.

A template that many prompts are made with is no reason to call two of them near-duplicates: what they fill it with is.
A shingle is *common* where more than ``may_share`` texts have it; a text more than 60% of whose shingles are
common is *templated*, or more than a third where 20 others are left to judge by, and only its other ones, its own, are
compared. A templated text that has none of its own is compared as it is. Two texts that are not templated are similar
by their template alone by at most 0.6 / 1.4 = 0.43, which makes few of them candidates.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmeval.types import Progress

__all__ = ["SHINGLE", "Filter", "Hashes", "Shingled", "jaccard", "may_share", "shingles"]

SHINGLE = 3
"""Words of a shingle."""
_TEMPLATED, _TEMPLATED_LONG, _LONG = 0.6, 1 / 3, 20
"""A text is templated where a larger share of its shingles is common; the second, where so many others are not."""
_REPORT = 1_000
"""Texts between two calls of ``progress``."""

Hashes = NDArray[np.uint32]


def shingles(text: str) -> frozenset[str]:
    """Return the distinct shingles of a normalised text; one of fewer words than a shingle is a shingle itself."""
    words = text.split()
    return frozenset(" ".join(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of all shingles that two texts have in common, from 0 to 1."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def may_share(texts: int) -> int:
    """Return how many of so many texts may share a shingle that is not common.

    A hundredth, and 64 where there are few texts.
    """
    return max(64, texts // 100)


class Filter:
    """Which shingles are common among the first texts, and which of these texts are templated."""

    def __init__(self, flat: Hashes, offsets: NDArray[np.int64], most: int) -> None:
        values, counts = np.unique(flat, return_counts=True)
        self._common: Hashes = values[counts > most]
        self.drops = np.zeros(len(flat), dtype=np.bool_)
        """Which of the shingles are left out, of shape (shingles of the texts,)."""
        if len(self._common) and len(offsets) > 1:
            common = _isin(flat, self._common)
            sizes, found = np.diff(offsets), np.add.reduceat(common, offsets[:-1], dtype=np.int64)
            own = sizes - found
            share = np.where(own >= _LONG, _TEMPLATED_LONG, _TEMPLATED)
            templated = (found > share * sizes) & (own > 0)
            self.drops = common & np.repeat(templated, sizes)


class Shingled:
    """The distinct shingles of many texts: CRC-32, which is in C and the same everywhere; 4 bytes each."""

    def __init__(self, texts: Sequence[str], progress: Progress | None = None) -> None:
        parts: list[Hashes] = []
        for number, text in enumerate(texts, start=1):
            hashes = [zlib.crc32(each.encode("utf-8", "surrogatepass")) for each in shingles(text)]
            parts.append(np.unique(np.array(hashes, dtype=np.uint32)))
            if progress and (number % _REPORT == 0 or number == len(texts)):
                progress(number, len(texts))
        self._offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
        self._flat: Hashes = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32)

    def filter(self, texts: int) -> Filter:
        """Return what is common among the first so many texts."""
        return Filter(self._flat[: self._offsets[texts]], self._offsets[: texts + 1], may_share(texts))

    def of(self, text: int, drops: NDArray[np.bool_]) -> Hashes:
        """Return the shingles of a text that a filter leaves, ascending."""
        start, stop = self._offsets[text], self._offsets[text + 1]
        return self._flat[start:stop][~drops[start:stop]]

    def changed(self, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the texts that two filters leave different shingles of; those that the first does not have are not."""
        places = np.flatnonzero(before != after[: len(before)])
        return np.unique(np.searchsorted(self._offsets, places, side="right") - 1)


def _isin(values: Hashes, some: Hashes) -> NDArray[np.bool_]:
    """Return which values are among some, which ascend."""
    places = np.minimum(np.searchsorted(some, values), len(some) - 1)
    found: NDArray[np.bool_] = some[places] == values
    return found

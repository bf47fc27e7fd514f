"""Near-duplicate texts: MinHash finds the candidates, their word shingles decide.

The similarity of two texts is the Jaccard similarity of their sets of three-word shingles (Broder, 1997, On the
resemblance and containment of documents), without those of a template (``shingles``). In a long text
one changed word leaves it high; in a short one a changed word is another question: near-duplicates at 0.8 that differ
by a word within have 29 words or more, while a word may be added at the end of one of 6.

Signatures are datasketch's. 126 permutations in 18 bands of 7 make a pair of similarity s a candidate with probability
``1 - (1 - s^7)^18``: 0.986 at 0.8, 0.999 at 0.85, 0.13 at 0.5. The bands are sorted here: datasketch's own index,
``MinHashLSH``, takes 7 KB a text (1.8 GB for 250,000), sorted bands and signatures take 720 bytes; each part of the
texts takes 72 bytes more for every text before it.

Because shingles that many texts have do not count in templated ones, no text has many candidates, and those that are
compared word for word are at most ``COMPARED``, the likeliest: the time grows as the number of texts does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmeval.data_prep.split.shingles import Hashes, Shingled
from rmeval.types import Progress

__all__ = ["THRESHOLD", "Candidates"]

THRESHOLD = 0.8
"""Texts at least this similar are near-duplicates."""
BANDS, ROWS = 18, 7
MARGIN = 0.12
"""Candidates whose signatures agree in a share below the threshold by more than this are not looked at: 3.4 standard
deviations of that share at a similarity of 0.8, so that 3 in 10,000 are lost and templates cost little."""
COMPARED = 64
"""Candidates of a text that are compared with it word for word, at most."""
_SEED = 1
_CHUNK = 10_000
"""Shingles hashed at a time: bounds memory where a text is huge."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Neighbouring texts, and the bands in which they and all before them stand, with the same shingles left out."""

    first: int
    drops: NDArray[np.bool_]
    rows: NDArray[np.int64]
    """Earlier texts with another signature than in the part before."""
    before: NDArray[np.uint32]
    """Their signatures there."""
    after: NDArray[np.uint32]
    order: NDArray[np.int32]
    """In each band the texts up to the part's last, sorted by its values and then by position."""
    start: NDArray[np.int32]
    """For each text of the part, where in this order the texts with the same values begin; shape (BANDS, texts)."""
    stand: NDArray[np.int32]
    """And where it stands itself."""


class Candidates:
    """For each of many texts, the earlier ones that may be near to it: those with the same values in a band.

    What is found for a text depends on it and the texts before it, and on those that follow in its part.
    """

    def __init__(self, texts: Sequence[str], ends: Sequence[int] = (), progress: Progress | None = None) -> None:
        """Sketch the texts.

        Args:
            texts: normalised and distinct.
            ends: ascending; the texts before each are a part. What is common is counted anew for each part, among its
                texts and those before, so that a part that is added changes nothing for those before it.
            progress: called with texts looked at, and texts in all.
        """
        self._shingled = Shingled(texts, progress)
        self._signatures = np.empty((len(texts), BANDS * ROWS), dtype=np.uint32)
        self._parts: list[_Part] = []
        first = 0
        for end in sorted({*ends, len(texts)}):
            if first < end:
                self._add(first, end)
                first = end
        self._current = len(self._parts) - 1

    def texts(self) -> list[int]:
        """Return the positions of the texts that have a candidate, ascending."""
        found = [part.first + np.flatnonzero((part.stand > part.start).any(axis=0)) for part in self._parts]
        return [int(position) for positions in found for position in positions]

    def earlier(self, position: int) -> NDArray[np.int32]:
        """Return the earlier texts with the same values in a band, ascending."""
        part = self._parts[self._part(position)]
        place = position - part.first
        bands = zip(part.order, part.start[:, place].tolist(), part.stand[:, place].tolist(), strict=True)
        found = [order[start:stand] for order, start, stand in bands if start < stand]
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int32)

    def likely(self, position: int, others: NDArray[np.int32], threshold: float) -> NDArray[np.int32]:
        """Return the likeliest of ``others`` to be as similar as ``threshold``, by their signatures, ascending."""
        self._enter(self._part(position))
        agree = (self._signatures[others] == self._signatures[position]).sum(axis=1)
        least = (threshold - MARGIN) * BANDS * ROWS
        found = others[agree >= least]
        if len(found) > COMPARED:
            best = np.argsort(-agree[agree >= least], kind="stable")[:COMPARED]
            found = np.sort(found[best])
        result: NDArray[np.int32] = found
        return result

    def similarity(self, position: int, other: int) -> float:
        """Return the Jaccard similarity of a text and an earlier one."""
        drops = self._parts[self._part(position)].drops
        one, two = (self._shingled.of(text, drops) for text in (position, other))
        common = len(np.intersect1d(one, two, assume_unique=True))
        return common / (len(one) + len(two) - common)

    def _part(self, position: int) -> int:
        return next(number for number in reversed(range(len(self._parts))) if self._parts[number].first <= position)

    def _enter(self, number: int) -> None:
        """Bring the signatures of the texts before a part to what they are there."""
        while self._current < number:
            self._current += 1
            part = self._parts[self._current]
            self._signatures[part.rows] = part.after
        while self._current > number:
            part = self._parts[self._current]
            self._signatures[part.rows] = part.before
            self._current -= 1

    def _add(self, first: int, end: int) -> None:
        """Sketch the texts of a part, and those before it that lose other shingles here."""
        drops = self._shingled.filter(end).drops
        earlier = self._parts[-1].drops if self._parts else drops[:0]
        rows = self._shingled.changed(earlier, drops)
        before = self._signatures[rows]
        sketch = _Sketcher()
        for row in (*rows.tolist(), *range(first, end)):
            self._signatures[row] = sketch(self._shingled.of(row, drops))
        order = np.empty((BANDS, end), dtype=np.int32)
        start, stand = (np.empty((BANDS, end - first), dtype=np.int32) for _ in range(2))
        for band in range(BANDS):
            values = np.ascontiguousarray(self._signatures[:end, band * ROWS : (band + 1) * ROWS])
            _, groups = np.unique(values.view(f"V{values.itemsize * ROWS}").ravel(), return_inverse=True)
            sizes = np.bincount(groups)
            order[band] = np.argsort(groups, kind="stable")
            start[band] = (np.cumsum(sizes) - sizes)[groups[first:]]
            places = np.empty(end, dtype=np.int32)
            places[order[band]] = np.arange(end, dtype=np.int32)
            stand[band] = places[first:]
        self._parts.append(_Part(first, drops, rows, before, self._signatures[rows], order, start, stand))


class _Sketcher:
    """Makes the MinHash values of hashed shingles: uint32 of shape (BANDS x ROWS,)."""

    def __init__(self) -> None:
        from datasketch import MinHash  # loads scipy

        # The shingles are hashed already, and datasketch mixes them once more.
        self._sketch = MinHash(BANDS * ROWS, seed=_SEED, hashfunc=int, scheme="affine32")

    def __call__(self, hashes: Hashes) -> NDArray[np.uint32]:
        values = hashes.tolist()
        self._sketch.clear()
        for start in range(0, len(values), _CHUNK):
            self._sketch.update_batch(values[start : start + _CHUNK])
        found: NDArray[np.uint32] = self._sketch.hashvalues
        return found

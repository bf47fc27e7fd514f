"""Near-duplicate texts: MinHash finds the candidates, their word shingles decide.

The similarity of two texts is the Jaccard similarity of their sets of three-word shingles (Broder, 1997, On the
resemblance and containment of documents). In a long text one changed word leaves it high; in a short one a changed word
is another question: near-duplicates at 0.8 that differ by a word within have 29 words or more, while a word may be
added at the end of one of 6.

Signatures are datasketch's. 126 permutations in 18 bands of 7 make a pair of similarity s a candidate with probability
``1 - (1 - s^7)^18``: 0.986 at 0.8, 0.999 at 0.85, 0.13 at 0.5. The bands are sorted here: datasketch's own index,
``MinHashLSH``, takes 7 KB a text (1.8 GB for 250,000), sorted bands and signatures take 720 bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rmeval.types import Progress

__all__ = ["THRESHOLD", "Candidates", "jaccard", "shingles"]

SHINGLE = 3
"""Words of a shingle."""
THRESHOLD = 0.8
"""Texts at least this similar are near-duplicates."""
BANDS, ROWS = 18, 7
MARGIN = 0.12
"""Candidates whose signatures agree in a share below the threshold by more than this are not looked at: 3.4 standard
deviations of that share at a similarity of 0.8, so that 3 in 10,000 are lost and templates cost little."""
_SEED = 1
_CHUNK = 10_000
"""Shingles hashed at a time: bounds memory where a text is huge."""
_REPORT = 1_000
"""Texts between two calls of ``progress``."""


def shingles(text: str) -> frozenset[str]:
    """Return the distinct shingles of a normalised text; one of fewer words than a shingle is a shingle itself."""
    words = text.split()
    return frozenset(" ".join(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of all shingles that two texts have in common, from 0 to 1."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)


class Candidates:
    """For each of many texts, the earlier ones that may be near to it: those with the same values in a band.

    What is found for a text depends on it and the texts before it alone, so texts added at the end change nothing.
    """

    def __init__(self, texts: Sequence[str], progress: Progress | None = None) -> None:
        """Sketch the texts, which are normalised and distinct."""
        self._signatures = signatures = _signatures(texts, progress)
        shape = (BANDS, len(texts))
        # In each band: the texts sorted by its values and then by position, where in this order the texts with the same
        # values begin, and where the text itself stands.
        self._order = np.empty(shape, dtype=np.int32)
        self._start = np.empty(shape, dtype=np.int32)
        self._stand = np.empty(shape, dtype=np.int32)
        for band in range(BANDS):
            values = np.ascontiguousarray(signatures[:, band * ROWS : (band + 1) * ROWS])
            _, groups = np.unique(values.view(f"V{values.itemsize * ROWS}").ravel(), return_inverse=True)
            sizes = np.bincount(groups)
            self._order[band] = np.argsort(groups, kind="stable")
            self._start[band] = (np.cumsum(sizes) - sizes)[groups]
            self._stand[band, self._order[band]] = np.arange(len(texts), dtype=np.int32)

    def texts(self) -> list[int]:
        """Return the positions of the texts that have a candidate, ascending."""
        return [int(position) for position in np.flatnonzero((self._stand > self._start).any(axis=0))]

    def earlier(self, position: int) -> Iterator[NDArray[np.int32]]:
        """Yield the earlier texts with the same values, a band at a time, ascending; one may come several times."""
        for order, start, stand in zip(self._order, self._start[:, position], self._stand[:, position], strict=True):
            if start < stand:
                yield order[start:stand]

    def likely(self, position: int, others: NDArray[np.int32], threshold: float) -> NDArray[np.int32]:
        """Return those of ``others`` whose signature says that they may be as similar as ``threshold``."""
        agree: NDArray[np.float64] = (self._signatures[others] == self._signatures[position]).mean(axis=1)
        return others[agree >= threshold - MARGIN]


def _signatures(texts: Sequence[str], progress: Progress | None) -> NDArray[np.uint32]:
    """Return the MinHash values of each text's shingles: uint32 of shape (texts, BANDS x ROWS)."""
    from datasketch import MinHash  # loads scipy

    # CRC-32 is in C, the same everywhere, and datasketch mixes it once more.
    sketch = MinHash(BANDS * ROWS, seed=_SEED, hashfunc=zlib.crc32, scheme="affine32")
    values = np.empty((len(texts), BANDS * ROWS), dtype=np.uint32)
    for position, text in enumerate(texts):
        encoded = [shingle.encode("utf-8", "surrogatepass") for shingle in shingles(text)]
        sketch.clear()
        for start in range(0, len(encoded), _CHUNK):
            sketch.update_batch(encoded[start : start + _CHUNK])
        values[position] = sketch.hashvalues
        if progress and (position + 1) % _REPORT == 0:
            progress(position + 1, len(texts))
    if progress and len(texts) % _REPORT:
        progress(len(texts), len(texts))
    return values

"""What becomes of each pair of a build: which split it is in, or why it is dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rmeval.data_prep.mixture import Mixture
from rmeval.data_prep.pairs.build import Built
from rmeval.data_prep.pairs.select import Selected
from rmeval.data_prep.split.held_out import NEAR_BOTH, Assignment, Opening, Split, assign_splits
from rmeval.types import Progress

__all__ = ["OVERLAP", "REASONS", "TEST", "TRAIN", "Assigned", "assign"]

TRAIN, TEST, NEAR, CONTAMINATED, UNSELECTED = range(5)
_CODES: dict[Assignment, int] = {"train": TRAIN, "test": TEST, "dropped": NEAR}

OVERLAP = "benchmark-overlap"
REASONS = {
    NEAR_BOTH: "its first user turn is nearly one in the other split",
    OVERLAP: "its prompt is a benchmark's, or contains half of one (contamination.json)",
}


@dataclass(frozen=True, slots=True)
class Assigned:
    """The pairs of a source, each with what becomes of it."""

    built: Built
    selected: Selected
    codes: NDArray[np.int8]
    """``TRAIN``, ``TEST`` or another of the codes: shape (pairs of ``Built.pairs``,)."""
    ids: pa.Array
    """Unique in the build and made of the content; null for pairs that were not selected."""

    def count(self, code: int) -> int:
        """Return how many pairs have a code."""
        return int((self.codes == code).sum())

    @property
    def training_ids(self) -> pa.Array:
        """The ids, null where a pair is not in the training split."""
        return pc.if_else(pa.array(self.codes == TRAIN), self.ids, pa.scalar(None, pa.string()))

    @property
    def dropped(self) -> dict[str, int]:
        """Reason -> pairs, of everything but the source's own rules."""
        found = {NEAR_BOTH: self.count(NEAR), OVERLAP: self.count(CONTAMINATED)}
        return {**self.selected.dropped, **{reason: number for reason, number in found.items() if number}}

    def drop_contaminated(self, contaminated: pa.Array) -> None:
        """Take pairs out of the training split, by id."""
        self.codes[pc.is_in(self.training_ids, contaminated, skip_nulls=True).to_numpy(zero_copy_only=False)] = (
            CONTAMINATED
        )


def assign(
    mixture: Mixture, built: Sequence[Built], selected: Sequence[Selected], progress: Progress | None = None
) -> tuple[list[Assigned], Split]:
    """Give every pair of every source a split, by its opening."""
    split = assign_splits(
        _openings(built, selected),
        seed=mixture.seed,
        held_out=mixture.held_out,
        threshold=mixture.near_duplicates or None,
        progress=progress,
    )
    found = []
    for source, pairs in zip(built, selected, strict=True):
        codes = np.full(len(pairs.keep), UNSELECTED, dtype=np.int8)
        openings = _column(source, "opening", pairs)
        of_text = np.array([_CODES[split.assigned[text]] for text in openings.dictionary.to_pylist()], dtype=np.int8)
        codes[pairs.keep] = of_text[openings.indices.to_numpy()]
        found.append(Assigned(source, pairs, codes, _ids(source, pairs)))
    return found, split


def _openings(built: Sequence[Built], selected: Sequence[Selected]) -> Iterator[Opening]:
    for source, pairs in zip(built, selected, strict=True):
        column = _column(source, "opening", pairs)
        counts = np.bincount(column.indices.to_numpy(), minlength=len(column.dictionary))
        for text, number in zip(column.dictionary.to_pylist(), counts.tolist(), strict=True):
            yield Opening(text, source.entry.label, number)


def _column(built: Built, name: str, selected: Selected) -> pa.DictionaryArray:
    """Return a column of the pairs selected; its dictionary is in order of first appearance."""
    column = pq.read_table(built.pairs, columns=[name]).column(name)
    return column.filter(pa.array(selected.keep)).combine_chunks().dictionary_encode()


def _ids(built: Built, selected: Selected) -> pa.Array:
    """Return ``label-digest`` for each pair selected, the second one of the same content with ``#2``, and so on."""
    label = built.entry.label
    digests = pq.read_table(built.pairs, columns=["digest"]).column("digest").to_pylist()
    seen: Counter[str] = Counter()
    ids: list[str | None] = []
    for digest, keep in zip(digests, selected.keep.tolist(), strict=True):
        seen[digest] += keep
        ids.append(None if not keep else f"{label}-{digest}{f'#{seen[digest]}' if seen[digest] > 1 else ''}")
    return pa.array(ids, pa.string())

"""Which of a source's pairs are taken, before any is assigned to a split: by column, without reading their text.

In this order: the mixture's ``min_score_gap``, the source's cap a group, the mixture's ``max_pairs``. Where some must
go, those stay that have the lowest hash of seed, group and key: the same ones in whatever order the rows come.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rmeval.data_prep.pairs.build import Built

__all__ = ["CAP", "MAX_PAIRS", "REASONS", "SCORE_GAP", "Selected", "select"]

SCORE_GAP, CAP, MAX_PAIRS = "min-score-gap", "cap", "max-pairs"
REASONS = {
    SCORE_GAP: "the scores differ by less than the mixture's min_score_gap, or one is missing",
    CAP: "the group has more pairs than the source takes; those with the lowest hash stay",
    MAX_PAIRS: "the source has more pairs than the mixture's max_pairs; those with the lowest hash stay",
}
_COLUMNS = ["group", "key", "chosen_score", "rejected_score", "digest"]


@dataclass(frozen=True, slots=True)
class Selected:
    """The pairs of a source that are taken."""

    keep: NDArray[np.bool_]
    """Of shape (pairs of ``Built.pairs``,), in their order."""
    dropped: dict[str, int]
    """Reason -> pairs; only those that are not zero."""


def select(built: Built, seed: int) -> Selected:
    """Choose among the pairs that a source's rules made."""
    table = pq.read_table(built.pairs, columns=_COLUMNS)
    keep = np.ones(len(table), dtype=np.bool_)
    dropped: dict[str, int] = {}

    def drop(reason: str, lost: NDArray[np.bool_]) -> None:
        """Take rows out for a reason, and count those that were still in."""
        lost &= keep
        if lost.any():
            keep[lost] = False
            dropped[reason] = int(lost.sum())

    entry = built.entry
    if entry.min_score_gap is not None:
        gaps = np.abs(_floats(table, "chosen_score") - _floats(table, "rejected_score"))
        drop(SCORE_GAP, ~(gaps >= entry.min_score_gap))
    if built.source.cap is not None:
        drop(CAP, _over(table, keep, _codes(table.column("group")), built.source.cap, seed))
    if entry.max_pairs is not None:
        drop(MAX_PAIRS, _over(table, keep, np.zeros(len(table), dtype=np.int64), entry.max_pairs, seed))
    return Selected(keep, dropped)


def _floats(table: pa.Table, column: str) -> NDArray[np.float64]:
    """Return a column's values, NaN for null."""
    values: NDArray[np.float64] = pc.fill_null(table.column(column), float("nan")).to_numpy()
    return values


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return a number for each value, the same for equal ones."""
    codes: NDArray[np.int64] = column.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes


def _over(
    table: pa.Table, keep: NDArray[np.bool_], groups: NDArray[np.int64], most: int, seed: int
) -> NDArray[np.bool_]:
    """Return which of the pairs kept are too many in their group."""
    over = np.zeros(len(table), dtype=np.bool_)
    sizes = np.bincount(groups[keep], minlength=1)
    places = np.flatnonzero(keep & (sizes[groups] > most)) if len(table) else np.empty(0, dtype=np.int64)
    rows = table.select(["group", "key", "digest"]).take(places).to_pylist()
    drawn = [(groups[place], *_draw(seed, row), place) for place, row in zip(places.tolist(), rows, strict=True)]
    taken = dict.fromkeys(groups[places].tolist(), 0)
    for group, *_, place in sorted(drawn):
        taken[group] += 1
        over[place] = taken[group] > most
    return over


def _draw(seed: int, row: dict[str, str]) -> tuple[bytes, str]:
    """Return what a pair is drawn by; the digest of its text decides between two of the same key."""
    return hashlib.sha256(f"{seed}\0{row['group']}\0{row['key']}".encode()).digest(), row["digest"]

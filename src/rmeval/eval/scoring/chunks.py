"""Rows to score, some thousand conversations at a time, the next ones read while the last ones are scored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rmeval.data_prep.rows.scorable import ScorableRow
from rmeval.eval.scorers.base import conversations_of
from rmeval.types import Conversation, Item

CHUNK = 4096
"""Conversations scored and written at a time: enough to share prefixes and to pack by length; memory holds three."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows that are scored and written together."""

    rows: list[ScorableRow]
    digest: str
    """Of all rows up to the last one here."""
    items: list[Item]
    """Of all its rows: an item a row."""

    @property
    def conversations(self) -> list[Conversation]:
        """Of all its rows."""
        return conversations_of(self.items)


def grouped(rows: Iterator[ScorableRow], digest: hashlib._Hash) -> Iterator[Chunk]:
    """Yield rows in chunks; ``digest`` is of all rows before."""
    chunk: list[ScorableRow] = []
    size = 0
    for row in rows:
        digest.update(row_bytes(row))
        chunk.append(row)
        size += len(row.conversations)
        if size >= CHUNK:
            yield _chunk(chunk, digest)
            chunk, size = [], 0
    if chunk:
        yield _chunk(chunk, digest)


def _chunk(rows: list[ScorableRow], digest: hashlib._Hash) -> Chunk:
    return Chunk(rows, digest.hexdigest(), [row.item for row in rows])


def row_bytes(row: ScorableRow) -> bytes:
    """Return what a digest of rows is of."""
    if row.samples:
        return b"".join(map(row_bytes, row.samples))
    return repr(row.row).encode("utf-8", "backslashreplace") + b"\n"


def ahead(chunks: Iterator[Chunk], prefetch: Callable[[Sequence[Item]], None] | None) -> Iterator[Chunk]:
    """Yield all chunks; a thread reads and tokenizes the next one while the caller scores the last."""

    def take() -> Chunk | None:
        """Return the next chunk, its tokens on their way; None after the last."""
        chunk = next(chunks, None)
        if chunk is not None and prefetch is not None:
            prefetch(chunk.items)
        return chunk

    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(take)
        while (chunk := upcoming.result()) is not None:
            upcoming = pool.submit(take)
            yield chunk

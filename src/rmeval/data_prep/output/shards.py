"""The pairs of a build as Parquet: ``data/train-*.parquet`` and ``data/test-*.parquet``."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from rmeval.data_prep.pairs.columns import MESSAGES

__all__ = ["OUTPUT", "SHARD_ROWS", "ShardWriter"]

OUTPUT = pa.schema(
    {
        "id": pa.string(),
        "chosen": MESSAGES,
        "rejected": MESSAGES,
        "subset": pa.string(),
        "group": pa.string(),
        "chosen_score": pa.float64(),
        "rejected_score": pa.float64(),
    }
)
"""The columns of the output. ``chosen`` and ``rejected`` are whole conversations, the prompt at the start of both."""
ROW_GROUP = 4_096
SHARD_ROWS = 24 * ROW_GROUP
"""Rows of a file; about 100,000."""
_REPEATED = ["subset", *(f"{role}.list.element.role" for role in ("chosen", "rejected"))]
"""Columns of few distinct values: the only ones worth a dictionary."""


class ShardWriter:
    """Writes rows into files of ``SHARD_ROWS``; the files depend on the rows alone, not on how they are handed over."""

    def __init__(self, folder: Path, split: str, rows: int) -> None:
        """Write ``rows`` rows in all into files such as ``train-00000-of-00002.parquet``; no row, no file."""
        self._folder, self._split = folder, split
        self._shards = -(-rows // SHARD_ROWS)
        self._shard = 0
        self._written = 0
        """Rows in the open file."""
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_groups(least=1)
        self._close()

    def write(self, rows: pa.Table) -> None:
        """Take rows with the columns of ``OUTPUT``."""
        if len(rows):
            self._waiting.append(rows)
            self._write_groups(least=ROW_GROUP)

    def _write_groups(self, least: int) -> None:
        """Write whole row groups, as long as there are at least so many rows."""
        if sum(map(len, self._waiting)) < least:
            return
        rows = pa.concat_tables(self._waiting)
        start = 0
        while len(rows) - start >= least:
            self._write_group(rows.slice(start, ROW_GROUP).combine_chunks())
            start += ROW_GROUP
        self._waiting = [rows.slice(start)]

    def _write_group(self, rows: pa.Table) -> None:
        if self._writer is None:
            name = f"{self._split}-{self._shard:05}-of-{self._shards:05}.parquet"
            self._writer = pq.ParquetWriter(
                self._folder / name, OUTPUT, compression="zstd", use_dictionary=_REPEATED, write_page_index=True
            )
        self._writer.write_table(rows, row_group_size=ROW_GROUP)
        self._written += len(rows)
        if self._written >= SHARD_ROWS:
            self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer, self._written, self._shard = None, 0, self._shard + 1

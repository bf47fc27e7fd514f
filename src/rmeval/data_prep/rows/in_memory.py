"""All rows of a data set in memory, each with the place it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeGuard, Union

from rmeval.data_prep.rows.files import Row, reason
from rmeval.data_prep.rows.stream import open_source
from rmeval.errors import DataError

if TYPE_CHECKING:
    import datasets
    import pandas as pd

__all__ = ["IN_MEMORY", "Rows", "RowsLike", "file_of", "load_rows", "rows_in_memory"]

RowsLike: TypeAlias = Union[Iterable[Mapping[str, object]], "pd.DataFrame", "datasets.Dataset"]
"""Rows that a Python program has at hand."""
IN_MEMORY = "rows in memory"
"""What such rows are called."""
_ROW = re.compile(r"(?: (?:line|row|item) \d+)+\Z")
"""Where in its file a row is."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one split of a data set, in order."""

    name: str
    """As given: a path or a Hub id."""
    rows: Sequence[Row]
    split: str | None = None
    """None where the data has no splits."""
    revision: str | None = None
    """The commit of a Hub data set."""
    places: Sequence[str] = ()
    """Where each row stands; none for rows that were made in memory."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns, in order of first appearance."""
        return tuple(dict.fromkeys(column for row in self.rows for column in row))

    def file(self, index: int) -> str:
        """Return what messages call the file of row ``index``: its path; rows made in memory have the data's name."""
        return file_of(self.locate(index))

    def locate(self, index: int) -> str:
        """Return where row ``index`` (from 0) stands, for messages: ``pairs.jsonl line 18``."""
        return self.places[index] if self.places else f"{self.name} row {index + 1}"


def file_of(place: str) -> str:
    """Return what messages call the file of a row that stands at a place."""
    return _ROW.sub("", place)


def load_rows(
    source: str,
    *,
    split: str | None = None,
    revision: str | None = None,
    default_split: str | None = None,
    layout: Sequence[Sequence[str]] = (),
) -> Rows:
    """Read a data set.

    Args:
        source: a file (.jsonl, .ndjson, .json, .csv, each also with .gz, .xz or .zst, or .parquet), a folder (one
            written by ``save_to_disk``, or of data files laid out as ``datasets.load_dataset`` expects), or a Hub id.
        split: the split to read; it must exist. Files have none.
        revision: branch, tag or commit of a Hub data set.
        default_split: the split to read where there are several and ``split`` is None.
        layout: which files of a folder are the rows, where no split is asked for: patterns (``fnmatch``) of their paths
            in it; other ones where no file fits the first, and so on. Where none fits any, the folder's split is read.

    Raises:
        DataError: if there is no such data set or split, or if a file or row cannot be read.
        UsageError: if a split is asked of a file, or a revision of a local path.
    """
    found = open_source(source, split=split, revision=revision, default_split=default_split, layout=layout)
    rows: list[Row] = []
    places: list[str] = []
    for place, row in found.rows():
        places.append(place)
        rows.append(row)
    if not rows:
        raise DataError(f"{source} has no rows" + (f" in split {found.split!r}" if found.split is not None else ""))
    return Rows(source, rows, found.split, found.revision, places)


def rows_in_memory(source: RowsLike) -> Rows:
    """Return rows that a Python program has at hand: a list of mappings, a DataFrame or a ``datasets.Dataset``.

    Raises:
        DataError: if there is none, or one is not a mapping.
    """
    rows = _frame_rows(source) if _is_frame(source) else list(source)
    if not rows:
        raise DataError(f"{IN_MEMORY}: there is none")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise DataError(f"{IN_MEMORY} row {number}: a {type(row).__name__}, not a mapping of columns to values")
    return Rows(IN_MEMORY, rows)


def _is_frame(source: object) -> TypeGuard[pd.DataFrame]:
    return type(source).__module__.partition(".")[0] == "pandas" and type(source).__name__ == "DataFrame"


def _frame_rows(frame: pd.DataFrame) -> list[Row]:
    """Return a DataFrame's rows: arrays in cells as lists, what pandas calls missing as null."""
    import pyarrow as pa

    try:
        rows: list[Row] = pa.Table.from_pandas(frame, preserve_index=False).to_pylist()
    except pa.ArrowException as error:
        raise DataError(f"{IN_MEMORY}: a column of the DataFrame mixes types ({reason(error)})") from error
    return rows

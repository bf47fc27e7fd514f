"""All rows of a data set in memory, each with the place it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmeval.data_prep.files import Row
from rmeval.data_prep.stream import open_source
from rmeval.errors import DataError

__all__ = ["Rows", "load_rows"]


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

    def locate(self, index: int) -> str:
        """Return where row ``index`` (from 0) stands, for messages: ``pairs.jsonl line 18``."""
        return self.places[index] if self.places else f"{self.name} row {index + 1}"


def load_rows(
    source: str, *, split: str | None = None, revision: str | None = None, default_split: str | None = None
) -> Rows:
    """Read a data set.

    Args:
        source: a file (.jsonl, .ndjson, .json, .csv, each also with .gz, .xz or .zst, or .parquet), a folder (one
            written by ``save_to_disk``, or of data files laid out as ``datasets.load_dataset`` expects), or a Hub id.
        split: the split to read; it must exist. Files have none.
        revision: branch, tag or commit of a Hub data set.
        default_split: the split to read where there are several and ``split`` is None.

    Raises:
        DataError: if there is no such data set or split, or if a file or row cannot be read.
        UsageError: if a split is asked of a file, or a revision of a local path.
    """
    found = open_source(source, split=split, revision=revision, default_split=default_split)
    rows: list[Row] = []
    places: list[str] = []
    for place, row in found.rows():
        places.append(place)
        rows.append(row)
    if not rows:
        raise DataError(f"{source} has no rows" + (f" in split {found.split!r}" if found.split is not None else ""))
    return Rows(source, rows, found.split, found.revision, places)

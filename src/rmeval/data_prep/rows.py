"""Rows of a data set: from a file, a folder or the Hub, each with the place it came from."""

from __future__ import annotations

import csv
import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from rmeval.data_prep.hub import is_hub_id, snapshot
from rmeval.errors import DataError, RmevalError, UsageError, did_you_mean

__all__ = ["DATA_SUFFIXES", "Part", "Row", "Rows", "load_rows"]

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Part:
    """The rows that come from one file."""

    label: str
    """The file, for messages."""
    unit: str
    """``line`` or ``row``: what ``numbers`` count, from 1."""
    rows: Sequence[Row]
    numbers: Sequence[int]
    """Where each row begins; as many as ``rows``."""


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
    parts: tuple[Part, ...] = ()
    """The files behind the rows; none for rows that were made in memory."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns, in order of first appearance."""
        return tuple(dict.fromkeys(column for row in self.rows for column in row))

    def locate(self, index: int) -> str:
        """Return where row ``index`` (from 0) stands, for messages: ``pairs.jsonl line 18``."""
        left = index
        for part in self.parts:
            if left < len(part.rows):
                return f"{part.label} {part.unit} {part.numbers[left]}"
            left -= len(part.rows)
        return f"{self.name} row {index + 1}"


def load_rows(
    source: str, *, split: str | None = None, revision: str | None = None, default_split: str | None = None
) -> Rows:
    """Read a data set.

    Args:
        source: a file (.jsonl, .ndjson, .json, .csv, each also with .gz, or .parquet), a folder (one written by
            ``save_to_disk``, or one of data files laid out as ``datasets.load_dataset`` expects), or a Hub id.
        split: the split to read; it must exist. Files have none.
        revision: branch, tag or commit of a Hub data set.
        default_split: the split to read where there are several and ``split`` is None.

    Raises:
        DataError: if there is no such data set or split, or if a file or row cannot be read.
        UsageError: if a split is asked of a file, or a revision of a local path.
    """
    path = os.path.expanduser(source)
    if os.path.exists(path):
        if revision is not None:
            raise UsageError(f"{source} is a local path, which has no revision: leave the revision out")
        if os.path.isdir(path):
            rows = _read_folder(Path(path), source, split, default_split)
        elif split is not None:
            raise UsageError(f"{source} is a file, which has no splits: leave --split out")
        else:
            rows = _joined(source, None, [_read_file(Path(path), source)])
    elif source.startswith((".", "/", "~")) or source.lower().endswith(DATA_SUFFIXES):
        raise DataError(f"no such file or folder: {source}")
    elif is_hub_id(source):
        folder, commit = snapshot(source, kind="dataset", revision=revision, allow_patterns=_HUB_FILES)
        rows = replace(_read_folder(folder, source, split, default_split), revision=commit)
    else:
        raise DataError(f"no such file or folder, and not the name of a Hub data set: {source!r}")
    if not rows.rows:
        raise DataError(f"{source} has no rows" + (f" in split {rows.split!r}" if rows.split is not None else ""))
    return rows


# --- folders ----------------------------------------------------------------------------------------------------


def _read_folder(folder: Path, name: str, split: str | None, default: str | None) -> Rows:
    """Read one split of a folder: one saved by ``save_to_disk``, or one of data files."""
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        return _read_saved(folder, name, split, default)
    files = _data_files(folder, name)
    chosen = _choose_split(name, list(files), split, default)
    parts = [_read_file(path, f"{name.rstrip('/')}/{label}") for label, path in files[chosen]]
    return _joined(name, chosen, parts)


def _read_saved(folder: Path, name: str, split: str | None, default: str | None) -> Rows:
    """Read a folder that ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk`` wrote."""
    import datasets

    try:
        saved = datasets.load_from_disk(str(folder))
        if not isinstance(saved, dict):  # one split, which need not have a name
            saved = {saved.split or "train": saved}
        splits = {str(key): value for key, value in saved.items()}
        chosen = _choose_split(name, list(splits), split, default)
        rows: list[Row] = splits[chosen].to_list()
    except RmevalError:
        raise
    except Exception as error:  # the library raises many kinds; each means that the folder is damaged
        raise DataError(f"{name} was written by save_to_disk but cannot be read ({_reason(error)})") from error
    return _joined(name, chosen, [Part(f"{name} split {chosen!r}", "row", rows, range(1, len(rows) + 1))])


def _data_files(folder: Path, name: str) -> dict[str, list[tuple[str, Path]]]:
    """Return the splits of a folder, each with its files and their paths relative to the folder.

    The library says which file belongs to which split (names, README); we read the files ourselves: no copy in its
    cache that could be stale, no columns cast, and every row keeps its line.
    """
    import datasets

    root = os.path.realpath(folder)
    try:
        with tempfile.TemporaryDirectory() as cache:
            found = datasets.load_dataset_builder(root, cache_dir=cache).config.data_files or {}
    except FileNotFoundError as error:
        raise DataError(f"{name} has no data files ({_reason(error)}); supported: {_SUPPORTED}") from error
    except Exception as error:  # a README that is not YAML, several configurations, a script, …
        reason = _reason(error).partition(" Example of usage:")[0]
        raise DataError(f"{name}: cannot tell its data files ({reason}): give the path of one file") from error
    splits: dict[str, list[tuple[str, Path]]] = {}
    for split, paths in found.items():
        labels = [os.path.relpath(path, root) for path in paths]
        # A README may name anything; only what lies in the folder is its data.
        if any("://" in path for path in paths) or any(label.startswith("..") for label in labels):
            raise DataError(f"{name}: its README names data outside its own folder; give the path of the data itself")
        splits[str(split)] = [(label, Path(root, label)) for label in labels]
    return splits


def _choose_split(name: str, splits: Sequence[str], asked: str | None, default: str | None) -> str:
    """Return the split to read; never more than one, and never a guess."""
    wanted = default if asked is None else asked
    if wanted is not None and wanted in splits:
        return wanted
    if asked is not None:
        raise DataError(f"{name} has no split {asked!r}{did_you_mean(asked, splits)} (splits: {', '.join(splits)})")
    if len(splits) == 1:
        return splits[0]
    raise DataError(f"{name} has several splits ({', '.join(splits)}): choose one with --split")


def _joined(name: str, split: str | None, parts: Sequence[Part]) -> Rows:
    """Return the rows of several files as one."""
    rows = parts[0].rows if len(parts) == 1 else [row for part in parts for row in part.rows]
    return Rows(name, rows, split, parts=tuple(parts))


# --- files ------------------------------------------------------------------------------------------------------


def _read_file(path: Path, label: str) -> Part:
    """Read one data file; ``label`` is what messages call it."""
    for suffix, reader in _READERS.items():
        if path.name.lower().endswith(suffix):
            try:
                return reader(path, label)
            except OSError as error:
                raise DataError(f"cannot read {label} ({_reason(error)})") from error
    raise DataError(f"{label}: not a kind of file that can be read (supported: {_SUPPORTED})")


def _lines(path: Path, label: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file, numbered from 1, line feeds kept; nothing else ends a line."""
    number = 0
    try:
        with (gzip.open if path.name.lower().endswith(".gz") else open)(path, "rb") as stream:
            for number, raw in enumerate(stream, start=1):
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{label} line {number}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{label}: a damaged gzip file ({_reason(error)}); fetch it again") from error


def _parse_json(text: str, label: str, first: int = 1) -> object:
    """Parse JSON that begins on line ``first`` of a file."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{label} line {first + error.lineno - 1}"
        raise DataError(f"{place}: not JSON ({error.msg} at column {error.colno})") from error
    except (RecursionError, ValueError) as error:  # nested too deeply; a number of too many digits
        raise DataError(f"{label} line {first}: JSON that cannot be read ({_reason(error)})") from error


def _object(value: object, place: str) -> Row:
    """Return a JSON value that must be an object."""
    if not isinstance(value, dict):
        raise DataError(f"{place}: expected a JSON object with the row's columns, found {type(value).__name__}")
    return value


def _read_jsonl(path: Path, label: str) -> Part:
    rows: list[Row] = []
    numbers: list[int] = []
    for number, line in _lines(path, label):
        if line.strip():
            rows.append(_object(_parse_json(line.rstrip(), label, number), f"{label} line {number}"))
            numbers.append(number)
    return Part(label, "line", rows, numbers)


def _read_json(path: Path, label: str) -> Part:
    """Read a list of objects; a file that does not begin with ``[`` is read as one object a line."""
    first = next((line.lstrip() for _, line in _lines(path, label) if line.strip()), "")
    if not first.startswith("["):
        return _read_jsonl(path, label)
    values = _parse_json("".join(line for _, line in _lines(path, label)), label)
    rows = [_object(value, f"{label} row {n}") for n, value in enumerate(cast("list[object]", values), start=1)]
    return Part(label, "row", rows, range(1, len(rows) + 1))


def _read_csv(path: Path, label: str) -> Part:
    """Read a file whose first record names the columns; every cell is a string."""
    csv.field_size_limit(2**31 - 1)  # the default, 131,072 characters, is less than a long conversation
    rows: list[Row] = []
    numbers: list[int] = []
    header: list[str] | None = None
    reader = csv.reader((line for _, line in _lines(path, label)), strict=True)
    start = 1  # a record may go over several lines; messages name its first
    try:
        for cells in reader:
            place = f"{label} line {start}"
            if header is None:
                header = cells
                if len(set(header)) < len(header):
                    raise DataError(f"{place}: two columns of the header have the same name")
            elif cells:  # a blank line has none
                if len(cells) != len(header):
                    raise DataError(f"{place}: {len(cells)} cells, but the header names {len(header)} columns")
                rows.append(dict(zip(header, cells, strict=True)))
                numbers.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{label} line {start}: not CSV ({error})") from error
    return Part(label, "line", rows, numbers)


def _read_parquet(path: Path, label: str) -> Part:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:  # not read_table, which makes columns of folders named a=b
            rows: list[Row] = file.read().to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{label}: a damaged or unreadable Parquet file ({_reason(error)})") from error
    return Part(label, "row", rows, range(1, len(rows) + 1))


def _reason(error: BaseException) -> str:
    """Return an error of a library as a part of one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


_TEXT: dict[str, Callable[[Path, str], Part]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
}
_READERS = {**_TEXT, **{f"{suffix}.gz": reader for suffix, reader in _TEXT.items()}, ".parquet": _read_parquet}

DATA_SUFFIXES = tuple(_READERS)
"""The names of data files end in one of these."""
_SUPPORTED = ", ".join(DATA_SUFFIXES)
_HUB_FILES = [*(f"*{suffix}" for suffix in DATA_SUFFIXES), "README.md", "*.yaml"]  # data and what it is, no code

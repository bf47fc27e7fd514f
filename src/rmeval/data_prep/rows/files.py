"""One data file, row by row, each with the place where it stands."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from rmeval.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DATA_SUFFIXES", "PACKED_SUFFIXES", "PlacedRow", "Row", "count_rows", "file_rows", "reason"]

Row = Mapping[str, object]
PlacedRow = tuple[str, Row]
"""Where a row stands, as in ``pairs.jsonl line 18``, and the row."""

BATCH = 256
"""Rows of a columnar file turned into Python objects at a time."""


def file_rows(path: Path, label: str) -> Iterator[PlacedRow]:
    """Yield the rows of a data file; ``label`` is what messages call it.

    All kinds but a JSON list are read as they are asked for.

    Raises:
        DataError: if the file or a row cannot be read.
    """
    for suffix, reader in _READERS.items():
        if path.name.lower().endswith(suffix):
            try:
                yield from reader(path, label)
            except OSError as error:
                raise DataError(f"cannot read {label} ({reason(error)})") from error
            return
    raise DataError(f"{label}: not a kind of file that can be read (supported: {', '.join(DATA_SUFFIXES)})")


def count_rows(path: Path) -> int:
    """Return about how many rows a file has, for a progress bar: the lines of a text; 0 where it cannot be read."""
    import pyarrow.parquet as pq

    try:
        if path.name.lower().endswith(".parquet"):
            return int(pq.read_metadata(path).num_rows)
        with _open(path) as stream:
            return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    except Exception:  # an estimate complains of nothing; the reader will
        return 0


def reason(error: BaseException) -> str:
    """Return an error of a library as a part of one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


# --- text -------------------------------------------------------------------------------------------------------


def _open(path: Path) -> IO[bytes]:
    opener = _UNPACK.get(path.suffix.lower())
    return cast("IO[bytes]", opener(path)) if opener else path.open("rb")


def _open_zst(path: Path) -> IO[bytes]:
    import pyarrow as pa

    return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))


def _lines(path: Path, label: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file, numbered from 1, line feeds kept; nothing else ends a line."""
    number = 0
    try:
        with _open(path) as stream:
            for number, raw in enumerate(stream, start=1):
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{label} line {number}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except (OSError, lzma.LZMAError, EOFError, zlib.error) as error:
        if getattr(error, "errno", None) is not None:  # The system's, not the unpacker's.
            raise
        raise DataError(f"{label}: a damaged {path.suffix} file ({reason(error)}); fetch it again") from error


def _parse_json(text: str, label: str, first: int = 1) -> object:
    """Parse JSON that begins on line ``first`` of a file."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{label} line {first + error.lineno - 1}"
        raise DataError(f"{place}: not JSON ({error.msg} at column {error.colno})") from error
    except (RecursionError, ValueError) as error:  # nested too deeply; a number of too many digits
        raise DataError(f"{label} line {first}: JSON that cannot be read ({reason(error)})") from error


def _object(value: object, place: str) -> PlacedRow:
    """Return a JSON value that must be an object, with its place."""
    if not isinstance(value, dict):
        raise DataError(f"{place}: expected a JSON object with the row's columns, found {type(value).__name__}")
    return place, value


def _jsonl_rows(path: Path, label: str) -> Iterator[PlacedRow]:
    first = True
    for number, line in _lines(path, label):
        if line.strip():
            try:
                value = _parse_json(line.rstrip(), label, number)
            except DataError:
                if first:
                    _refuse_whole(path, label)
                raise
            yield _object(value, f"{label} line {number}")
            first = False


def _refuse_whole(path: Path, label: str) -> None:
    """Refuse a file that is not JSON line by line, but is as a whole.

    Raises:
        DataError: if it is; it says what to do.
    """
    value = _whole(path, label)
    if value is None:
        return
    if isinstance(value, list):
        raise DataError(f"{label}: a JSON list over several lines, where each line must be a row: name the file .json")
    where = [name for name, own in value.items() if isinstance(own, list)] if isinstance(value, dict) else []
    rows = f" (its {where[0]!r} may be the rows)" if where else ""
    raise DataError(
        f"{label}: one JSON {'object' if isinstance(value, dict) else 'value'} over several lines{rows}, where a row a "
        "line is expected, or a list of rows in a file named .json"
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _whole(path: Path, label: str) -> object:
    """Return what a file holds as one JSON value; None where it is none."""
    try:
        return cast("object", json.loads("".join(line for _, line in _lines(path, label))))
    except (ValueError, RecursionError):
        return None


def _json_rows(path: Path, label: str) -> Iterator[PlacedRow]:
    """Read a list of objects; a file that does not begin with ``[`` is one object a line, or one object in all."""
    first = next((line.strip() for _, line in _lines(path, label) if line.strip()), "")
    if not first.startswith("["):
        whole = None if _is_json(first) else _whole(path, label)
        yield from [(label, whole)] if isinstance(whole, dict) else _jsonl_rows(path, label)
        return
    values = _parse_json("".join(line for _, line in _lines(path, label)), label)
    for number, value in enumerate(cast("list[object]", values), start=1):
        yield _object(value, f"{label} row {number}")


def _csv_rows(path: Path, label: str) -> Iterator[PlacedRow]:
    """Read a file whose first record names the columns; every cell is a string."""
    csv.field_size_limit(2**31 - 1)  # the default, 131,072 characters, is less than a long conversation
    header: list[str] | None = None
    reader = csv.reader((line for _, line in _lines(path, label)), strict=True)
    start = 1  # a record may go over several lines; messages name its first
    try:
        for cells in reader:
            place = f"{label} line {start}"
            start = reader.line_num + 1
            if header is None:
                header = cells
                if len(set(header)) < len(header):
                    raise DataError(f"{place}: two columns of the header have the same name")
            elif cells:  # a blank line has none
                if len(cells) != len(header):
                    raise DataError(f"{place}: {len(cells)} cells, but the header names {len(header)} columns")
                yield place, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"{label} line {start}: not CSV ({error})") from error


# --- Parquet ----------------------------------------------------------------------------------------------------


def _parquet_rows(path: Path, label: str) -> Iterator[PlacedRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:  # not read_table, which makes columns of folders named a=b
            rows = (row for batch in file.iter_batches(BATCH) for row in table_rows(batch))
            yield from ((f"{label} row {number}", row) for number, row in enumerate(rows, start=1))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{label}: a damaged or unreadable Parquet file ({reason(error)})") from error


def table_rows(table: pa.Table | pa.RecordBatch) -> list[Row]:
    """Return a table's rows; of tools and their calls without the keys that they have only for others' sake.

    Arrow gives every object of a column all keys of the column, null where the object has none: the arguments of one
    tool's call would have those of every other tool's.
    """
    rows: list[Row] = table.to_pylist()
    if any(f"{key}: " in str(table.schema) for key in _PADDED):
        return [{column: _unpadded(column, value) for column, value in row.items()} for row in rows]
    return rows


def _unpadded(key: str, value: object, *, inside: bool = False) -> object:
    inside = inside or key in _PADDED
    if isinstance(value, dict):
        return {
            name: _unpadded(name, each, inside=inside) for name, each in value.items() if not (inside and each is None)
        }
    return [_unpadded(key, each, inside=inside) for each in value] if isinstance(value, list) else value


_PADDED = ("tools", "tool_calls")

_TEXT: dict[str, Callable[[Path, str], Iterator[PlacedRow]]] = {
    ".jsonl": _jsonl_rows,
    ".ndjson": _jsonl_rows,
    ".json": _json_rows,
    ".csv": _csv_rows,
}
_UNPACK: dict[str, Callable[[Path], object]] = {".gz": gzip.open, ".xz": lzma.open, ".zst": _open_zst}
_PACKED = {f"{suffix}{packed}": reader for packed in _UNPACK for suffix, reader in _TEXT.items()}
_READERS = {**_TEXT, **_PACKED, ".parquet": _parquet_rows}

PACKED_SUFFIXES = tuple(_UNPACK)
"""What the name of a packed text file ends in, after that of its kind."""
DATA_SUFFIXES = tuple(_READERS)
"""The names of data files end in one of these."""

"""Files that grow by whole chunks and get their names at the end: JSON lines and Parquet."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rmeval.data_prep.rows.files import reason
from rmeval.data_prep.rows.stream import RowSource
from rmeval.errors import DataError, RunError
from rmeval.locks import let_go, note, owner, take

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["OUTPUT_SUFFIXES", "Sink", "holds_scores", "open_sink", "writing"]

OUTPUT_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")


def open_sink(path: Path) -> Sink:
    """Return what writes a file of one of ``OUTPUT_SUFFIXES``; nothing is opened yet."""
    return Parquet(path) if path.suffix.lower() == ".parquet" else JsonLines(path)


def holds_scores(path: Path) -> bool:
    """Return whether a finished file may be one that ``rmeval score`` wrote: empty, or with scores beside the rows."""
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            names = set(pq.read_schema(path).names)
        else:
            with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as stream:
                names = set(json.loads(stream.readline() or b'{"score": 0}'))
    except (OSError, EOFError, ValueError, TypeError):
        return False
    of_a_run = {"example_id", "role"} <= names
    return bool(names & {"score", "scores", "score_chosen"}) and not of_a_run


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one line about the output ``path``."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write {path} ({error.strerror or error}); the chunks before are kept") from error


class Sink:
    """One output while it grows: whole chunks are appended to ``<output>.partial``, nothing else is changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.name}.partial")
        self._lock = path.with_name(f"{path.name}.partial.lock")
        self._locked: BinaryIO | None = None

    def open(self, size: int) -> bool:
        """Cut off what stands after ``size`` bytes; return whether there were so many.

        Raises:
            RunError: if the file cannot be written, or another process is writing it.
        """
        with writing(self.path):
            if self._locked is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._locked = take(self._lock, self.path)
                note(self._locked, owner())
            with self.partial.open("ab") as stream:
                if os.fstat(stream.fileno()).st_size < size:
                    return False  # Not cut: that would fill the gap with zeros.
                stream.truncate(size)
                return True

    def is_of_others(self) -> bool:
        """Return whether the partial file is none that rmeval left; to ask where no note says how far it is.

        One that was killed before its first note has left its lock's file.
        """
        with writing(self.path):
            return not self._lock.exists() and self.partial.exists() and self.partial.stat().st_size > 0

    @property
    def finished(self) -> Path:
        """The finished file before it gets its name."""
        return self.partial

    def fingerprint(self) -> str | None:
        """Return the sha256 of the finished output, whatever its name by now; None where there is none."""
        for file in (self.finished, self.path):
            if file.exists():
                with writing(self.path), file.open("rb") as stream:
                    return hashlib.file_digest(stream, "sha256").hexdigest()
        return None

    def drop(self) -> None:
        """Remove a finished output that has not got its name."""
        with writing(self.path):
            self.finished.unlink(missing_ok=True)

    def declare(self, source: RowSource) -> None:
        """Get ready for rows of this data set."""

    def append(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write a chunk; return the size of the file, all of which is on the disk then."""
        content = self.encode(rows)
        with writing(self.path), self.partial.open("ab") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            return stream.tell()

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """Return a chunk as bytes."""
        raise NotImplementedError

    def seal(self) -> None:
        """Write the file as it will be, under another name yet."""

    def publish(self) -> None:
        """Give the file its name, unless it has it."""
        with writing(self.path):
            if self.partial.exists():
                os.replace(self.partial, self.path)

    def close(self, *, remove: bool) -> None:
        """Let others at the file; with ``remove`` the partial one is deleted."""
        if self._locked is None:
            return
        try:
            if remove:
                self.partial.unlink(missing_ok=True)
            # Locked until now: whoever opened it meanwhile sees that it is gone, and makes another.
            self._lock.unlink(missing_ok=True)
        finally:
            let_go(self._lock, self._locked)
            self._locked = None


# --- JSON lines -------------------------------------------------------------------------------------------------


class JsonLines(Sink):
    """JSON lines; with .gz, each chunk is a member of its own, which every reader of gzip takes."""

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """Return a line for each row."""
        content = b"".join(map(_json_line, rows))
        return gzip.compress(content, 6, mtime=0) if self.path.suffix.lower() == ".gz" else content


def _json_line(row: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:  # NaN and infinity are not JSON.
        text = json.dumps(_finite(row), ensure_ascii=False, allow_nan=False, default=_plain)
    # Half a surrogate pair, which JSON can hold and UTF-8 cannot, becomes its escape.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _plain(value: object) -> str:
    """Return a date or time of Parquet as text."""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise DataError(f"a column holds a value that JSON cannot hold ({type(value).__name__}): write .parquet instead")


def _finite(value: object) -> object:
    """Return a value with None where it held NaN or infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


# --- Parquet ----------------------------------------------------------------------------------------------------


class Parquet(Sink):
    """Parquet. While it grows: Arrow streams, a chunk each, one after the other; a row group each at the end.

    The types are the data set's own where it declares them, else what the chunks so far have in common.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._sealed = path.with_name(f"{path.name}.partial.sealed")
        self._declared: pa.Schema | None = None
        self._schema: pa.Schema | None = None

    @property
    def finished(self) -> Path:
        """The sealed file."""
        return self._sealed

    def declare(self, source: RowSource) -> None:
        """Take the types of the data set, and of the chunks that are there."""
        self._declared, self._schema = source.schema(), None
        for table in self._tables():
            self._schema = self._common(table.schema)

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """Return an Arrow stream."""
        import pyarrow as pa

        types = {each.name: each.type for each in self._declared or ()}
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: _column(name, [row.get(name) for row in rows], types.get(name)) for name in names}
        table = pa.table(columns)
        self._schema = self._common(table.schema)
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(table)
        return bytes(stream.getvalue())

    def seal(self) -> None:
        """Write all chunks as one Parquet file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = self._schema if self._schema is not None else pa.schema({})
        try:
            with writing(self.path), pq.ParquetWriter(self._sealed, schema, compression="zstd") as writer:
                for table in self._tables():
                    same = table.schema.equals(schema)
                    writer.write_table(table if same else pa.Table.from_pylist(table.to_pylist(), schema))
            with writing(self.path), self._sealed.open("rb") as stream:
                os.fsync(stream.fileno())
        except (pa.ArrowException, OverflowError) as error:
            raise _unfit("a column", error) from error

    def publish(self) -> None:
        """Give the Parquet file its name, unless it has it, and remove the chunks."""
        with writing(self.path):
            if self._sealed.exists():
                os.replace(self._sealed, self.path)
            self.partial.unlink(missing_ok=True)

    def _tables(self) -> Iterator[pa.Table]:
        import pyarrow as pa

        with pa.OSFile(str(self.partial)) as stream:
            while stream.tell() < stream.size():
                yield pa.ipc.open_stream(stream).read_all()

    def _common(self, schema: pa.Schema) -> pa.Schema:
        """Return the types that hold the chunks so far and one of this schema."""
        import pyarrow as pa

        if self._schema is None:
            return schema
        try:
            return pa.unify_schemas([self._schema, schema], promote_options="permissive")
        except pa.ArrowException as error:
            raise _unfit("a column", error) from error


def _column(name: str, values: list[object], kind: pa.DataType | None) -> pa.Array:
    """Return the values as Arrow's, of the type given or else of their own."""
    import pyarrow as pa

    try:
        try:
            column = pa.array(values, type=kind)
        except UnicodeEncodeError:
            return pa.array(_storable(values), type=kind)
        # Parquet cannot hold objects that never have a key; they become null.
        return pa.array(_storable(values)) if "struct<>" in str(column.type) else column
    except (pa.ArrowException, OverflowError) as error:
        raise _unfit(f"column {name!r}", error) from error


def _storable(value: object) -> object:
    """Return a value with U+FFFD for halves of surrogate pairs, and None for empty objects."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {key: _storable(each) for key, each in value.items()} or None
    return [_storable(each) for each in value] if isinstance(value, list | tuple) else value


def _unfit(what: str, error: Exception) -> DataError:
    return DataError(f"{what} has values that do not fit one Parquet column ({reason(error)}): write .jsonl instead")

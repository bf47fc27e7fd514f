"""The journal: every score that was ever computed, in one SQLite file that survives whatever happens to the process.

A pack of scores is one transaction of a write-ahead log: after a kill at any moment it is there as a whole or not at
all, and several processes may use the file at once. Every value carries a checksum, so that a damaged file can lose
scores but never change one. The file belongs on a local disk: a write-ahead log does not work across machines.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from rmeval.errors import RunError
from rmeval.eval.journal.identity import identity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCORING_VERSION = 3
"""Part of every key; raise it by hand with any change to what a score is (encoding, pooling, precision, kernels)."""

_APPLICATION, _SCHEMA = 0x726D6576, 1  # "rmev" and a version, in the file's header: whose it is.
_TABLES = ("scores", "files")
_ORIGINS = "origins"  # What computed scores, by the first bytes of its hash: beside each score stands which.
_ORIGIN_BYTES = 8
_ANSWERS = "answers"  # What other kinds than the engine's said of an item, as JSON text.
_LATER = (_ORIGINS, _ANSWERS)
_BUSY_SECONDS = 60
_CHECKED_BYTES = 32 << 20  # Files up to here are checked whole when opened (0.15 s), others as they are read.
# An error (1) is that a table is missing or the format unknown: the statements here are right.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_ERROR}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class JournalInfo:
    """What a journal holds."""

    path: Path
    scores: int
    bytes: int
    """Space on disk, the write-ahead log included."""
    set_aside: tuple[Path, ...]
    """Damaged or foreign files that were found in its place; rmeval never reads or deletes them."""


class _DamagedError(sqlite3.DatabaseError):
    sqlite_errorcode = sqlite3.SQLITE_CORRUPT  # Of a kind that SQLite itself does not see.


def journal_path() -> Path:
    """Return where the journal is: ``$RMEVAL_CACHE/scores.sqlite``, else ``~/.cache/rmeval/scores.sqlite``.

    ``RMEVAL_CACHE`` always names the folder, whatever its suffix. ``XDG_CACHE_HOME`` stands for ``~/.cache``.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "")
    root = cache if os.path.isabs(cache) else "~/.cache"  # The XDG rules say to ignore a relative path.
    folder = os.environ.get("RMEVAL_CACHE") or os.path.join(root, "rmeval")
    return Path(os.path.expanduser(folder)) / "scores.sqlite"


def key(context: str, ids: NDArray[np.int32], pooled: int) -> bytes:
    """Return the name of a score: the whole sha256 (32 bytes) of all that decides it.

    That is: token ids, int32 of shape (tokens,); the position of the token the score is read from; and in ``context``
    all the rest: model fingerprint, dtype, device kind, path, …
    """
    head = f"{SCORING_VERSION}\0{len(context)}\0{context}\0{pooled}\0".encode("utf-8", "surrogatepass")
    return hashlib.sha256(head + ids.astype("<i4", copy=False).tobytes()).digest()


class Journal:
    """Scores by key, on disk: for one thread of a process, and any number of processes. A context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.persistent = True
        """False where no file can be used and the scores are in memory only."""
        self.warnings: list[str] = []
        """What the user should know, a line each; may grow with every call."""
        self.origin = ""
        """What computes the scores that are put from now on: versions and hardware, on one line."""
        self._inode = -1
        self._connection = self._connect()

    @classmethod
    def open(cls, path: Path | None = None) -> Self:
        """Open a journal, or begin one; see ``journal_path`` for the default. Never fails for want of a place.

        A file that is damaged, or none of ours, is set aside as ``scores.sqlite.damaged-TIME`` and a new one begun;
        where no file can be used, the scores stay in memory. ``warnings`` says so.
        """
        return cls(journal_path() if path is None else path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._connection.close()

    def get(self, keys: Sequence[bytes]) -> list[float | None]:
        """Return the score kept for each key, None where there is none.

        Raises:
            RunError: if the file cannot be read.
        """
        found = self._run(lambda connection: _select(connection, "scores", keys))
        return [struct.unpack_from("<d", found[name])[0] if name in found else None for name in keys]

    def origins(self, keys: Sequence[bytes]) -> dict[str, int]:
        """Return what computed the scores kept for these keys, and how many each; the errors are those of ``get``."""
        found = self._run(lambda connection: _select(connection, "scores", keys))
        marks = Counter(sealed[8:] for sealed in found.values())
        known = self._run(lambda connection: _select(connection, _ORIGINS, [mark for mark in marks if mark]))
        return {known.get(mark, b"unknown").decode(): count for mark, count in sorted(marks.items())}

    def put(self, keys: Sequence[bytes], values: Sequence[float]) -> None:
        """Keep scores: all of these or, whatever happens, none. A key that is there already keeps its first score.

        Raises:
            RunError: if they cannot be written, as on a full disk. What was kept before is safe.
            ValueError: if there are more keys than values or the other way round.
        """
        text = self.origin.encode()
        mark = hashlib.sha256(text).digest()[:_ORIGIN_BYTES] if text else b""
        rows = [(name, struct.pack("<d", value) + mark) for name, value in zip(keys, values, strict=True)]

        def insert(connection: sqlite3.Connection) -> None:
            if mark:
                _insert(connection, _ORIGINS, [(mark, text)])
            _insert(connection, "scores", rows)

        self._run(insert)

    def answers(self, keys: Sequence[bytes]) -> list[str | None]:
        """Return the answer kept for each key, None where there is none; the errors are those of ``get``."""
        found = self._run(lambda connection: _select(connection, _ANSWERS, keys))
        return [found[name].decode() if name in found else None for name in keys]

    def keep_answers(self, answers: Mapping[bytes, str]) -> None:
        """Keep answers by key: all of these or, whatever happens, none; the errors are those of ``put``."""
        rows = [(name, text.encode()) for name, text in answers.items()]
        self._run(lambda connection: _insert(connection, _ANSWERS, rows))

    def fingerprint(self, files: Sequence[Path], compute: Callable[[], str]) -> str:
        """Return ``compute()``, or what it returned the last time for the same unchanged files.

        ``files`` are all files that ``compute`` reads, in any order; one set of files has one kind of digest. A file is
        unchanged while its resolved path, size and times (in nanoseconds) are. Files that changed less than 2 s ago,
        or while they were read, are computed and not remembered. The errors are those of ``put`` and of ``compute``.
        """
        name = identity(files, SCORING_VERSION)
        if name is None:
            return compute()
        found = self._run(lambda connection: _select(connection, "files", [name]))
        if name in found:
            return found[name].decode()
        digest = compute()
        if identity(files, SCORING_VERSION) == name:
            self._run(lambda connection: _insert(connection, "files", [(name, digest.encode())]))
        return digest

    def info(self) -> JournalInfo:
        """Count what is in the journal; the errors are those of ``get``."""
        count = self._run(lambda connection: sum(_count(connection, table) for table in ("scores", _ANSWERS)))
        parts = [self.path.with_name(self.path.name + part) for part in ("", "-wal", "-shm")]
        size = sum(part.stat().st_size for part in parts if self.persistent and part.exists())
        return JournalInfo(self.path, count, size, tuple(sorted(self.path.parent.glob(f"{self.path.name}.damaged-*Z"))))

    def clear(self) -> None:
        """Remove all scores and fingerprints and give their space back; the errors are those of ``put``."""
        tables = (*_TABLES, *_LATER)
        self._run(lambda connection: [connection.execute(f"DELETE FROM {table}") for table in tables])  # noqa: S608
        with suppress(sqlite3.Error):  # Where another process is reading, the space comes back when it ends.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _run(self, work: Callable[[sqlite3.Connection], _T], *, again: bool = False) -> _T:
        """Do something in one transaction; where the file turns out to be damaged, do it again in a new one."""
        try:
            with self._connection as connection:
                return work(connection)
        except sqlite3.Error as error:
            if again or _code(error) not in _DAMAGE:
                raise self._explain(error) from None
            self._connection.close()
            self._connection = self._connect(str(error))
        return self._run(work, again=True)

    def _connect(self, damage: str | None = None) -> sqlite3.Connection:
        """Open the file, or one in memory; ``damage`` says what is wrong with the file that was open until now."""
        try:
            self.path = self.path.expanduser()
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone_in(self.path.parent):
                if damage and self.path.exists() and self.path.stat().st_ino == self._inode:
                    self._set_aside(damage)  # Else another process has done so.
                try:
                    connection = _open_file(self.path)
                except sqlite3.Error as error:
                    if _code(error) not in _DAMAGE:
                        raise
                    self._set_aside(str(error))
                    connection = _open_file(self.path)
                self._inode = self.path.stat().st_ino
            return connection
        except (OSError, RuntimeError, sqlite3.Error) as error:  # RuntimeError: there is no home.
            self.persistent = False
            self.warnings.append(f"no scores will be kept for later runs: {self.path} cannot be used ({error})")
            return _open_file(":memory:")

    def _set_aside(self, reason: str) -> None:
        target = f"{self.path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        for part in ("-journal", "-wal", "-shm", ""):  # The file itself last: a new one must not meet an old log.
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + part).rename(self.path.with_name(target + part))
        self.warnings.append(f"{self.path} was set aside as {target} and a new one begun: {reason}")

    def _explain(self, error: sqlite3.Error) -> RunError:
        kept = f"the scores so far are kept in {self.path}"
        if _code(error) == sqlite3.SQLITE_FULL:
            return RunError(f"the disk is full; {kept}; free space and run the same command again")
        if _code(error) == sqlite3.SQLITE_BUSY:
            return RunError(f"another process has held the journal for {_BUSY_SECONDS} s; {kept}; try again later")
        return RunError(f"cannot use the journal ({error}); {kept}; mend that, or run again with --no-cache")


def _open_file(name: Path | str) -> sqlite3.Connection:
    head = _head(name) if isinstance(name, Path) and name.exists() else b""
    # SQLite would take the one for a new file, and open the other for reading only (its format, section 1.3.4).
    if head and (len(head) < 512 or max(head[18:20]) > 2):
        raise _DamagedError("it is shorter than any journal, or of a version that no SQLite writes")
    with ExitStack() as stack:
        connection = sqlite3.connect(name, timeout=_BUSY_SECONDS, isolation_level="IMMEDIATE")
        stack.callback(connection.close)
        connection.text_factory = bytes  # Damage can turn a value into text that is none.
        _prepare(connection)
        stack.pop_all()  # It stays open.
    return connection


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(512)


def _prepare(connection: sqlite3.Connection) -> None:
    """Check that the file is ours and whole, or make the tables in an empty one; never write to a foreign file."""

    def ask(question: str) -> int:
        return int(connection.execute(question).fetchone()[0])

    owner = ask("PRAGMA application_id"), ask("PRAGMA user_version")
    new = owner == (0, 0) and not ask("SELECT count(*) FROM sqlite_master")
    if not new and owner != (_APPLICATION, _SCHEMA):
        raise _DamagedError(f"it is not a journal of this rmeval (owner {owner[0]:#x}, version {owner[1]})")
    connection.execute("PRAGMA auto_vacuum = FULL")  # Of a new file: what is removed gives its space back.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # A power cut may lose the last packs; a kill loses none.
    if new:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for table in _TABLES:
                connection.execute(f"CREATE TABLE {table} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA}")
    for table in _TABLES:
        connection.execute(f"SELECT key, value FROM {table} LIMIT 1").fetchone()  # noqa: S608
    # Journals of 0.1 have no such tables; an rmeval that knows none is not disturbed by them.
    for table in _LATER:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
        )
    small = ask("PRAGMA page_count") * ask("PRAGMA page_size") <= _CHECKED_BYTES
    if small and connection.execute("PRAGMA quick_check(1)").fetchone()[0] != b"ok":
        raise _DamagedError("the file is damaged")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time open or set aside a journal; the system drops the lock with the process."""
    with ExitStack() as stack:
        with suppress(ImportError, OSError):  # Windows and some file systems cannot; SQLite's locks guard the contents.
            import fcntl

            stack.callback(os.close, handle := os.open(folder, os.O_RDONLY))
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # The primary code; 0 where the error is Python's own.


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def _select(connection: sqlite3.Connection, table: str, keys: Iterable[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    wanted = sorted(set(keys))  # Neighbours share pages of the file.
    size = min(30_000, connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))
    for start in range(0, len(wanted), size):
        chunk = wanted[start : start + size]
        query = f"SELECT key, value FROM {table} WHERE key IN ({','.join('?' * len(chunk))})"  # noqa: S608
        for name, sealed in connection.execute(query, chunk):
            if not isinstance(sealed, bytes) or sealed[-4:] != _checksum(name, sealed[:-4]):
                raise _DamagedError("a value does not match its checksum")
            found[name] = sealed[:-4]
    return found


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
    statement = f"INSERT INTO {table} VALUES (?, ?) ON CONFLICT (key) DO NOTHING"  # noqa: S608
    connection.executemany(statement, [(name, value + _checksum(name, value)) for name, value in rows])


def _checksum(name: bytes, value: bytes) -> bytes:
    return zlib.crc32(value, zlib.crc32(name)).to_bytes(4, "little")  # SQLite has none of its own.

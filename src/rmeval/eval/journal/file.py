"""The file of the journal: opened, or begun; found damaged, set aside and begun anew; every error said in one line."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from rmeval.errors import RunError

__all__ = ["ANSWERS", "FILES", "ORIGINS", "SCORES", "TABLES", "DamagedError", "JournalFile"]

_APPLICATION, _SCHEMA = 0x726D6576, 1  # "rmev" and a version, in the file's header: whose it is.
SCORES, FILES = "scores", "files"
ORIGINS = "origins"  # What computed scores, by the first bytes of its hash: beside each score stands which.
ANSWERS = "answers"  # What other kinds than the engine's said of an item, as JSON text.
_FIRST, _LATER = (SCORES, FILES), (ORIGINS, ANSWERS)
TABLES = (*_FIRST, *_LATER)
_BUSY_SECONDS = 60
_CHECKED_BYTES = 32 << 20  # Files up to here are checked whole when opened (0.15 s), others as they are read.
# An error (1) is that a table is missing or the format unknown: the statements here are right.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_ERROR}
_ERRORS = (sqlite3.Error, UnicodeDecodeError)
_T = TypeVar("_T")


class DamagedError(sqlite3.DatabaseError):
    """The file is damaged, in a way that SQLite itself does not see."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class JournalFile:
    """A connection to the file, or to one in memory where no file can be used; another one when the file is damaged.

    Args:
        path: Where the file is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.persistent = True
        """False where no file can be used and what is kept is in memory only."""
        self.warnings: list[str] = []
        """What the user should know, a line each; may grow with every call."""
        self._inode = -1
        self.connection = self._connect()

    def close(self) -> None:
        """Close it; a second call does nothing."""
        self.connection.close()

    def run(self, work: Callable[[sqlite3.Connection], _T], *, again: bool = False) -> _T:
        """Do something in one transaction; where the file turns out to be damaged, do it again in a new one.

        Raises:
            RunError: if it cannot be done, as on a full disk. What was kept before is safe.
        """
        try:
            with self.connection as connection:
                return work(connection)
        except _ERRORS as error:
            if again or _code(error) not in _DAMAGE:
                raise self._explain(error) from None
            self.connection.close()
            self.connection = self._connect(str(error))
        return self.run(work, again=True)

    def _connect(self, damage: str | None = None) -> sqlite3.Connection:
        """Open the file, or one in memory; ``damage`` says what is wrong with the file that was open until now."""
        try:
            self.path = self.path.expanduser()
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone_in(self.path.parent):
                if damage and self.path.exists() and self.path.stat().st_ino == self._inode:
                    self._set_aside(damage)  # Else another process has done so.
                try:
                    connection = _open(self.path)
                except _ERRORS as error:
                    if _code(error) not in _DAMAGE:
                        raise
                    self._set_aside(str(error))
                    connection = _open(self.path)
                self._inode = self.path.stat().st_ino
            return connection
        except (OSError, RuntimeError, sqlite3.Error) as error:  # RuntimeError: there is no home.
            self.persistent = False
            self.warnings.append(f"no scores will be kept for later runs: {self.path} cannot be used ({error})")
            return _open(":memory:")

    def _set_aside(self, reason: str) -> None:
        target = f"{self.path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        for part in ("-journal", "-wal", "-shm", ""):  # The file itself last: a new one must not meet an old log.
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + part).rename(self.path.with_name(target + part))
        self.warnings.append(f"{self.path} was set aside as {target} and a new one begun: {reason}")

    def _explain(self, error: Exception) -> RunError:
        kept = f"the scores so far are kept in {self.path}"
        if _code(error) == sqlite3.SQLITE_FULL:
            return RunError(f"the disk is full; {kept}; free space and run the same command again")
        if _code(error) == sqlite3.SQLITE_BUSY:
            return RunError(f"another process has held the journal for {_BUSY_SECONDS} s; {kept}; try again later")
        return RunError(f"cannot use the journal ({error}); {kept}; mend that, or run again with --no-cache")


def _open(name: Path | str) -> sqlite3.Connection:
    head = _head(name) if isinstance(name, Path) and name.exists() else b""
    # SQLite would take the one for a new file, and open the other for reading only (its format, section 1.3.4).
    if head and (len(head) < 512 or max(head[18:20]) > 2):
        raise DamagedError("it is shorter than any journal, or of a version that no SQLite writes")
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
        raise DamagedError(f"it is not a journal of this rmeval (owner {owner[0]:#x}, version {owner[1]})")
    connection.execute("PRAGMA auto_vacuum = FULL")  # Of a new file: what is removed gives its space back.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # A power cut may lose the last packs; a kill loses none.
    if new:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for table in _FIRST:
                connection.execute(f"CREATE TABLE {table} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA}")
    for table in _FIRST:
        connection.execute(f"SELECT key, value FROM {table} LIMIT 1").fetchone()  # noqa: S608
    # Journals of 0.1 have no such tables; an rmeval that knows none is not disturbed by them.
    for table in _LATER:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
        )
    small = ask("PRAGMA page_count") * ask("PRAGMA page_size") <= _CHECKED_BYTES
    if small and connection.execute("PRAGMA quick_check(1)").fetchone()[0] != b"ok":
        raise DamagedError("the file is damaged")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time open or set aside a journal; the system drops the lock with the process."""
    with ExitStack() as stack:
        with suppress(ImportError, OSError):  # Windows and some file systems cannot; SQLite's locks guard the contents.
            import fcntl

            stack.callback(os.close, handle := os.open(folder, os.O_RDONLY))
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _code(error: Exception) -> int:
    if isinstance(error, UnicodeDecodeError):  # SQLite names what is damaged, in the bytes that are there now.
        return sqlite3.SQLITE_CORRUPT
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # The primary code; 0 where the error is Python's own.

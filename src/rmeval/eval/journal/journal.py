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
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rmeval.eval.journal.file import ANSWERS, FILES, ORIGINS, SCORES, TABLES, DamagedError, JournalFile
from rmeval.eval.journal.key import SCORING_VERSION
from rmeval.eval.journal.unchanged import identity

if TYPE_CHECKING:
    pass

_ORIGIN_BYTES = 8


@dataclass(frozen=True, slots=True)
class JournalInfo:
    """What a journal holds."""

    path: Path
    scores: int
    bytes: int
    """Space on disk, the write-ahead log included."""
    set_aside: tuple[Path, ...]
    """Damaged or foreign files that were found in its place; rmeval never reads or deletes them."""


def journal_path() -> Path:
    """Return where the journal is: ``$RMEVAL_CACHE/scores.sqlite``, else ``~/.cache/rmeval/scores.sqlite``.

    ``RMEVAL_CACHE`` always names the folder, whatever its suffix. ``XDG_CACHE_HOME`` stands for ``~/.cache``.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "")
    root = cache if os.path.isabs(cache) else "~/.cache"  # The XDG rules say to ignore a relative path.
    folder = os.environ.get("RMEVAL_CACHE") or os.path.join(root, "rmeval")
    return Path(os.path.expanduser(folder)) / "scores.sqlite"


class Journal:
    """Scores by key, on disk: for one thread of a process, and any number of processes. A context manager."""

    def __init__(self, path: Path) -> None:
        self._file = JournalFile(path)
        self.origin = ""
        """What computes the scores that are put from now on: versions and hardware, on one line."""

    @classmethod
    def open(cls, path: Path | None = None) -> Self:
        """Open a journal, or begin one; see ``journal_path`` for the default. Never fails for want of a place.

        A file that is damaged, or none of ours, is set aside as ``scores.sqlite.damaged-TIME`` and a new one begun;
        where no file can be used, the scores stay in memory. ``warnings`` says so.
        """
        return cls(journal_path() if path is None else path)

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._file.path

    @property
    def persistent(self) -> bool:
        """False where no file can be used and the scores are in memory only."""
        return self._file.persistent

    @property
    def warnings(self) -> list[str]:
        """What the user should know, a line each; may grow with every call."""
        return self._file.warnings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def get(self, keys: Sequence[bytes]) -> list[float | None]:
        """Return the score kept for each key, None where there is none.

        Raises:
            RunError: if the file cannot be read.
        """
        found = self._file.run(lambda connection: _select(connection, SCORES, keys))
        return [struct.unpack_from("<d", found[name])[0] if name in found else None for name in keys]

    def origins(self, keys: Sequence[bytes]) -> dict[str, int]:
        """Return what computed the scores kept for these keys, and how many each; the errors are those of ``get``."""
        found = self._file.run(lambda connection: _select(connection, SCORES, keys))
        marks = Counter(sealed[8:] for sealed in found.values())
        known = self._file.run(lambda connection: _select(connection, ORIGINS, [mark for mark in marks if mark]))
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
            """Write the scores, after what computed them."""
            if mark:
                _insert(connection, ORIGINS, [(mark, text)])
            _insert(connection, SCORES, rows)

        self._file.run(insert)

    def answers(self, keys: Sequence[bytes]) -> list[str | None]:
        """Return the answer kept for each key, None where there is none; the errors are those of ``get``."""
        found = self._file.run(lambda connection: _select(connection, ANSWERS, keys))
        return [found[name].decode() if name in found else None for name in keys]

    def keep_answers(self, answers: Mapping[bytes, str]) -> None:
        """Keep answers by key: all of these or, whatever happens, none; the errors are those of ``put``."""
        rows = [(name, text.encode()) for name, text in answers.items()]
        self._file.run(lambda connection: _insert(connection, ANSWERS, rows))

    def fingerprint(self, files: Sequence[Path], compute: Callable[[], str]) -> str:
        """Return ``compute()``, or what it returned the last time for the same unchanged files.

        ``files`` are all files that ``compute`` reads, in any order; one set of files has one kind of digest. A file is
        unchanged while its resolved path, size and times (in nanoseconds) are. Files that changed less than 2 s ago,
        or while they were read, are computed and not remembered. The errors are those of ``put`` and of ``compute``.
        """
        name = identity(files, SCORING_VERSION)
        if name is None:
            return compute()
        found = self._file.run(lambda connection: _select(connection, FILES, [name]))
        if name in found:
            return found[name].decode()
        digest = compute()
        if identity(files, SCORING_VERSION) == name:
            self._file.run(lambda connection: _insert(connection, FILES, [(name, digest.encode())]))
        return digest

    def info(self) -> JournalInfo:
        """Count what is in the journal; the errors are those of ``get``."""
        count = self._file.run(lambda connection: sum(_count(connection, table) for table in (SCORES, ANSWERS)))
        parts = [self.path.with_name(self.path.name + part) for part in ("", "-wal", "-shm")]
        size = sum(part.stat().st_size for part in parts if self.persistent and part.exists())
        return JournalInfo(self.path, count, size, tuple(sorted(self.path.parent.glob(f"{self.path.name}.damaged-*Z"))))

    def clear(self) -> None:
        """Remove all scores and fingerprints and give their space back; the errors are those of ``put``."""
        self._file.run(lambda connection: [connection.execute(f"DELETE FROM {table}") for table in TABLES])  # noqa: S608
        with suppress(sqlite3.Error):  # Where another process is reading, the space comes back when it ends.
            self._file.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


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
                raise DamagedError("a value does not match its checksum")
            found[name] = sealed[:-4]
    return found


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
    statement = f"INSERT INTO {table} VALUES (?, ?) ON CONFLICT (key) DO NOTHING"  # noqa: S608
    connection.executemany(statement, [(name, value + _checksum(name, value)) for name, value in rows])


def _checksum(name: bytes, value: bytes) -> bytes:
    return zlib.crc32(value, zlib.crc32(name)).to_bytes(4, "little")  # SQLite has none of its own.

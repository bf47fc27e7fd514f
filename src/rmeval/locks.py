"""One process at a time in a folder or at a file: a lock that dies with its process, and a file that says who holds it.

A folder's also lists what an unfinished output has taken for its own; ``rmeval.files`` says what that is for.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from rmeval.errors import RunError

__all__ = ["LOCK", "check_not_held", "claims", "is_of", "let_go", "lock", "note", "owner", "take", "writing_to"]

LOCK = ".rmeval.lock"
"""One JSON object a line: who writes, or which files it takes. A last line that a kill cut off does not count."""
_held: set[Path] = set()
"""Files whose lock this process has: locks of the system do not keep a process from itself."""


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one line about the folder."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write to the output folder {path}: {error.strerror or error}") from None


def check_not_held(path: Path, file: Path | None = None) -> None:
    """Before the lock's file is opened: to close a file is to let go of all locks that a process has on it.

    Args:
        path: what is written to.
        file: the lock's file; that of the folder ``path`` if not given.

    Raises:
        RunError: if this process has the lock.
    """
    if (file or path / LOCK).resolve() in _held:
        raise RunError(f"another rmeval is writing to {path}: this process itself, which has not finished there")


def take(file: Path, path: Path) -> BinaryIO:
    """Lock a file for whoever writes to ``path``; nothing else may be in it.

    Returns:
        What ``let_go`` takes.

    Raises:
        RunError: if another process, or this one, has it.
        OSError: if the file cannot be written.
    """
    check_not_held(path, file)
    stream = _take(file)
    if stream is None:
        raise RunError(f"another rmeval is writing to {path}{_holder(file)}: wait for it, or stop it")
    _held.add(file.resolve())
    return stream


def let_go(file: Path, stream: BinaryIO) -> None:
    """Give up the lock of a file, which may be gone by now."""
    _held.discard(file.resolve())
    stream.close()


@contextmanager
def lock(path: Path) -> Iterator[BinaryIO]:
    """Hold the lock of a folder.

    Raises:
        RunError: if another process, or this one, has it; or if the folder cannot be written.
    """
    with writing_to(path):
        stream = take(path / LOCK, path)
    try:
        yield stream
    finally:
        let_go(path / LOCK, stream)


def owner() -> dict[str, object]:
    """Return what a lock's file says of this process."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now(UTC):%F %T} UTC"}


def _take(file: Path) -> BinaryIO | None:
    """Open a file and lock it; None where another process has it."""
    while True:
        stream = file.open("a+b")
        if not _try(stream):
            stream.close()
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), file.stat()):
                return stream
        stream.close()  # The one before deleted the file that was opened here: there is a new one, or none.


def _try(stream: BinaryIO) -> bool:
    """Lock a stream's file for this process alone; return whether that could be done.

    POSIX locks (``fcntl.lockf``), not ``flock`` as of the package filelock: the workers that a process forks inherit a
    ``flock``, and those that outlive a killed parent would keep it.
    """
    try:
        import fcntl
    except ImportError:  # Windows: there, two at once are the user's to avoid.
        return True
    try:
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # A file system that knows no locks; two at once are the user's to avoid, as on Windows.
        return True
    return True


def note(stream: BinaryIO, entry: dict[str, object]) -> None:
    """Append a note to the lock's file, on the disk when this returns.

    Raises:
        OSError: if that cannot be done.
    """
    stream.write(json.dumps(entry).encode() + b"\n")
    stream.flush()
    os.fsync(stream.fileno())


def _entries(content: bytes) -> list[dict[str, object]]:
    """Return the notes in a lock's file."""
    found = []
    for line in content.splitlines():
        with suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                found.append(entry)
    return found


def claims(file: Path, stream: BinaryIO, what: str) -> set[str]:
    """Return the files that an unfinished output of this kind had taken."""
    stream.seek(0)
    content = stream.read()
    if content and not content.endswith(b"\n"):  # Cut off by a kill.
        with writing_to(file.parent):
            stream.write(b"\n")
    claims = [entry.get("files") for entry in _entries(content) if entry.get("what") == what]
    return {name for names in claims if isinstance(names, list) for name in names if isinstance(name, str)}


def is_of(file: Path, what: str) -> bool:
    """Return whether an unfinished output of this kind is there. Not for a folder that this process holds."""
    try:
        return any(entry.get("what") == what for entry in _entries(file.read_bytes()))
    except OSError:
        return False


def _holder(file: Path) -> str:
    """Say who has a lock, as far as its file tells."""
    try:
        owners = [entry for entry in _entries(file.read_bytes()) if "pid" in entry]
    except OSError:
        owners = []
    if not owners:
        return ""
    last = owners[-1]
    return f" (process {last.get('pid')} on {last.get('host')}, since {last.get('since')})"

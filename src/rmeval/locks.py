"""One process at a time in a folder: a lock that dies with its process, and a file that says who holds it.

The file also lists what an unfinished output has taken for its own; ``rmeval.files`` says what that is for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rmeval.errors import RunError

__all__ = ["LOCK", "check_not_held", "claims", "is_of", "lock", "note", "writing_to"]

LOCK = ".rmeval.lock"
"""One JSON object a line: who writes, or which files it takes. A last line that a kill cut off does not count."""
_held: set[Path] = set()
"""Folders that this process holds: locks of the system do not keep a process from itself."""


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one line about the folder."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write to the output folder {path}: {error.strerror or error}") from None


def check_not_held(path: Path) -> None:
    """Before a file of the folder is opened: to close a file is to let go of all locks that a process has on it."""
    if path.resolve() in _held:
        raise RunError(f"another rmeval is writing to {path}: this process itself, which has not finished there")


@contextmanager
def lock(path: Path) -> Iterator[BinaryIO]:
    """Hold the lock of a folder.

    Raises:
        RunError: if another process, or this one, has it; or if the folder cannot be written.
    """
    place = path.resolve()
    with writing_to(path):
        stream = _take(path / LOCK)
    if stream is None:
        raise RunError(f"another rmeval is writing to {path}{_holder(path / LOCK)}: wait for it, or stop it")
    _held.add(place)
    try:
        yield stream
    finally:
        _held.discard(place)
        stream.close()


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


def note(stream: BinaryIO, path: Path, entry: dict[str, object]) -> None:
    """Append a note to the lock's file, on the disk when this returns.

    Raises:
        RunError: if that cannot be done.
    """
    with writing_to(path):
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

"""Writing to disk: files whole or not at all; folders by one process at a time, and nothing of the user's replaced.

Every verb with an ``--output-dir`` goes through ``output_folder``. While it runs, and after it was killed, the folder
has the file ``.rmeval.lock``: who writes there, and which files it has taken for its own. A file that is there and was
not written by rmeval is never replaced and never deleted, whatever it is called.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from rmeval.errors import RmevalError, RunError

__all__ = ["LOCK", "OutputFolder", "output_folder", "replacing", "room", "write_text"]

LOCK = ".rmeval.lock"
"""One JSON object a line: who writes, or which files it takes. A last line that a kill cut off does not count."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TORCH = ("PytorchStreamWriter failed writing", "inline_container.cc")
"""What torch says where a file could not be written to its end, whatever the reason."""
_NAMED = 3
"""Files that a message names."""
_held: set[Path] = set()
"""Folders that this process holds: locks of the system do not keep a process from itself."""


# --- files ------------------------------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of a temporary file beside ``path``, which takes its place once the block is through.

    Raises:
        OSError: if it cannot be written; what was at ``path`` is still there then, and the temporary file is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def room(path: Path) -> Iterator[None]:
    """Turn what any library raises where the disk is full into one line about ``path``.

    Raises:
        RunError: if it is.
    """
    try:
        yield
    except RmevalError:
        raise
    except Exception as error:
        if not _is_full(error):
            raise
        raise RunError(
            f"cannot write to {path}: {' '.join(str(error).split())[:200]}; make room, and give the same command "
            "again: it goes on"
        ) from error


def _is_full(error: BaseException | None) -> bool:
    """Return whether the disk, a quota or a limit on the size of files is behind an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        # safetensors and torch have errors of their own, which say it in words alone.
        if any(words in str(error) for words in (*map(os.strerror, _FULL), *_TORCH)):
            return True
        error = error.__cause__ or error.__context__
    return False


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8, whole or not at all.

    Raises:
        RunError: if it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None


# --- folders ----------------------------------------------------------------------------------------------------


class OutputFolder:
    """A folder that this process holds. Names are paths below it, with ``/``."""

    def __init__(self, path: Path, what: str, stream: BinaryIO, owned: Iterable[str]) -> None:
        self.path = path
        self.owned = set(owned)
        """What rmeval wrote here, or was about to write."""
        self._what, self._stream = what, stream

    def check(self, names: Iterable[str]) -> None:
        """See that files may be written.

        Raises:
            RunError: if one is there that rmeval did not write.
        """
        foreign = [name for name in names if name not in self.owned and os.path.lexists(self.path / name)]
        if foreign:
            raise RunError(
                f"{self.path} holds {_some(foreign)}, which rmeval did not write and would replace: move it away and "
                "give the same command again, or choose another --output-dir"
            )

    def claim(self, names: Iterable[str]) -> None:
        """Note that files are about to be written: from now on they are rmeval's, after a kill as well.

        Raises:
            RunError: if one is there that rmeval did not write, or no note can be taken.
        """
        new = sorted(set(names) - self.owned)
        self.check(new)
        if new:
            _note(self._stream, self.path, {"what": self._what, "files": new})
            self.owned.update(new)

    def remove(self, names: Iterable[str]) -> None:
        """Delete files that are rmeval's, and the folders below this one that have nothing left in them.

        Raises:
            OSError: if one cannot be deleted.
        """
        gone = sorted(self.owned.intersection(names))
        for name in gone:
            (self.path / name).unlink(missing_ok=True)
        folders = {parent for name in gone for parent in Path(name).parents if parent != Path(".")}
        for folder in sorted(folders, key=lambda folder: -len(folder.parts)):
            with suppress(OSError):  # Not empty, or not there.
                (self.path / folder).rmdir()


@contextmanager
def output_folder(
    path: Path,
    *,
    what: str,
    mark: str,
    overwrite: bool,
    written: Callable[[], Iterable[str]],
    unfinished: str | None = None,
    alone: bool = False,
) -> Iterator[OutputFolder]:
    """Make a folder, see that it may be written to, and keep other processes off it: before the work, not after.

    The lock is the system's, and a process of its own has it: it is gone with the process, however that ends, and the
    workers that it forked do not inherit it. A folder that was made here and stayed empty is gone afterwards.

    Args:
        path: the folder.
        what: what is written, for messages: ``run``.
        mark: the file that is written last; where it is, the output is finished.
        overwrite: whether a finished one may be replaced.
        written: called where ``mark`` is there; the files that the finished output says are its own.
        unfinished: a file below the folder which says that an unfinished one is there, should the lock's file be lost;
            the folder that it lies in is rmeval's then.
        alone: whether nothing else may be in the folder, hidden files excepted: it is used as a whole.

    Raises:
        RunError: if another process writes there, if it holds a finished output that may not be replaced or files of
            somebody else's, or cannot be written.
    """
    with _readable(path):
        existed = path.exists()
        _check_not_held(path)
        _check_finished(path, what, mark, overwrite)
        signs = [path / each for each in (mark, unfinished) if each is not None]
        if alone and existed and not any(map(Path.exists, signs)):
            _check_alone(path, what)
        path.mkdir(parents=True, exist_ok=True)
    try:
        with _lock(path) as stream:
            _check_finished(path, what, mark, overwrite)  # Another one may have finished meanwhile.
            folder = OutputFolder(path, what, stream, _claims(path / LOCK, stream, what))
            try:
                if (path / mark).exists():
                    folder.owned.update((mark, *written()))
                if unfinished is not None and (path / unfinished).exists():
                    folder.owned.add(Path(unfinished).parts[0])
                owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now(UTC):%F %T} UTC"}
                _note(stream, path, {"what": what, **owner, "files": sorted(folder.owned)})
                yield folder
            finally:
                left = any((path / each).exists() for each in folder.owned)
                if (path / mark).exists() or not left:
                    with suppress(OSError):
                        (path / LOCK).unlink()
    finally:
        if not existed:
            with suppress(OSError):  # Something was written to it.
                path.rmdir()


def _check_not_held(path: Path) -> None:
    """Before a file of the folder is opened: to close a file is to let go of all locks that a process has on it."""
    if path.resolve() in _held:
        raise RunError(f"another rmeval is writing to {path}: this process itself, which has not finished there")


def _check_finished(path: Path, what: str, mark: str, overwrite: bool) -> None:
    if path.exists() and not path.is_dir():
        raise RunError(f"cannot write to the output folder {path}: it is a file; --output-dir takes a folder")
    if (path / mark).exists() and not overwrite:
        raise RunError(f"{path} holds a finished {what}; choose another --output-dir or pass --overwrite")


def _check_alone(path: Path, what: str) -> None:
    others = sorted(each.name for each in path.iterdir() if not each.name.startswith("."))
    if others and not _is_of(path / LOCK, what):
        raise RunError(f"{path} holds other files and no {what} ({_some(others)}); choose another --output-dir")


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one line about the folder."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write to the output folder {path}: {error.strerror or error}") from None


# --- the lock ---------------------------------------------------------------------------------------------------


@contextmanager
def _lock(path: Path) -> Iterator[BinaryIO]:
    """Hold the lock of a folder.

    Raises:
        RunError: if another process, or this one, has it; or if the folder cannot be written.
    """
    place = path.resolve()
    with _readable(path):
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


def _note(stream: BinaryIO, path: Path, entry: dict[str, object]) -> None:
    with _readable(path):
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


def _claims(file: Path, stream: BinaryIO, what: str) -> set[str]:
    """Return the files that an unfinished output of this kind had taken."""
    stream.seek(0)
    content = stream.read()
    if content and not content.endswith(b"\n"):  # Cut off by a kill.
        with _readable(file.parent):
            stream.write(b"\n")
    claims = [entry.get("files") for entry in _entries(content) if entry.get("what") == what]
    return {name for names in claims if isinstance(names, list) for name in names if isinstance(name, str)}


def _is_of(file: Path, what: str) -> bool:
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

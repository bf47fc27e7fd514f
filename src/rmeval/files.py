"""Writing to disk: files whole or not at all; folders by one process at a time, and nothing of the user's replaced.

Every verb with an ``--output-dir`` goes through ``output_folder``. While it runs, and after it was killed, the folder
has the file ``.rmeval.lock``: who writes there, and which files it has taken for its own. A file that is there and was
not written by rmeval is never replaced and never deleted, whatever it is called.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rmeval.errors import RmevalError, RunError
from rmeval.locks import LOCK, check_not_held, claims, is_of, lock, note, owner, writing_to

__all__ = [
    "LOCK",
    "OutputFolder",
    "check_own",
    "output_folder",
    "replacing",
    "replacing_all",
    "room",
    "write_own",
    "write_text",
]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TORCH = ("PytorchStreamWriter failed writing", "inline_container.cc")
"""What torch says where a file could not be written to its end, whatever the reason."""
_BEGINNING = 8192
"""Bytes of a file in which its mark stands."""
_NAMED = 3
"""Files that a message names."""


# --- files ------------------------------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of a temporary file beside ``path``, which takes its place once the block is through.

    Raises:
        OSError: if it cannot be written, or is a folder or a device; what was at ``path`` is still there then, and the
            temporary file is gone.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_all([path]) as (temporary,):
        yield temporary


@contextmanager
def replacing_all(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Give the names of temporary files beside ``paths``, which take their places in order once the block is through.

    Raises:
        OSError: if one cannot be written, as where its folder is not there. Before the first takes its place all of
            them are written; no temporary file is left.
    """
    temporary = [path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in paths]
    try:
        yield temporary
        for written, path in zip(temporary, paths, strict=True):
            os.replace(written, path)
    except BaseException:
        for written in temporary:
            with suppress(OSError):
                written.unlink()
        raise


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


def write_own(path: Path, text: str, mark: str) -> None:
    """Write a file that stands by itself, such as a page of runs; one that is there is replaced if rmeval wrote it.

    Args:
        path: The file.
        text: Its content.
        mark: What stands near the beginning of all files of this kind that rmeval writes, and of no others.

    Raises:
        RunError: if somebody else's file is there, or it cannot be written.
    """
    check_own(path, mark)
    write_text(path, text)


def check_own(path: Path, mark: str) -> None:
    """See that a file may be written: nothing is there, or an empty file, or one of this kind that rmeval wrote.

    Raises:
        RunError: if not.
    """
    if not path.is_file():  # Not there; or a folder or a pipe, and to write it says so.
        return
    try:
        with path.open("rb") as stream:
            beginning = stream.read(_BEGINNING)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None
    if beginning and mark.encode() not in beginning:
        raise RunError(f"{path} is there and rmeval did not write it: move it away, or write to another file")


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
            with writing_to(self.path):
                note(self._stream, {"what": self._what, "files": new})
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
    with writing_to(path):
        existed = path.exists()
        check_not_held(path)
        _check_finished(path, what, mark, overwrite)
        signs = [path / each for each in (mark, unfinished) if each is not None]
        if alone and existed and not any(map(Path.exists, signs)):
            _check_alone(path, what)
        path.mkdir(parents=True, exist_ok=True)
    try:
        with lock(path) as stream:
            _check_finished(path, what, mark, overwrite)  # Another one may have finished meanwhile.
            folder = OutputFolder(path, what, stream, claims(path / LOCK, stream, what))
            try:
                folder.owned = _owned(folder, mark, written, unfinished)
                with writing_to(path):
                    note(stream, {"what": what, **owner(), "files": sorted(folder.owned)})
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


def _owned(folder: OutputFolder, mark: str, written: Callable[[], Iterable[str]], unfinished: str | None) -> set[str]:
    """Return what in a folder is rmeval's: what the lock's file lists, a finished output and an unfinished one."""
    owned = set(folder.owned)
    if (folder.path / mark).exists():
        owned.update((mark, *written()))
    if unfinished is not None and (folder.path / unfinished).exists():
        owned.add(Path(unfinished).parts[0])
    # A list in a file may be anybody's: no name of it leads out of the folder.
    return {name for name in owned if _is_below(Path(name))}


def _check_finished(path: Path, what: str, mark: str, overwrite: bool) -> None:
    if path.exists() and not path.is_dir():
        raise RunError(f"cannot write to the output folder {path}: it is a file; --output-dir takes a folder")
    if (path / mark).exists() and not overwrite:
        raise RunError(f"{path} holds a finished {what}; choose another --output-dir or pass --overwrite")


def _check_alone(path: Path, what: str) -> None:
    others = sorted(each.name for each in path.iterdir() if not each.name.startswith("."))
    if others and not is_of(path / LOCK, what):
        raise RunError(f"{path} holds other files and no {what} ({_some(others)}); choose another --output-dir")


def _is_below(name: Path) -> bool:
    return not name.is_absolute() and ".." not in name.parts


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")

"""What is printed: no character and no reader that goes away makes a command fail."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress

from rmeval.reports.shell.names import printable

__all__ = ["abandon_stdout", "no_room", "prepare_streams", "reader_left", "tell"]


def prepare_streams() -> None:
    """Let stdout and stderr take every character, also where the locale is not UTF-8.

    Files and pipes get UTF-8, which is what JSON is written in; a terminal gets ``?`` for what it cannot show.
    """
    for stream in (sys.stdout, sys.stderr):  # None where the shell closed it.
        if isinstance(stream, io.TextIOWrapper) and "utf" not in stream.encoding.lower():
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8")


def tell(line: str) -> None:
    """Print a line on stderr: names in it come from data, and steer no terminal."""
    print(printable(line), file=sys.stderr)


def reader_left(error: BaseException | None) -> bool:
    """Return whether what reads stdout has gone, as ``head`` does: typer makes an exit with code 1 of that."""
    return isinstance(error, BrokenPipeError) or (error is not None and isinstance(error.__context__, BrokenPipeError))


def no_room(error: BaseException) -> bool:
    """Return whether there is no room where something was to be written."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def abandon_stdout() -> None:
    """Drop what waits to be written to stdout, and all that follows: the interpreter tries again when it ends."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

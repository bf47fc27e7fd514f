"""The exit codes of every verb, in one place."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """How a command ended."""

    FINE = 0
    NO = 1
    """The gate, the self-test or a comparison of speeds says no."""
    MISTAKE = 2
    """The user can mend it: one line, no traceback."""
    INTERNAL = 70
    """An error of rmeval's own (``EX_SOFTWARE`` of BSD's ``sysexits.h``)."""
    INTERRUPTED = 130
    """Ctrl-C: 128 and the number of the signal, as shells count."""
    NO_READER = 141
    """What read stdout went away before the end, as ``head`` does: 128 and the number of SIGPIPE."""

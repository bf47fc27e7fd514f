"""What a recipe can name that is made when it is needed: ``made:quickstart/model`` and ``made:quickstart/pairs``."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.trainer.quickstart import write_quickstart

__all__ = ["PREFIX", "made"]

PREFIX = "made:"
_MAKERS: dict[str, Callable[[Path], None]] = {"quickstart": write_quickstart}
"""Name -> what writes it into an empty folder, the same bytes each time."""


def made(name: str) -> str:
    """Return the path of a part that is made, having made it in a temporary folder; any other name as it is.

    Raises:
        UsageError: if nothing of that name can be made.
    """
    if not name.startswith(PREFIX):
        return name
    maker, _, part = name.removeprefix(PREFIX).partition("/")
    if maker not in _MAKERS:
        raise UsageError(
            f"{name}: there is no maker {maker!r}{did_you_mean(maker, _MAKERS)} (known: {', '.join(_MAKERS)})"
        )
    folder = _make(maker)
    parts = sorted(path.name for path in folder.iterdir())
    if part not in parts:
        known = ", ".join(f"{PREFIX}{maker}/{known}" for known in parts)
        raise UsageError(f"{name}: there is no such part{did_you_mean(part, parts)} (known: {known})")
    return str(folder / part)


@cache
def _make(maker: str) -> Path:
    """Make it once in each process; it goes when the process ends."""
    holder = tempfile.TemporaryDirectory(prefix=f"rmeval-{maker}-")
    atexit.register(holder.cleanup)
    _MAKERS[maker](Path(holder.name))
    return Path(holder.name)

"""Which subsets a name with ``*`` means."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["named"]


def named(pattern: str, known: Sequence[str]) -> list[str]:
    """Return the names that a pattern means: the one that it is, else all that fit it.

    ``*`` stands for anything, and alone for all, whatever they are called.
    """
    if pattern in known and pattern != "*":  # A subset may be called anything; ``*`` is all of them.
        return [pattern]
    regex = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    return [name for name in known if regex.fullmatch(name)]

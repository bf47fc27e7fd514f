"""Names from data, as a line or a cell shows them."""

from __future__ import annotations

import unicodedata

__all__ = ["printable", "short"]

_TURNS = {*"\u202a\u202b\u202c\u202d\u202e", *"\u2066\u2067\u2068\u2069"}
"""Characters that turn the direction of what stands behind them, up to the end of the line."""
_MOST = 60
"""Characters of a name in a column: one long name would push all numbers off the screen."""


def printable(text: str) -> str:
    """Return text with U+FFFD for control characters and for those that turn its direction."""
    hidden = (unicodedata.category(each) in ("Cc", "Cs") or each in _TURNS for each in text)
    return "".join("\N{REPLACEMENT CHARACTER}" if hide else each for each, hide in zip(text, hidden, strict=True))


def short(name: str) -> str:
    """Return a name of at most 60 characters; a longer one loses its middle."""
    return name if len(name) <= _MOST else f"{name[: _MOST // 2]}…{name[1 - _MOST // 2 :]}"

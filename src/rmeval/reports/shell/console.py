"""Text for a terminal. Names and places come from models and data: they are printed as text and steer nothing."""

from __future__ import annotations

from rich.text import Text

from rmeval.reports.shell.visible import visible

__all__ = ["plain"]


def plain(text: str, style: str = "") -> Text:
    """Return text as it is, control characters made visible: no markup, no emoji codes, no escape sequences."""
    return Text(visible(text), style=style)

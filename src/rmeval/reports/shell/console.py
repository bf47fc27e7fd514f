"""Text and tables for a terminal. Names and places come from models and data: they are text and steer nothing."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rmeval.reports.shell.names import printable

__all__ = ["plain", "print_whole"]


def plain(text: str, style: str = "") -> Text:
    """Return text as it is, control characters made visible: no markup, no emoji codes, no escape sequences."""
    return Text(printable(text), style=style)


def print_whole(table: Table, console: Console) -> None:
    """Print a table, rather too wide for its terminal than with a number cut short."""
    width = console.width
    console.width = max(width, Console(width=10_000).measure(table).maximum)
    console.print(table)
    console.width = width

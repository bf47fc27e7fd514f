"""A leaderboard for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as RichTable

from rmeval.reports.board.entries import Leaderboard, Table, letters
from rmeval.reports.board.files import rank_text
from rmeval.reports.shell.console import plain, print_whole
from rmeval.reports.shell.names import short
from rmeval.reports.shell.page import NONE, interval, percent

__all__ = ["print_board"]

_MOST = 40
"""Rows of a table that are printed; the page has all."""


def print_board(board: Leaderboard) -> None:
    """Print the tables, what is not ranked, and where the pages are."""
    console = Console(highlight=False)
    for table in board.tables:
        console.print(plain(table.title, "bold"))
        if table.reason:
            console.print(plain(f"a table of its own: {table.reason}", "yellow"), soft_wrap=True)
        print_whole(_drawn(table), console)
        if len(table.rows) > _MOST:
            console.print(f"… and {len(table.rows) - _MOST:,} more", style="dim")
        for row in table.rows[:_MOST]:
            for note in row.entry.notes:
                console.print(plain(f"{row.label}: {note}", "yellow"), soft_wrap=True)
        console.print()
    for each in board.apart:
        console.print(plain(f"not ranked: {each.label}: {'; '.join(each.reasons)}", "yellow"), soft_wrap=True)
    if board.ignored:
        console.print(plain(f"ignored: {', '.join(board.ignored[:5])}{' …' if len(board.ignored) > 5 else ''}", "dim"))
    console.print(plain(f"leaderboard written to {board.path / 'index.html'}"), soft_wrap=True)


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(box=None, pad_edge=False, header_style="bold")
    ranked = table.ranking is not None
    for name in (*(("rank", "group") if ranked else ()), "model", "overall", "95% interval", *table.counted, "origin"):
        drawn.add_column(name, justify="left" if name in ("model", "origin") else "right", no_wrap=True)
    for row in table.rows[:_MOST]:
        entry, overall = row.entry, row.entry.overall
        own = [rank_text(row), letters(row.groups) or NONE] if ranked else []
        numbers = [percent(overall.accuracy), interval(overall.low, overall.high)] if overall else [NONE, NONE]
        found = [entry.sections.get(name) for name in table.counted]
        sections = [percent(each.accuracy) if each else NONE for each in found]
        drawn.add_row(*own, plain(short(row.label)), *numbers, *sections, entry.origin)
    for name, line in table.reference_lines.items():
        sections = [percent(line.sections.get(section)) for section in table.counted]
        drawn.add_row(*([""] * 2 * ranked), name, percent(line.overall), NONE, *sections, "reference line", style="dim")
    return drawn

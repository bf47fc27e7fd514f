"""A field for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from rmeval.eval.field import FIELD, PAGE, Field
from rmeval.reports.field.rows import row_of
from rmeval.reports.shell.console import plain
from rmeval.reports.shell.page import percent

__all__ = ["print_field"]


def print_field(field: Field) -> None:
    """Print one line a suite, what must be known of each, the mean where there is one, and where the page is."""
    console = Console(highlight=False)
    console.print(plain(field.model, "bold"))
    rows = [row_of(entry) for entry in field.entries]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("suite", "overall", "95% interval", "best reference line", "truncated"):
        table.add_column(name, justify="left" if name == "suite" else "right", no_wrap=True)
    for row in rows:
        name = f"{row.suite} (partial)" if row.partial else row.suite
        truncated = f"{row.truncated:,}" if row.truncated else ""
        table.add_row(plain(name), row.number, row.interval, row.line, truncated, style="dim" if row.error else "")
    if field.mean is not None:
        table.add_row(plain(f"mean of the {len(FIELD)}"), percent(field.mean), style="bold")
    needed = Console(width=10_000).measure(table).maximum
    Console(highlight=False, width=max(console.width, needed)).print(table)
    for row in rows:
        if row.error is not None:
            console.print(plain(f"{row.suite}: left out: {row.error}", "yellow"), soft_wrap=True)
            continue
        for text in row.errors:
            console.print(plain(f"{row.suite}: error: {text}", "bold red"), soft_wrap=True)
        if row.known:
            console.print(plain(f"{row.suite}: {row.known}", "yellow"), soft_wrap=True)
    if field.mean is None:
        console.print(f"no mean: it takes all {len(FIELD)} whole ({', '.join(FIELD)})", style="dim", soft_wrap=True)
    recalled = sum(row.info.accounting.recalled or 0 for row in rows if row.info and row.info.accounting)
    if recalled:
        console.print(f"{recalled:,} scores came from the journal", style="dim")
    console.print(plain(f"field written to {field.path}; the page is {field.path / PAGE}"), soft_wrap=True)

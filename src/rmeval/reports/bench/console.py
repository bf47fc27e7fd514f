"""A bench for a terminal: the plan before it, the table after it, and what two benches differ in.

What is printed comes from ``bench.json`` as it was read; the keys are those of ``docs/bench.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from rmeval.bench_info import BenchComparison, BenchDocument, Planned
from rmeval.reports.bench.words import (
    against_lines,
    best_lines,
    by_reason,
    ceiling_lines,
    cells,
    comparison_cells,
    duration,
    estimate,
    notes,
)
from rmeval.reports.shell.console import plain, print_whole

__all__ = ["print_bench", "print_comparison", "print_note", "print_plan"]

_STYLES = {"worse": "bold red", "better": "green", "inconclusive": "dim", "cannot tell": "yellow", "same": ""}


def print_plan(planned: Sequence[Planned], seconds: float, done: int, console: Console | None = None) -> None:
    """Print which cells will be measured and how long that takes, and which are left out and why.

    Args:
        planned: The cells.
        seconds: Estimate of the whole.
        done: Cells that are measured already.
        console: Where to print; None for stderr.
    """
    console = console or Console(stderr=True, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("cell", no_wrap=True)
    table.add_column("a request", justify="right", no_wrap=True)
    table.add_column("the cell, at most about", justify="right", no_wrap=True)
    for each in planned:
        if each.reason is None:
            table.add_row(plain(each.cell.name), duration(each.request_seconds), estimate(each.seconds))
    console.print(table)
    for reason, names in by_reason((each.cell.name, each.reason) for each in planned):
        console.print(plain(f"not measured: {', '.join(names)}: {reason}", "yellow"), soft_wrap=True)
    measured = sum(each.reason is None for each in planned)
    left = f", {done} of them already" if done else ""
    console.print(f"{measured} cells{left}; at most about {estimate(seconds)} from here, loading included")


def print_bench(document: BenchDocument, console: Console | None = None) -> None:
    """Print the table of a bench, and what must be known beside it."""
    console = console or Console(highlight=False)
    own = document["rmeval"]
    machine = own.get("environment", {})
    console.print(plain(f"bench of {own['sweep']['model']}", "bold"))
    console.print(plain(f"machine  {machine.get('gpu') or machine.get('cpu')}  ({own.get('device')})"))
    for line in ceiling_lines(own):
        console.print(plain(f"ceiling  {line}"))
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (
        ("cell", "left"), ("p50", "right"), ("p95", "right"), ("noise", "right"), ("conv./s", "right"),
        ("tokens/s", "right"), ("memory", "right"), ("roofline", "right"), ("MFU", "right"), ("bound by", "left"),
        ("drift", "right"), ("flips", "right"), ("rounds", "right"),
    ):  # fmt: skip
        table.add_column(name, justify="left" if justify == "left" else "right", no_wrap=True)
    for row in own["cells"]:
        if row["status"] == "measured":
            table.add_row(*(plain(text) for text in cells(row)))
    print_whole(table, console)
    console.print()
    rest = [(row["name"], f"{row['status']}: {row['reason']}") for row in own["cells"] if row["status"] != "measured"]
    for reason, names in by_reason(rest):
        console.print(plain(f"{', '.join(names)}: {reason}", "yellow"), soft_wrap=True)
    for line in [*notes(own), *against_lines(own)]:
        console.print(plain(line), soft_wrap=True)
    for line in best_lines(own):
        console.print(plain(line, "bold green"), soft_wrap=True)


def print_comparison(found: BenchComparison) -> None:
    """Print what differs between two benches, on stdout."""
    console = Console(highlight=False)
    for warning in found.warnings:
        console.print(plain(f"warning  {warning}", "yellow"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("cell", "compared", "before", "now", "change", "noise", ""):
        justify = "left" if name in ("cell", "compared", "") else "right"
        table.add_column(name, justify="left" if justify == "left" else "right", no_wrap=True)
    for line in found.lines:
        table.add_row(*(plain(text, _STYLES[line.verdict]) for text in comparison_cells(line)))
    print_whole(table, console)
    if found.left_out:
        console.print(plain(f"in one of the two only: {', '.join(found.left_out)}"), soft_wrap=True)
    count = len(found.lines)
    failed = sum(line.failed for line in found.lines)
    unsure = sum(line.verdict == "cannot tell" for line in found.lines)
    if not found.passed:
        console.print(f"FAIL: {failed} of {count} comparisons", style="bold red")
    elif unsure:
        hint = "the noise is larger than the limit (--fail-on-noise fails them; a longer --max-time has less of it)"
        console.print(f"CANNOT TELL: {unsure} of {count} comparisons: {hint}", style="bold yellow", soft_wrap=True)
    else:
        console.print(f"PASS: {count} comparisons", style="bold green")


def print_note(line: str) -> None:
    """Print a line on stderr, as plain text."""
    Console(stderr=True, highlight=False).print(plain(line), soft_wrap=True)

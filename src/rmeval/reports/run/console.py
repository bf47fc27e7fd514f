"""Tables for a terminal. Names and places come from models and data: they are printed as text and steer nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rmeval.eval.selftest import SelfTest
from rmeval.eval.suites import suite_of
from rmeval.records import RunRecord
from rmeval.reports.run.beaten import BestLine, best_line, verdict
from rmeval.reports.run.findings import all_lines, errors, in_one_line
from rmeval.reports.run.summary import lacking, right_means, shown_overall, title
from rmeval.reports.shell.console import plain, print_whole
from rmeval.reports.shell.names import short
from rmeval.reports.shell.page import NONE, interval, percent
from rmeval.run_info import Results, RunInfo, SubsetResult

_STYLES = {"partial": "yellow", "info": "dim", "warning": "yellow", "error": "bold red"}
_COUNTS: dict[str, Callable[[SubsetResult], int]] = {
    "ties": lambda item: item.ties,
    "part": lambda item: item.partial,
    "unparsed": lambda item: item.unparsed,
    "invalid": lambda item: item.invalid,
    "truncated": lambda item: item.truncated,
    "undecided": lambda item: item.undecided,
}
"""Columns that are shown only where one of them is not zero."""


def print_run(run: RunRecord, *, verbose: bool = False) -> None:
    """Print a run: what it is of, its numbers, what must be known to believe them, where it is.

    Args:
        run: The run.
        verbose: Print every finding and every reason why the run is partial, not one line of them.
    """
    console = Console(highlight=False)
    info = run.info
    how = ", ".join(filter(None, (info.model.dtype, info.model.device)))
    source = " ".join(filter(None, (info.data.dataset, info.data.split, (info.data.revision or "")[:12])))
    console.print(plain(title(run), "bold"))
    console.print(plain(f"model    {info.model.name}{f'  ({how})' if how else ''}"))
    rows = ", ".join(filter(None, (f"{info.data.rows:,} examples", right_means(run))))
    console.print(plain(f"data     {source}  ({rows})"), soft_wrap=True)
    console.print()
    print_whole(_table(run), console)
    results, missing = info.results, lacking(info)
    if missing:
        console.print(plain(f"no overall number: no rows of {', '.join(missing)}", "yellow"))
    elif results.lowest is not None and results.highest is not None and results.lowest < results.highest:
        console.print(
            f"float32 could make the overall number {interval(results.lowest, results.highest)}", style="yellow"
        )
    seconds = info.timing.total_seconds
    if (said := verdict(shown_overall(info), best_line(results))) and info.model.kind != "baseline":
        console.print(said, style="" if said.startswith("beats") else "yellow")
    _print_findings(info, console, verbose=verbose)
    console.print(f"{seconds:,.1f} s in all; reference lines: longest, shortest, random", style="dim")
    accounting = info.accounting
    if accounting is not None and accounting.recalled:
        scores = run.scores_table.num_rows
        console.print(f"{accounting.recalled:,} of {scores:,} scores came from the journal", style="dim")
    if run.path is not None:
        console.print(plain(f"run written to {run.path}"), soft_wrap=True)


def _print_findings(info: RunInfo, console: Console, *, verbose: bool) -> None:
    """Print what must be known beside the numbers: errors in a line each, the rest in one, or all of it."""
    if verbose:
        for severity, text in all_lines(info):
            console.print(plain(f"{severity:8} {text}", _STYLES[severity]), soft_wrap=True)
        return
    for text in errors(info):
        console.print(plain(f"error: {text}", _STYLES["error"]), soft_wrap=True)
    if line := in_one_line(info):
        console.print(plain(f"{line} (--verbose says more)", "yellow"), soft_wrap=True)


def print_selftest(found: SelfTest) -> None:
    """Print a self-test: each way to compute the same scores, and how far they moved."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("largest change", justify="right", no_wrap=True)
    table.add_column("decisions moved", justify="right", no_wrap=True)
    for variation in found.variations:
        table.add_row(variation.name, f"{variation.largest:.1e}", f"{variation.moved}")
    console = Console(highlight=False)
    how = f"{found.examples} examples in {found.dtype}, against one conversation at a time"
    console.print(how if found.dtype else f"{found.examples} examples, against one item at a time")
    print_whole(table, console)
    verdict = f"{found.moved} decisions moved" if found.moved else "no decision moved"
    console.print(verdict, style="bold red" if found.moved else "bold green")


def print_names(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and what they mean; a line each, whatever its length, where no terminal is."""
    rows, console = list(rows), Console(highlight=False)
    if not console.is_terminal:
        width = max((len(name) for name, _ in rows), default=0)
        for name, meaning in rows:
            print(f"{plain(name).plain:{width}}  {plain(meaning).plain}")
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, meaning in rows:
        table.add_row(plain(name), plain(meaning))
    console.print(table)


def _table(run: RunRecord) -> Table:
    results = run.info.results
    counts = [name for name, get in _COUNTS.items() if any(get(item) for item in results.subsets.values())]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for name in ("n", "accuracy", "95% interval", *counts, "best reference line"):
        table.add_column(name, justify="right", no_wrap=True)
    sections = suite_of(run.info).sections(run.info.weights)
    shown: set[str] = set()
    for name, estimate in results.sections.items():
        limits = interval(estimate.low, estimate.high)
        _bold_row(table, name, percent(estimate.accuracy), limits, len(counts), best_line(results, section=name))
        for subset in sections[name].of({name: float(each.n) for name, each in results.subsets.items()}):
            if subset not in shown:
                _subset_row(table, subset, results, counts)
                shown.add(subset)
    rest = [name for name in results.subsets if name not in shown]
    if rest and results.sections:
        table.add_row(Text("other subsets", style="bold"))
    for subset in rest:
        _subset_row(table, subset, results, counts)
    if (whole := shown_overall(run.info)) is not None:
        limits = interval(whole.low, whole.high)
        _bold_row(table, "overall", percent(whole.accuracy), limits, len(counts), best_line(results))
    for name, each in results.rules.items():
        cells = ("", percent(each.accuracy), interval(each.low, each.high))
        table.add_row(plain(f"overall, {short(name)}"), *cells, *[""] * len(counts), "", "")
    if results.views:
        table.add_row(Text("groups across the subsets", style="bold"))
    for name, view in results.views.items():
        cells = (f"{view.n:,}", percent(view.accuracy), interval(view.low, view.high))
        table.add_row(plain(f"  {short(name)}"), *cells, *(_count(_COUNTS[count](view)) for count in counts), "", "")
    return table


def _subset_row(table: Table, name: str, results: Results, counts: list[str]) -> None:
    item = results.subsets[name]
    table.add_row(
        plain(f"  {short(name)}"),
        f"{item.n:,}" if item.expected in (None, item.n) else f"{item.n:,}/{item.expected:,}",
        percent(item.accuracy),
        interval(item.low, item.high),
        *(_count(_COUNTS[count](item)) for count in counts),
        _shown(best_line(results, subset=name)),
    )


def _bold_row(table: Table, name: str, accuracy: str, limits: str, counts: int, line: BestLine | None) -> None:
    table.add_row(plain(short(name)), "", accuracy, limits, *[""] * counts, _shown(line), style="bold")


def _shown(line: BestLine | None) -> str:
    return NONE if line is None else str(line)


def _count(number: int) -> str:
    return f"{number:,}" if number else "·"

"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rmeval.eval.suites import get_suite
from rmeval.records import RunRecord
from rmeval.reports.summary import describe, title
from rmeval.types import Results, SubsetResult

_STYLES = {"info": "dim", "warning": "yellow", "error": "bold red"}


def print_run(run: RunRecord) -> None:
    """Print a run: what it is of, what must be known before believing it, its numbers, where it is."""
    console = Console(highlight=False)
    info = run.info
    how = ", ".join(filter(None, (info.model.dtype, info.model.device)))
    console.print(f"[bold]{escape(title(run))}[/bold]")
    console.print(f"model    {escape(info.model.name)}{f'  ({how})' if how else ''}")
    source = " ".join(filter(None, (info.data.dataset, info.data.split, (info.data.revision or "")[:12])))
    console.print(f"data     {escape(source)}  ({info.data.rows:,} examples)")
    for reason in info.partial_reasons:
        console.print(f"partial  {escape(reason)}", style="yellow")
    for item in info.audit:
        line = escape(describe(item.code, item.count, item.examples))
        console.print(f"{item.severity:8} {line}", style=_STYLES[item.severity])
    console.print()
    console.print(_table(run))
    seconds = info.timing.scoring_seconds
    console.print(
        f"scored in {seconds:,.1f} s; intervals are 95%; longest and random are rulers that read nothing", style="dim"
    )
    if run.path is not None:
        console.print(f"run written to {escape(str(run.path))}")


def print_names(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and what they mean."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, meaning in rows:
        table.add_row(escape(name), escape(meaning))
    Console(highlight=False).print(table)


def _table(run: RunRecord) -> Table:
    results = run.info.results
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for name in ("n", "accuracy", "95% interval", "ties", "invalid", "cut", "margin", "longest", "random"):
        table.add_column(name, justify="right", no_wrap=True)
    sections = get_suite(run.info.suite).sections(run.info.weights)
    shown: set[str] = set()
    for name, estimate in results.sections.items():
        _group_row(table, name, (estimate.accuracy, estimate.low, estimate.high), *_rulers(results, "sections", name))
        for subset in sections[name].subsets:
            if subset in results.subsets:
                _subset_row(table, subset, results.subsets[subset], results)
                shown.add(subset)
    rest = [name for name in results.subsets if name not in shown]
    if rest and results.sections:
        table.add_row("[bold]other subsets[/bold]")
    for subset in rest:
        _subset_row(table, subset, results.subsets[subset], results)
    if results.overall is not None:
        table.add_section()
        overall = (results.overall.accuracy, results.overall.low, results.overall.high)
        longest, random = (results.rulers[name].overall for name in ("longest", "random"))
        _group_row(table, "overall", overall, _percent(longest), _percent(random))
    return table


def _subset_row(table: Table, name: str, item: SubsetResult, results: Results) -> None:
    count = f"{item.n:,}" if item.expected in (None, item.n) else f"{item.n:,}/{item.expected:,}"
    margin = "" if item.mean_margin is None else f"{item.mean_margin:+.3g}"
    table.add_row(
        f"  {escape(name)}",
        count,
        _percent(item.accuracy),
        _interval(item.low, item.high),
        _count(item.ties),
        _count(item.invalid),
        _count(item.truncated),
        margin,
        *_rulers(results, "subsets", name),
    )


def _group_row(table: Table, name: str, estimate: tuple[float, float, float], longest: str, random: str) -> None:
    accuracy, low, high = estimate
    cells = (name, "", _percent(accuracy), _interval(low, high), "", "", "", "", longest, random)
    table.add_row(*(f"[bold]{cell}[/bold]" if cell else "" for cell in cells))


def _rulers(results: Results, level: str, name: str) -> tuple[str, str]:
    longest, random = (getattr(results.rulers[ruler], level).get(name) for ruler in ("longest", "random"))
    return _percent(longest), _percent(random)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f}"


def _count(number: int) -> str:
    return f"{number:,}" if number else "·"

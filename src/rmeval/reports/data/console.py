"""The ledger of a build, for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from rmeval.data_prep.output.ledger import Ledger, SourceLedger, Totals
from rmeval.data_prep.overlap.contamination import GRAM, OverlapReport
from rmeval.reports.shell.console import plain, print_whole

__all__ = ["print_ledger"]


def print_ledger(ledger: Ledger, overlap: OverlapReport | None = None) -> None:
    """Print what became of every row: a line a source, then a line a reason, then the contamination with benchmarks."""
    console = Console(highlight=False)
    console.print(plain(f"{ledger.mixture}, seed {ledger.seed}", "bold"))
    console.print()
    print_whole(_sources(ledger), console)
    drops = _drops(ledger.sources)
    if drops.row_count:
        console.print()
        print_whole(drops, console)
    if overlap is not None and overlap.subsets:
        console.print()
        for line in _overlap(overlap):
            console.print(plain(line), soft_wrap=True)


def _sources(ledger: Ledger) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source", no_wrap=True)
    for name in ("rows", "used", "candidates", "pairs", "train", "test", "published", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    totals = ledger.totals
    lines: list[tuple[str, SourceLedger | Totals]] = [(source.name, source) for source in ledger.sources]
    for name, each in [*lines, ("all", totals)]:
        numbers = (each.rows, each.used_rows, each.candidates, each.pairs, each.train, each.test)
        published = "" if each.published is None else f"{each.published:,}"
        difference = "" if each.difference is None else f"{each.difference:+,}"
        style = "bold" if each is totals else ""
        table.add_row(plain(name), *(f"{number:,}" for number in numbers), published, difference, style=style)
    return table


def _drops(sources: tuple[SourceLedger, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("source", "dropped", "reason"):
        table.add_column(name, no_wrap=True)
    table.add_column("number", justify="right", no_wrap=True)
    table.add_column("meaning", no_wrap=True)
    for source in sources:
        for what, dropped in (("rows", source.dropped_rows), ("pairs", source.dropped_pairs)):
            for reason, number in dropped.items():
                meaning = plain(source.reasons[reason])
                table.add_row(plain(source.name), what, plain(reason), f"{number:,}", meaning)
    return table


def _overlap(overlap: OverlapReport) -> list[str]:
    lines = []
    for name in dict.fromkeys(each.benchmark for each in overlap.subsets):
        own = [each for each in overlap.subsets if each.benchmark == name]
        counts = {
            "examples": sum(each.examples for each in own),
            "with the same prompt": sum(each.exact for each in own),
            "with half of the prompt's 8-grams": sum(each.ngram for each in own),
            "with the same completion": sum(each.completion for each in own),
        }
        short = sum(each.short for each in own)
        if short:
            counts[f"with a prompt of fewer than {GRAM} words, which is found as a whole turn only"] = short
        lines.append(
            f"contamination with {name}: " + ", ".join(f"{number:,} {what}" for what, number in counts.items())
        )
    lines.append(f"{len(overlap.contaminated):,} training pairs have a benchmark's prompt (contamination.json)")
    return lines

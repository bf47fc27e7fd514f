"""The gate for a terminal, and as one JSON object."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TypedDict

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from rmeval.eval.gate.check import Gate
from rmeval.eval.gate.rules import Mode
from rmeval.eval.gate.verdicts import Line, Verdict
from rmeval.records import RunRecord
from rmeval.reports.shell.console import plain
from rmeval.reports.shell.names import short

__all__ = [
    "DETECTABLE",
    "as_json",
    "as_text",
    "cells",
    "columns",
    "headline",
    "meaning_of_p",
    "print_gate",
    "warnings_in_full",
    "where",
]

DETECTABLE = "detectable: the minimum detectable drop (80% power)"
_STYLES: dict[Verdict, str] = {
    "pass": "green",
    "improvement": "bold green",
    "cannot tell": "yellow",
    "regression": "bold red",
}


def print_gate(gate: Gate, report: str | None = None, console: Console | None = None, *, verbose: bool = False) -> None:
    """Print the table of verdicts, why each that is no plain pass, and what must be known beside them.

    Args:
        gate: What came of the check.
        report: Path or address of the HTML comparison.
        console: Where to print; None for stdout.
        verbose: Say each reason why a run is partial, not all of them in one line.
    """
    console = console or Console(highlight=False)
    if gate.baseline is not None:
        console.print(plain(f"baseline   {where(gate.baseline)}"))
    console.print(plain(f"candidate  {where(gate.candidate)}"))
    console.print()
    for tables in ([_table(gate, columns(gate))], _two_tables(gate)):
        if all(Console(width=10_000).measure(table).maximum <= console.width for table in tables):
            for place, table in enumerate(tables):
                console.print(*[""] * place, table, sep="\n")
            break
    else:
        _print_paragraphs(gate, console)
    console.print()
    for line in gate.lines:
        if line.verdict != "pass" or line.failed:
            console.print(
                plain(f"{line.verdict}: {short(line.target)} {line.reason}", _STYLES[line.verdict]), soft_wrap=True
            )
    for warning in warnings_in_full(gate) if verbose else gate.warnings:
        console.print(plain(f"warning: {warning}", "yellow"), soft_wrap=True)
    if gate.comparison is not None:
        console.print(f"{meaning_of_p(gate)}; {DETECTABLE}", style="dim")
    if report:
        console.print(plain(f"HTML comparison: {report}"), soft_wrap=True)
    console.print(headline(gate), style="bold green" if gate.passed else "bold red")


def warnings_in_full(gate: Gate) -> list[str]:
    """Return the warnings, each reason why a run is partial a line of its own, and said once of both runs."""
    runs = {} if gate.baseline is None else {"baseline": gate.baseline}
    reasons: dict[str, list[str]] = {}
    for name, run in {**runs, "candidate": gate.candidate}.items():
        for reason in run.info.partial_reasons:
            reasons.setdefault(reason, []).append(name)
    full = [
        f"{'both runs are' if len(names) > 1 else f'the {names[0]} is'} partial: {reason}"
        for reason, names in reasons.items()
    ]
    return [*full, *(warning for warning in gate.warnings if warning not in gate.partial)]


def _table(gate: Gate, shown: Sequence[str], *, tested: bool = False) -> Table:
    """Return a line a row with these columns; only those that are tested, without their verdicts, if ``tested``."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", *shown, *([] if tested else ["verdict"])):
        table.add_column(name, justify="left" if name in ("", "verdict") else "right", no_wrap=True)
    for line in gate.lines:
        if tested and line.difference is None:
            continue
        numbers = dict(zip(columns(gate), cells(line, gate.mode), strict=True))
        verdict = [] if tested else [plain(line.verdict, _STYLES[line.verdict])]
        table.add_row(plain(short(line.target)), *(numbers[name] for name in shown), *verdict)
    return table


def _two_tables(gate: Gate) -> list[Table]:
    """Return the table as two, for a terminal of 80 columns: what happened, and the statistics of what is tested."""
    statistics = columns(gate)[3:6]
    first = _table(gate, [name for name in columns(gate) if name not in statistics])
    return [first] if gate.comparison is None else [first, _table(gate, statistics, tested=True)]


def _print_paragraphs(gate: Gate, console: Console) -> None:
    """Print what the table holds, a paragraph for a line, where no table fits."""
    for line in gate.lines:
        heading = plain(short(line.target), "bold")
        console.print(heading.append("  ").append(plain(line.verdict, _STYLES[line.verdict])))
        shown = " "
        for title, cell in zip(columns(gate), cells(line, gate.mode), strict=True):
            number = f" {title} {cell};"
            if cell != "–" and cell_len(shown + number) > console.width:
                console.print(plain(shown))
                shown = " "
            shown += number if cell != "–" else ""
        console.print(plain(shown.rstrip(";")))


def as_text(gate: Gate) -> str:
    """Return the gate as plain text, such as for the message of a failed assertion."""
    console = Console(highlight=False, file=io.StringIO(), width=120, color_system=None)
    with console.capture() as captured:
        print_gate(gate, console=console)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


class LineDocument(TypedDict):
    """One line: ``p`` and ``bound`` are one-sided (``gate.verdicts.Line``), ``low`` and ``high`` two-sided, 95%."""

    rule: str
    kind: str
    name: str | None
    verdict: Verdict
    failed: bool
    reason: str
    limit: float
    baseline: float | None
    candidate: float | None
    difference: float | None
    low: float | None
    high: float | None
    n: int | None
    flipped_to_right: int | None
    flipped_to_wrong: int | None
    bound: float | None
    p: float | None
    p_rise: float | None
    smallest_detectable: float | None


class GateDocument(TypedDict):
    """What ``rmeval check --json`` prints; accuracies, differences and limits are shares of 1."""

    passed: bool
    mode: Mode
    alpha: float
    baseline: Mapping[str, str | None] | None
    """None for floors alone."""
    candidate: Mapping[str, str | None]
    lines: Sequence[LineDocument]
    warnings: Sequence[str]


def as_json(gate: Gate) -> GateDocument:
    """Return the gate as plain JSON types."""
    return {
        "passed": gate.passed,
        "mode": gate.mode,
        "alpha": gate.alpha,
        "baseline": None if gate.baseline is None else _run(gate.baseline),
        "candidate": _run(gate.candidate),
        "lines": [_line(line) for line in gate.lines],
        "warnings": warnings_in_full(gate),
    }


def headline(gate: Gate) -> str:
    """Return what came of it all, in one line."""
    failed = sum(line.failed for line in gate.lines)
    count = f"{len(gate.lines)} check{'s' if len(gate.lines) != 1 else ''}"
    return f"FAIL: {failed} of {count}" if failed else f"PASS: {count}"


def columns(gate: Gate) -> list[str]:
    """Return the titles of the columns that ``cells`` fills."""
    bound = f"one-sided {100 * (1 - gate.alpha):g}% bound"
    return ["baseline", "candidate", "difference", bound, "one-sided p", "detectable", "flips"]


def cells(line: Line, mode: Mode) -> list[str]:
    """Return a line's numbers for a table, in the order of ``columns``; accuracies and p as text, in points of 100."""
    found = line.difference
    show = _percent if line.rule.of_accuracy else _number
    before, after = (None if value is None else show(value) for value in (line.baseline, line.candidate))
    if found is None:
        return [before or "–", after or "–", *["–"] * 5]
    least = line.smallest_detectable
    return [
        str(before),
        str(after),
        f"{100 * found.difference:+.2f}",
        _bound(line.bound, mode),
        "–" if line.shown_p is None else "<0.001" if line.shown_p < 0.001 else f"{line.shown_p:.3f}",
        "none" if least is None else f"{100 * least:.2f}",
        f"+{found.flipped_to_right:,} -{found.flipped_to_wrong:,}",
    ]


def _bound(bound: float | None, mode: Mode) -> str:
    """Return the bound that the rule asks about; one that rounds to 0 says on which side of it the truth is."""
    if bound is None:
        return "–"
    if 0 < abs(bound) < 0.00005:
        return "< 0.00" if bound < 0 else "> 0.00"
    return f"{'≥' if mode == 'noninferiority' else '≤'} {100 * bound:+.2f}"


def meaning_of_p(gate: Gate) -> str:
    """Return what the columns of p and of the bound hold."""
    tests = sum(line.difference is not None for line in gate.lines)
    if gate.mode == "noninferiority":
        return f"one-sided p: the chance of data like this if it had dropped by the margin; passes up to {gate.alpha:g}"
    adjusted = f"; adjusted for {tests} tests, the bound is not" if tests > 1 else ""
    rises = any(line.verdict == "improvement" for line in gate.lines)
    drop = "a drop (for an improvement, a rise)" if rises else "a drop"
    chance = f"the chance of {drop} at least this large if nothing had changed"
    return f"one-sided p: {chance}, significant up to {gate.alpha:g}{adjusted}"


def where(run: RunRecord) -> str:
    """Return which run this is: its model and folder."""
    return f"{run.info.model.name}{'' if run.path is None else f'  ({run.path})'}"


def _run(run: RunRecord) -> dict[str, str | None]:
    return {
        "suite": run.info.suite,
        "model": run.info.model.name,
        "path": None if run.path is None else str(run.path),
    }


def _line(line: Line) -> LineDocument:
    found = line.difference
    return {
        "rule": line.rule.text,
        "kind": line.rule.kind,
        "name": line.name,
        "verdict": line.verdict,
        "failed": line.failed,
        "reason": line.reason,
        "limit": line.rule.limit,
        "baseline": line.baseline,
        "candidate": line.candidate,
        "difference": found.difference if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "n": found.n if found else None,
        "flipped_to_right": found.flipped_to_right if found else None,
        "flipped_to_wrong": found.flipped_to_wrong if found else None,
        "bound": line.bound,
        "p": line.p,
        "p_rise": line.p_rise,
        "smallest_detectable": line.smallest_detectable,
    }


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.1f}" if value >= 10 else f"{value:.3g}"

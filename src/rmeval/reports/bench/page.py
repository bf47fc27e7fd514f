"""The page of a bench: one file that opens by double click. Its numbers are those of ``bench.json``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rmeval.bench_info import BenchComparison, BenchDocument, MeasuredRow, Value, values_of
from rmeval.reports.bench.plots import draw
from rmeval.reports.bench.words import (
    against_lines,
    best_lines,
    by_reason,
    ceiling_lines,
    comparison_cells,
    duration,
    notes,
    percent,
    rate,
    size,
)
from rmeval.reports.shell.page import render_page, write_page

__all__ = ["bench_page", "write_bench_page"]

_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("p50", "p50", "Median seconds of a request"),
    ("p95", "p95", "Seconds that 19 of 20 requests stay within"),
    ("p99", "p99", "From 100 rounds on"),
    (
        "noise",
        "noise",
        "The largest of the rounds' spread, the changes to the fastest and to a later look, and the machine's own",
    ),
    ("completions_per_second", "conversations/s", ""),
    ("tokens_per_second", "tokens/s", ""),
    ("share_of_roof", "roofline", "Share of what arithmetic and memory allow at most"),
    ("mfu", "MFU", "Share of the matrix rate"),
    ("bound", "bound by", "What takes longer at best: arithmetic or memory"),
    ("host_peak_bytes", "memory", "Most that the process had in memory: Python, torch, weights and all"),
    ("device_peak_bytes", "on device", "Most that was allocated on the device"),
    ("distinct_tokens_per_second", "distinct tokens/s", "A beginning that conversations share counted once"),
    ("padding_share", "padding", "Share of the token places that are padding"),
    ("rounds", "rounds", ""),
    ("first_call_seconds", "first call", "First request, with the engine's self-check"),
    ("load_seconds", "load", "Seconds to load the model"),
    ("path", "path", "packed: shared beginnings once, no padding; plain: the model's own forward"),
)
_SECONDS = {"p50", "p95", "p99", "first_call_seconds", "load_seconds"}
_WORDS = {"bound", "path"}
_REPEATS = {"distinct_tokens_per_second": "tokens_per_second"}
"""Column -> the one it is equal to where conversations share no beginning."""
_SHARES = {"noise", "padding_share", "share_of_roof", "mfu"}


def write_bench_page(document: BenchDocument, path: Path, comparison: BenchComparison | None = None) -> Path:
    """Write the page of a bench; return its path.

    Args:
        document: The content of ``bench.json``.
        path: Where to.
        comparison: With another bench; None for none.

    Raises:
        RunError: if it cannot be written.
    """
    write_page(path, bench_page(document, comparison))
    return path


def bench_page(document: BenchDocument, comparison: BenchComparison | None = None) -> str:
    """Return the page of a bench."""
    own = document["rmeval"]
    measured = [row for row in own["cells"] if row["status"] == "measured"]
    rest = by_reason(
        (row["name"], f"{row['status']}: {row['reason'] or 'the bench was stopped before it'}")
        for row in own["cells"]
        if row["status"] != "measured"
    )
    rows, flips = draw(measured)
    columns = _columns(measured)
    nav = [("plots", "Plots")] if rows or flips else []
    nav += [("cells", "Cells"), ("fidelity", "Fidelity"), ("machine", "Machine")]
    nav += [("compared", "Compared")] if comparison else []
    return render_page(
        "bench.html",
        title=f"Bench of {own['sweep']['model']}",
        nav=nav,
        context={
            "own": own,
            "machine": own.get("environment", {}),
            "best": best_lines(own),
            "notes": notes(own),
            "rest": rest,
            "against": against_lines(own),
            "ceiling": ceiling_lines(own),
            "plots": rows,
            "flips": flips,
            "columns": [(label, title, name in _WORDS) for name, label, title in columns],
            "alike": _alike(measured),
            "rows": [(row["name"], [_cell(row, name) for name, _, _ in columns]) for row in measured],
            "comparison": comparison,
            "compared": [comparison_cells(line) for line in comparison.lines] if comparison else [],
            "normalised": comparison is not None and any("roofline" in line.basis for line in comparison.lines),
        },
    )  # fmt: skip


def _columns(measured: Sequence[MeasuredRow]) -> list[tuple[str, str, str]]:
    """Return the columns of the table: those without a number, those that repeat another, and words that are alike
    in all cells are left out."""
    shown = []
    for name, label, title in _COLUMNS:
        values = [values_of(row)[name] for row in measured]
        repeated = [values_of(row)[_REPEATS[name]] for row in measured] if name in _REPEATS else None
        if not any(values) or values == repeated or (name in _WORDS and len(set(values)) == 1):
            continue
        shown.append((name, label, title))
    return shown


def _alike(measured: Sequence[MeasuredRow]) -> list[str]:
    """Say what is the same in every cell, in place of a column."""
    found = []
    for name, label, _ in _COLUMNS:
        values = {values_of(row)[name] for row in measured} if name in _WORDS else set()
        found += [f"{label} {value}" for value in values if value and len(values) == 1]
    return found


def _cell(row: MeasuredRow, name: str) -> tuple[Value, str]:
    """Return what a column is sorted by, and its text."""
    value = values_of(row)[name]
    return "" if value is None else value, _text(name, value)


def _text(name: str, value: Value) -> str:
    if value is None or isinstance(value, str):
        return "–" if value is None else value
    if name in _SECONDS:
        return duration(value)
    if name in _SHARES:
        return percent(value)
    if name.endswith("_bytes"):
        return size(value)
    return rate(value) if name.endswith("_per_second") else str(value)

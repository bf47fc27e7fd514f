"""The pages of a leaderboard: the index, and one a model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rmeval.reports.board.entries import Apart, Entry, Figure, Leaderboard, Row, SubsetFigure, Table, letters
from rmeval.reports.board.files import HOW, OVER, over_number, rank_text
from rmeval.reports.board.over import over_suites
from rmeval.reports.run.beaten import best_line, verdict
from rmeval.reports.run.findings import findings, partial_line
from rmeval.reports.run.provenance import command_line, provenance
from rmeval.reports.run.summary import info_title, shown_overall
from rmeval.reports.shell.bar import Bar, BestLine, best_of
from rmeval.reports.shell.page import render_page
from rmeval.run_info import ReferenceResult, RunInfo

__all__ = ["index_page", "model_page"]


def index_page(board: Leaderboard) -> str:
    """Return the index: a table a suite, and what is not ranked."""
    titles = [table.title for table in board.tables]
    nav = [(f"table-{place}", _short(table)) for place, table in enumerate(board.tables)]
    over = over_suites(board)
    nav = [*([("over", "All suites")] if over is not None else []), *nav]
    return render_page(
        "leaderboard.html",
        title=f"{titles[0]} leaderboard" if len(titles) == 1 else "Leaderboard",
        nav=[*nav, *([("apart", "Not ranked")] if board.apart else []), ("how", "How to read")],
        styles=["leaderboard.css"],
        scripts=["leaderboard.js"],
        context={
            "tables": [_table(table) for table in board.tables],
            "over": over,
            "over_number": over_number,
            "how_over": OVER,
            "apart": board.apart,
            "ignored": board.ignored,
            "how": HOW,
            "heading": f"{titles[0]} leaderboard" if len(titles) == 1 else "Leaderboard",
            "measured": sum(len(table.measured) for table in board.tables),
            "imported": sum(len(table.imported) for table in board.tables),
            "rank_text": rank_text,
            "letters": letters,
        },
    )


def _short(table: Table) -> str:
    """Return a table's title for the bar at the top."""
    return table.title if table.measured else f"Published, weights {table.weights or 'not stated'}"


@dataclass(frozen=True)
class TableView:
    """A table as the template shows it."""

    table: Table
    ranked: bool
    """Whether it has columns for ranks and groups."""
    with_intervals: bool
    """Whether there are rows with intervals."""
    drawn: bool
    """Whether rank ranges are drawn: of one model there is nothing to see."""
    weights: str | None
    """What to call its weights; None where the suite has none."""
    places: Sequence[int]
    """The place of each row by its overall number, equals alike."""
    kinds: Sequence[str]
    """The kinds of model that were measured, in alphabetical order."""
    notes: Mapping[str, Sequence[str]]
    """What must be known of some rows, each with their labels; numbered from 1 in this order."""


def _table(table: Table) -> TableView:
    numbers = [row.entry.overall.accuracy if row.entry.overall else -1.0 for row in table.rows]
    weights = table.weights or "not stated"
    notes: dict[str, list[str]] = {}
    for row in table.rows:
        for note in row.entry.notes:
            notes.setdefault(note, []).append(row.label)
    return TableView(
        table=table,
        ranked=table.ranking is not None,
        with_intervals=bool(table.measured),
        drawn=table.ranking is not None and len(table.measured) > 1,
        weights=weights if table.suite.weights else None,
        places=[1 + sum(other > own for other in numbers[:place]) for place, own in enumerate(numbers)],
        kinds=sorted({row.entry.measured.info.model.kind for row in table.measured if row.entry.measured}),
        notes=notes,
    )


# --- a page a model -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelSubset:
    """A subset in the table of a model's page."""

    name: str
    section: str
    figure: SubsetFigure
    expected: int | None
    best: BestLine | None
    """The reference line that reaches most of it."""


@dataclass(frozen=True, slots=True)
class Against:
    """The model beside another one: all shares of 1."""

    row: Row
    difference: float
    low: float
    high: float
    verdict: str


_VERDICTS = {1: "better", -1: "worse", 0: "cannot tell"}


def model_page(board: Leaderboard, row: Row) -> str:
    """Return the page of one row."""
    entry = row.entry
    table = next((each for each in board.tables if any(other.page == row.page for other in each.rows)), None)
    apart = next((each for each in board.apart if each.row and each.row.page == row.page), None)
    info = entry.measured.info if entry.measured else None
    against = _against(table, row)
    nav = [("overview", "Overview")]
    nav += [("subsets", "Subsets")] if entry.subsets else []
    nav += [("against", "Against others")] if against else []
    return render_page(
        "model.html",
        title=f"{row.label} · {_title(entry)}",
        nav=[*nav, ("provenance", "Provenance")],
        styles=["leaderboard.css"],
        context={
            "row": row,
            "entry": entry,
            "info": info,
            "called": _title(entry),
            "weights": (entry.weights or "not stated") if entry.suite.weights else None,
            "reasons": [reason for reason in _reasons(apart) if info is None or reason != partial_line(info)],
            "findings": findings(info) if info else None,
            "overall": _bar("Overall", entry.overall, {n: r.overall for n, r in _reference_lines(info).items()}),
            "sections": [
                _bar(name, figure, {n: r.sections.get(name) for n, r in _reference_lines(info).items()})
                for name, figure in entry.sections.items()
            ],
            "verdict": _verdict(info),
            "subsets": _subsets(entry, info),
            "against": against,
            "counts": {name: sum(each.verdict == name for each in against) for name in _VERDICTS.values()},
            "reach": 1.04 * max((abs(end) for each in against for end in (each.low, each.high)), default=0.01),
            "models": len(table.measured) if table else 0,
            "rank": rank_text(row),
            "groups": letters(row.groups),
            "how": HOW,
            "report": _report(entry, board.path),
            "provenance": provenance(info, entry.measured.path) if info and entry.measured else [],
            "command": command_line(info) if info else None,
        },
    )


def _verdict(info: RunInfo | None) -> str:
    """Return how the overall number stands to the reference lines, in the words of the run's own report."""
    if info is None or info.model.kind == "baseline":
        return ""
    return verdict(shown_overall(info), best_line(info.results))


def _title(entry: Entry) -> str:
    """Return what the numbers may be called: those of a partial set never get the benchmark's name alone."""
    return info_title(entry.measured.info) if entry.measured else f"{entry.suite.title}, published"


def _reasons(apart: Apart | None) -> tuple[str, ...]:
    return apart.reasons if apart else ()


def _reference_lines(info: RunInfo | None) -> Mapping[str, ReferenceResult]:
    return info.results.reference_lines if info else {}


def _bar(name: str, figure: Figure | None, reference_lines: Mapping[str, float | None]) -> Bar | None:
    return Bar(name, figure.accuracy, figure.low, figure.high, reference_lines) if figure else None


def _subsets(entry: Entry, info: RunInfo | None) -> list[ModelSubset]:
    """Return the subsets in the order of the sections, those in none of them last."""
    suite = entry.suite
    home = suite.homes(entry.weights, entry.subsets)
    lines = _reference_lines(info).items()
    best = {name: best_of({line: each.subsets.get(name) for line, each in lines}) for name in entry.subsets}
    order = [*(name for name in home if name in entry.subsets), *(n for n in entry.subsets if n not in home)]
    return [
        ModelSubset(name, home.get(name, ""), entry.subsets[name], suite.expected.get(name), best[name])
        for name in order
    ]


def _against(table: Table | None, row: Row) -> list[Against]:
    """Return the model beside each other one that was measured, the best of those first."""
    if table is None or table.ranking is None or row.rank is None:
        return []
    measured = table.measured
    own = next(place for place, other in enumerate(measured) if other.page == row.page)
    difference, reach = table.ranking.difference[own], table.ranking.reach[own]
    found = []
    for place, other in enumerate(measured):
        if place != own:
            gap, half = float(difference[place]), float(reach[place])
            verdict = _VERDICTS[(gap > half) - (gap < -half)]
            found.append(Against(other, gap, gap - half, gap + half, verdict))
    return found


def _report(entry: Entry, folder: Path) -> str | None:
    """Return the address of the run's own report from a model's page; None where it has none."""
    if entry.measured is None:
        return None
    report = entry.measured.path / "report.html"
    if not report.is_file():
        return None
    try:
        relative = os.path.relpath(report.resolve(), (folder / "models").resolve())
    except ValueError:  # On another drive.
        return None
    return quote(os.fsencode(relative.replace(os.sep, "/")))

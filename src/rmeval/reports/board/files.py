"""A leaderboard as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from rmeval.reports.board.entries import Apart, Figure, Leaderboard, Row, Table, letters
from rmeval.reports.board.over import Over, OverRow, over_suites
from rmeval.reports.shell.page import NONE, interval, percent, visible

__all__ = ["HOW", "OVER", "board_csv", "board_json", "board_markdown", "over_number", "suites_csv"]

HOW = (
    "Ranks come from one paired bootstrap of all models measured here: a prompt has one weight for all models and in"
    " all subsets, and subsets have the suite's weights. All pairs are compared at once (max-t), so that with 95%"
    " confidence every rank range on the page holds."
)
"""How ranks are made, in two sentences: on every page and in every file."""

OVER = (
    "Overall numbers in percent, each by its suite's own convention. In brackets: not a model's result on the"
    " benchmark (a partial run, an unverified copy, a reference line). The mean takes a result"
    " on every suite of the field."
)
"""How the table over suites is read: on the index and in Markdown."""

_FORMULA = ("=", "+", "-", "@", "\t")
"""What a spreadsheet takes for the beginning of a formula."""


def board_json(board: Leaderboard) -> str:
    """Return the leaderboard as JSON; the keys are those of ``docs/leaderboard.md``. Accuracies are shares of 1."""
    document = {
        "method": HOW,
        "tables": [_table(table) for table in board.tables],
        "over_suites": _over(over_suites(board)),
        "apart": [_apart(each) for each in board.apart],
        "ignored": [visible(name) for name in board.ignored],
        "pages": [row.page for row in board.rows],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _over(over: Over | None) -> dict[str, Any] | None:
    if over is None:
        return None
    rows = [
        {
            "model": visible(row.model),
            "numbers": {name: _figure(figure) for name, figure in row.numbers.items()},
            "not_ranked": {name: visible(reason) for name, reason in row.apart.items()},
            "mean": row.mean,
        }
        for row in over.rows
    ]
    return {"suites": [suite.name for suite in over.suites], "rows": rows}


def suites_csv(over: Over) -> str:
    """Return the table over suites as CSV: a row a model, overall numbers in percent; ``not_ranked`` names some."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["model", *(suite.name for suite in over.suites), "mean", "not_ranked"])
    for row in over.rows:
        numbers = [row.numbers[suite.name].accuracy if suite.name in row.numbers else None for suite in over.suites]
        cells = ["" if number is None else f"{100 * number:.4f}" for number in (*numbers, row.mean)]
        writer.writerow([_cell(row.model), *cells, " ".join(row.apart)])
    return stream.getvalue()


def _over_lines(over: Over) -> list[str]:
    """Return the table over suites as Markdown; a number in brackets is not the benchmark's."""
    header = ["model", *(_text(suite.name) for suite in over.suites), "mean"]
    lines = [header, [":---", *["---:"] * (len(header) - 1)]]
    for row in over.rows:
        numbers = [_text(over_number(row, suite.name)) for suite in over.suites]
        lines.append([_text(row.model), *numbers, percent(row.mean)])
    return [f"| {' | '.join(line)} |" for line in lines]


def over_number(row: OverRow, suite: str) -> str:
    """Return a model's number on a suite in percent, in brackets where it is not a result of the benchmark."""
    if suite not in row.numbers:
        return NONE
    number = percent(row.numbers[suite].accuracy)
    return f"({number})" if suite in row.apart else number


def _table(table: Table) -> dict[str, Any]:
    return {
        "suite": table.suite.name,
        "weights": table.weights,
        "counted": list(table.counted),
        "examples": table.examples,
        "reason": table.reason or None,
        "critical_value": table.ranking.critical if table.ranking else None,
        "rows": [_row(row) for row in table.rows],
        "reference_lines": {
            name: {"overall": each.overall, "sections": dict(each.sections)}
            for name, each in table.reference_lines.items()
        },
    }


def _row(row: Row) -> dict[str, Any]:
    entry = row.entry
    return {
        "model": visible(entry.model),
        "detail": visible(row.detail),
        "origin": entry.origin,
        "source": visible(entry.source),
        "overall": _figure(entry.overall),
        "sections": {name: _figure(each) for name, each in entry.sections.items()},
        "subsets": {
            name: {"accuracy": each.accuracy, "n": each.n, "ties": each.ties, "invalid": each.invalid}
            for name, each in entry.subsets.items()
        },
        "rank": list(row.rank) if row.rank else None,
        "groups": [letters([group]) for group in row.groups],
        "notes": list(entry.notes),
        "page": row.page,
    }


def _figure(figure: Figure | None) -> dict[str, float | None] | None:
    return {"accuracy": figure.accuracy, "low": figure.low, "high": figure.high} if figure else None


def _apart(each: Apart) -> dict[str, Any]:
    return {
        "label": visible(each.label),
        "reasons": [visible(reason) for reason in each.reasons],
        "partial_reasons": [visible(reason) for reason in _partial(each)],
        "source": visible(each.source),
        "row": _row(each.row) if each.row else None,
    }


def _partial(each: Apart) -> tuple[str, ...]:
    """Return every reason why a run is partial, with its details."""
    measured = each.row.entry.measured if each.row else None
    return measured.info.partial_reasons if measured else ()


def board_csv(board: Leaderboard) -> str:
    """Return the leaderboard as CSV: a row a model, accuracies in percent; what stands apart last, with its reasons."""
    used = {name for row in board.rows for name in row.entry.sections}
    tables = (table for row in board.rows for table in row.entry.suite.weights.values())
    sections = list(dict.fromkeys(name for table in tables for name in table if name in used))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["suite", "weights", "model", "detail", "origin", "rank_first", "rank_last", "groups", "overall", "low", "high"]
        + [_cell(name.lower().replace(" ", "_")) for name in sections]
        + ["apart", "notes", "source", "page"]
    )

    def write(row: Row, reasons: str) -> None:
        entry, overall = row.entry, row.entry.overall
        numbers = [overall.accuracy, overall.low, overall.high] if overall else [None] * 3
        numbers += [entry.sections[name].accuracy if name in entry.sections else None for name in sections]
        first, last = row.rank or ("", "")
        cells = [entry.suite.name, entry.weights or "", entry.model, row.detail, entry.origin, first, last]
        cells += [letters(row.groups), *("" if value is None else f"{100 * value:.4f}" for value in numbers)]
        cells += [reasons, "; ".join(entry.notes), entry.source, row.page]
        writer.writerow([_cell(cell) for cell in cells])

    for table in board.tables:
        for row in table.rows:
            write(row, "")
    for each in board.apart:
        if each.row is not None:
            write(each.row, "; ".join(each.reasons))
    return stream.getvalue()


def _cell(value: object) -> str:
    """Return a cell as text that no spreadsheet takes for a formula."""
    text = visible(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def board_markdown(board: Leaderboard) -> str:
    """Return the leaderboard as Markdown: a table each, and a list of what stands apart."""
    parts = ["# Leaderboard", HOW]
    over = over_suites(board)
    if over is not None:
        parts += ["## All suites", OVER, "\n".join(_over_lines(over))]
    for table in board.tables:
        parts += [f"## {_text(table.title)}", ". ".join(filter(None, (_facts(table), _text(table.reason)))) + "."]
        parts.append("\n".join(_lines(table)))
    if board.apart:
        lines = [f"- {_text(each.label)}: {_text('; '.join(each.reasons))}" for each in board.apart]
        parts += ["## Not ranked", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _facts(table: Table) -> str:
    facts = [f"Weights {table.weights or 'not stated'}"] if table.suite.weights else []
    if table.examples is not None:
        facts.append(f"{table.examples:,} examples")
    return ", ".join([*facts, f"{len(table.measured)} measured here", f"{len(table.imported)} imported"])


def _lines(table: Table) -> list[str]:
    ranked = ["rank", "group"] if table.ranking else []
    header = [*ranked, "model", "overall", "95% interval", *map(_text, table.counted), "origin"]
    lines = [header, [":---" if name in ("model", "origin") else "---:" for name in header]]
    for row in table.rows:
        entry, overall = row.entry, row.entry.overall
        own = [rank_text(row), letters(row.groups) or NONE] if ranked else []
        numbers = [percent(overall.accuracy), interval(overall.low, overall.high)] if overall else [NONE, NONE]
        sections = [
            percent(entry.sections[name].accuracy) if name in entry.sections else NONE for name in table.counted
        ]
        notes = f"{entry.origin}; {'; '.join(entry.notes)}" if entry.notes else entry.origin
        lines.append([*own, _text(row.label), *numbers, *sections, _text(notes)])
    for name, line in table.reference_lines.items():
        sections = [percent(line.sections.get(section)) for section in table.counted]
        lines.append([*("" for _ in ranked), name, percent(line.overall), NONE, *sections, "reference line"])
    return [f"| {' | '.join(line)} |" for line in lines]


def rank_text(row: Row) -> str:
    """Return a rank range as text: ``2–4``; a dash for a row that has none."""
    if row.rank is None:
        return NONE
    first, last = row.rank
    return str(first) if first == last else f"{first}–{last}"


def _text(text: str) -> str:
    """Escape text from outside: it is text in Markdown too."""
    shown = " ".join(visible(text).split())
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#|~!$" else c for c in shown)

"""One table over all suites of a leaderboard: a row a model, a column a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rmeval.eval.field import FIELD
from rmeval.eval.suites import Suite
from rmeval.reports.board.entries import Figure, Leaderboard, Row

__all__ = ["Over", "OverRow", "over_suites"]


@dataclass(frozen=True, slots=True)
class OverRow:
    """What one model reaches."""

    model: str
    numbers: Mapping[str, Figure]
    """Suite -> its overall number; a suite without one is absent."""
    apart: Mapping[str, str]
    """Suites whose number is not a result of the benchmark, and why."""
    mean: float | None
    """The plain mean of the suites of ``FIELD``; None unless all are there, as results of the benchmarks."""


@dataclass(frozen=True, slots=True)
class Over:
    """The table: models with the most suites first, among those the highest sums."""

    suites: Sequence[Suite]
    rows: Sequence[OverRow]


def over_suites(board: Leaderboard) -> Over | None:
    """Return the table over suites; None where there is only one suite.

    A number that may be ranked stands before one that may not; of several of one model and suite, the latest run's.
    """
    found: dict[str, dict[str, tuple[Row, str]]] = {}
    suites: dict[str, Suite] = {}
    ranked = [(row, "") for table in board.tables for row in table.rows if not table.reason]
    others = [(row, table.reason) for table in board.tables for row in table.rows if table.reason]
    others += [(each.row, "; ".join(each.reasons)) for each in board.apart if each.row is not None]
    for group in (ranked, others):
        for row, reason in sorted(group, key=_created, reverse=True):
            if row.entry.overall is not None:
                suites.setdefault(row.entry.suite.name, row.entry.suite)
                found.setdefault(row.entry.model, {}).setdefault(row.entry.suite.name, (row, reason))
    if len(suites) < 2:
        return None
    order = [name for name in FIELD if name in suites] + [name for name in suites if name not in FIELD]
    rows = [_over_row(model, own) for model, own in found.items()]
    rows.sort(key=lambda row: (-len(row.numbers), -sum(each.accuracy for each in row.numbers.values())))
    return Over([suites[name] for name in order], rows)


def _created(item: tuple[Row, str]) -> str:
    measured = item[0].entry.measured
    return measured.info.created if measured else ""


def _over_row(model: str, own: Mapping[str, tuple[Row, str]]) -> OverRow:
    numbers = {name: row.entry.overall for name, (row, _) in own.items() if row.entry.overall is not None}
    apart = {name: reason for name, (_, reason) in own.items() if reason}
    whole = [numbers[name].accuracy for name in FIELD if name in numbers and name not in apart]
    mean = sum(whole) / len(FIELD) if len(whole) == len(FIELD) else None
    return OverRow(model, numbers, apart, mean)

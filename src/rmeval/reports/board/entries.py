"""What a leaderboard is made of: entries that were read, tables of rows that may be ranked, and what stands apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rmeval.eval.numbers.decisions import Decisions
from rmeval.eval.numbers.ranks import Ranking
from rmeval.eval.suites import Suite
from rmeval.run_info import ReferenceResult, RunInfo

__all__ = ["Apart", "Entry", "Figure", "Leaderboard", "Measured", "Row", "SubsetFigure", "Table", "letters"]


@dataclass(frozen=True, slots=True)
class Figure:
    """An accuracy, a share of 1, with its 95% interval where it has one: published numbers have none."""

    accuracy: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class SubsetFigure:
    """A subset's accuracy and counts; None where they are not known."""

    accuracy: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    ties: int | None = None
    invalid: int | None = None


@dataclass(frozen=True)
class Measured:
    """What only a run of this tool has."""

    info: RunInfo
    decisions: Decisions = field(repr=False)
    path: Path


@dataclass(frozen=True)
class Entry:
    """One model's numbers, from one run or from published files."""

    model: str
    """As the run or the file says: text from outside."""
    suite: Suite
    weights: str | None
    """Name of the weight table of its sections; None where the suite has none or the file does not say."""
    overall: Figure | None
    sections: Mapping[str, Figure]
    subsets: Mapping[str, SubsetFigure]
    source: str
    """The run's folder, or the names of the published files."""
    counted: tuple[str, ...]
    """The sections that its overall number counts, in the suite's order; of published rows, those of their file."""
    notes: tuple[str, ...] = ()
    """What a reader must know of these numbers, a line each."""
    facts: tuple[str, ...] = ()
    """What a reader may want to know, a line each."""
    measured: Measured | None = None
    """None for a published entry."""

    @property
    def origin(self) -> str:
        """``measured`` or ``imported``."""
        return "imported" if self.measured is None else "measured"


@dataclass(frozen=True)
class Row:
    """An entry as it is shown."""

    entry: Entry
    detail: str
    """What tells it from other entries of the same model, such as the date; empty where there are none."""
    page: str
    """Address of its page, relative to the index: no other row has it."""
    rank: tuple[int, int] | None = None
    """The best and the worst rank that it can hold among the models measured; None for published rows."""
    place: int | None = None
    """Its rank by the overall numbers as they are, among the models measured."""
    groups: tuple[int, ...] = ()
    """Its groups, from 0: models that share one cannot be told apart."""

    @property
    def label(self) -> str:
        """The model, with what tells it from others of the same name."""
        return f"{self.entry.model} ({self.detail})" if self.detail else self.entry.model


@dataclass(frozen=True)
class Table:
    """Rows of one suite that may stand in one order, the best overall number first."""

    suite: Suite
    title: str
    weights: str | None
    counted: tuple[str, ...]
    """The sections that the overall numbers count."""
    rows: Sequence[Row]
    reason: str
    """Why its rows do not stand in the table of the suite's results; empty for that one."""
    reference_lines: Mapping[str, ReferenceResult]
    """What reference lines, which read nothing, reach on the same examples; empty for published rows."""
    examples: int | None
    """How many examples; None for published rows."""
    ranking: Ranking | None
    """The statistics of the measured rows, in the order of ``measured``."""

    @property
    def measured(self) -> list[Row]:
        """The rows that were measured, in order."""
        return [row for row in self.rows if row.entry.measured is not None]

    @property
    def imported(self) -> list[Row]:
        """The rows that were published, in order."""
        return [row for row in self.rows if row.entry.measured is None]


@dataclass(frozen=True)
class Apart:
    """Something that is not ranked, and why."""

    label: str
    reasons: tuple[str, ...]
    source: str
    row: Row | None = None
    """Its numbers; None where it has none, or none to be trusted."""


@dataclass(frozen=True)
class Leaderboard:
    """The whole: what ``rmeval leaderboard`` writes."""

    tables: Sequence[Table]
    apart: Sequence[Apart]
    ignored: Sequence[str]
    """Files in folders of published results that are none."""
    path: Path
    """The folder of ``index.html``."""

    @property
    def rows(self) -> list[Row]:
        """Every row that has a page: those of the tables, then those that stand apart."""
        ranked = [row for table in self.tables for row in table.rows]
        return [*ranked, *(each.row for each in self.apart if each.row is not None)]


def letters(groups: Sequence[int]) -> str:
    """Return groups by their letters, neighbours as a range: 0, 1, 2 and 4 are ``A–C, E``; the 27th is ``AA``."""
    parts: list[list[int]] = []
    for group in sorted(groups):
        if parts and group == parts[-1][-1] + 1:
            parts[-1].append(group)
        else:
            parts.append([group])
    shown = []
    for part in parts:
        ends = [_letter(part[0])] if len(part) == 1 else [_letter(part[0]), _letter(part[-1])]
        shown.append(("–" if len(part) > 2 else ", ").join(ends))
    return ", ".join(shown)


def _letter(group: int) -> str:
    text = ""
    group += 1
    while group:
        group, digit = divmod(group - 1, 26)
        text = chr(ord("A") + digit) + text
    return text

"""What the table of a field says, for terminal and page alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rmeval.eval.field import SuiteRun
from rmeval.eval.numbers.views.best_of_n import BestOfN
from rmeval.eval.numbers.views.lengths import LengthGroup, RightIs
from rmeval.eval.suites import suite_of
from rmeval.reports.run.beaten import best_line
from rmeval.reports.run.findings import ShownFinding, findings
from rmeval.reports.run.summary import info_title, shown_overall
from rmeval.reports.shell.page import NONE, interval, percent
from rmeval.run_info import RunInfo

__all__ = ["FieldRow", "row_of"]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One suite: texts, but for what is drawn."""

    suite: str
    title: str
    convention: str
    """What its number is the mean of."""
    number: str
    interval: str
    line: str
    """The reference line that reaches most, and what."""
    beaten: bool
    """True where the number's interval lies above that line."""
    lines: Mapping[str, float | None]
    """What each reference line reaches, for the drawing."""
    truncated: int
    errors: Sequence[str]
    """What makes scores mean nothing, or examples invalid."""
    known: str
    """All else that must be known, in one line; empty where there is nothing."""
    folded: Sequence[ShownFinding]
    """All of it."""
    error: str | None
    info: RunInfo | None
    partial: bool = False
    """True where its number is no result of the benchmark."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """Of the other rules that its overall number is told by: when an example is right."""
    lengths: Mapping[RightIs, LengthGroup] = field(default_factory=dict)
    best_of_n: tuple[BestOfN, ...] = ()


def row_of(entry: SuiteRun) -> FieldRow:
    """Return the row of one suite."""
    info = entry.info
    if info is None:
        return FieldRow(entry.suite, entry.suite, "", NONE, NONE, NONE, False, {}, 0, (), "", (), entry.error, None)
    suite, results = suite_of(info), info.results
    overall = shown_overall(info)
    best = best_line(results) if overall else None
    convention = "mean of sections" if suite.by_sections else "mean of examples"
    known = findings(info)
    return FieldRow(
        suite=entry.suite,
        title=info_title(info),
        convention=convention,
        number=percent(overall.accuracy) if overall else NONE,
        interval=interval(overall.low, overall.high) if overall else NONE,
        line=str(best) if best else NONE,
        beaten=bool(best and overall and overall.low > best.accuracy),
        lines={name: line.overall for name, line in results.reference_lines.items()} if overall else {},
        truncated=sum(subset.truncated for subset in results.subsets.values()),
        errors=known.errors,
        known=known.line,
        folded=known.folded,
        error=None,
        info=info,
        partial=info.partial,
        meanings={name: rule.meaning for name, rule in suite.rules.items() if name in results.rules} if overall else {},
        lengths=entry.lengths,
        best_of_n=entry.best_of_n,
    )

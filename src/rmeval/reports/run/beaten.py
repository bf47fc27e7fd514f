"""Does a number beat the reference lines? The best reference line, and the verdict in words."""

from __future__ import annotations

from rmeval.reports.shell.bar import BestLine, best_of
from rmeval.reports.shell.page import percent
from rmeval.run_info import Estimate, Results

__all__ = ["BestLine", "best_line", "best_of", "verdict"]


def best_line(results: Results, *, section: str | None = None, subset: str | None = None) -> BestLine | None:
    """Return the best reference line of a section, of a subset, or overall."""
    if section is not None:
        return best_of({name: each.sections.get(section) for name, each in results.reference_lines.items()})
    if subset is not None:
        return best_of({name: each.subsets.get(subset) for name, each in results.reference_lines.items()})
    return best_of({name: each.overall for name, each in results.reference_lines.items()})


def verdict(number: Estimate | None, line: BestLine | None) -> str:
    """Return in words how a number stands to the best reference line; empty where one of them is missing."""
    if number is None or line is None:
        return ""
    shown = f"{line.name} ({percent(line.accuracy)})"
    if number.accuracy <= line.accuracy:
        return f"does not beat {shown}"
    if number.low <= line.accuracy:
        return f"above {shown}, but not by more than its interval"
    return f"beats every reference line; the best is {shown}"

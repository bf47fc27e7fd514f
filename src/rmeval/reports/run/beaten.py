"""Does a number beat what reads nothing? The best reference line, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rmeval.reports.shell.page import percent
from rmeval.run_info import Estimate, Results

__all__ = ["BestLine", "best_line", "best_of", "verdict"]


@dataclass(frozen=True, slots=True)
class BestLine:
    """The reference line that reaches most."""

    name: str
    accuracy: float

    def __str__(self) -> str:
        """``shortest 74.2``."""
        return f"{self.name} {percent(self.accuracy)}"


def best_of(lines: Mapping[str, float | None]) -> BestLine | None:
    """Return the best of some reference lines; of equals the first, None where there is none."""
    found = [BestLine(name, accuracy) for name, accuracy in lines.items() if accuracy is not None]
    return max(found, key=lambda line: line.accuracy, default=None)


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

"""A number beside the reference lines: what ``parts.bar_row`` draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rmeval.reports.shell.page import percent

__all__ = ["Bar", "BestLine", "best_of"]


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


@dataclass(frozen=True, slots=True)
class Bar:
    """An accuracy, a share of 1, with what the reference lines reach on the same examples."""

    name: str
    accuracy: float
    low: float | None
    """Of its 95% interval; None for published numbers, which have none."""
    high: float | None
    reference_lines: Mapping[str, float | None]

    @property
    def best(self) -> BestLine | None:
        """The reference line that reaches most."""
        return best_of(self.reference_lines)

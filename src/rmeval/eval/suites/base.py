"""What a suite is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Section:
    """A group of subsets with a number of its own."""

    weight: float
    """Its weight in the overall number, relative to the other sections'."""
    subsets: Mapping[str, float]
    """The weight of each subset in the section's accuracy."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A named benchmark: where its rows are and how their outcomes become sections and one overall number."""

    name: str
    title: str
    description: str
    weights: Mapping[str, Mapping[str, Section]] = field(default_factory=dict)
    """Weight tables by name, the default first; a table maps section names to sections. Empty: no sections, and the
    overall number is the share of examples that are right."""
    expected: Mapping[str, int] = field(default_factory=dict)
    """Rows of each subset of the whole set. Empty where any data set will do."""
    dataset: str | None = None
    """The Hub data set that is the benchmark, or ``mini`` for the rows in the package."""
    split: str | None = None
    """The split that is the benchmark; for a suite of any data set, the split taken where there are several."""

    def sections(self, table: str | None) -> Mapping[str, Section]:
        """Return the sections of a weight table; of a suite without tables, none."""
        return self.weights[table] if table is not None else {}

    @property
    def default_weights(self) -> str | None:
        """Name of the weight table used unless another is asked for."""
        return next(iter(self.weights), None)

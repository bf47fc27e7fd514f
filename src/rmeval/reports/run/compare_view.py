"""Two or more runs side by side: every run against the first, on the same examples (``numbers.compare``)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rmeval.eval.numbers.compare import Comparison, compare, pair
from rmeval.eval.numbers.differences import ALPHA, Difference
from rmeval.eval.suites import suite_of
from rmeval.records import RunRecord
from rmeval.reports.run.arrays import RunArrays
from rmeval.reports.run.examples_data import ExamplesText, first_line
from rmeval.reports.run.length_plots import by_length_beside
from rmeval.reports.shell.svg import Plot
from rmeval.types import OutcomeKind

__all__ = ["CompareView", "compare_views"]


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A difference in a table."""

    name: str
    section: str
    """Of a subset; empty otherwise."""
    difference: Difference
    bounds: tuple[float, float] | tuple[()] = ()
    """The one-sided 95% bounds, where they are drawn."""


@dataclass(frozen=True, slots=True)
class Flipped:
    """An example whose decision changed."""

    id: str
    subset: str
    text: str
    """The beginning of what was asked; empty where no run has kept its texts."""
    outcomes: Sequence[tuple[OutcomeKind, float]]
    """What the first run and the other made of it, with their margins."""


@dataclass(frozen=True, slots=True)
class CompareView:
    """A run against the first one, as the template shows it."""

    place: int
    letter: str
    name: str
    comparison: Comparison
    warnings: Sequence[str]
    """But for why runs are partial, which the head of the page says."""
    rows: Sequence[DifferenceRow]
    """Overall and sections."""
    subsets: Sequence[DifferenceRow]
    plot: Plot | None
    """Both runs over each other; None where they share no valid example."""
    to_right: Sequence[Flipped]
    """Those with the largest margins in the other run first."""
    to_wrong: Sequence[Flipped]


def compare_views(
    runs: Sequence[RunRecord], arrays: Sequence[RunArrays], texts: ExamplesText | None, *, common_only: bool
) -> list[CompareView]:
    """Compare each run with the first one.

    Args:
        runs: The runs.
        arrays: The same runs as arrays.
        texts: The texts of the first run's examples; None where none was kept.
        common_only: Compare the examples that a run has in common with the first, where they are not all the same.

    Raises:
        UsageError: if one of them cannot be compared with the first.
        RunError: if a run's tables do not fit together, or no example is valid in both runs.
    """
    views = []
    for place, run in enumerate(runs[1:], start=1):
        comparison = compare(runs[0], run, common_only=common_only)
        shared = {ours.id for ours, _ in pair(runs[0], run, common_only)[0]}
        views.append(_view(comparison, run, place, _Sides(arrays[0], arrays[place], texts, shared)))
    return views


class _Sides:
    """The examples of the first run and of another one, by id."""

    def __init__(self, first: RunArrays, other: RunArrays, texts: ExamplesText | None, shared: set[str]) -> None:
        self.first, self.other, self.texts, self.shared = first, other, texts, shared
        self.places = [{each.id: place for place, each in enumerate(own.scored)} for own in (first, other)]

    def flipped(self, subset: str, ids: Sequence[str]) -> list[Flipped]:
        found = []
        for each in ids:
            text = first_line(self.texts, self.places[0][each]) if self.texts else ""
            sides = zip((self.first, self.other), self.places, strict=True)
            outcomes = [run.outcomes[places[each]] for run, places in sides]
            found.append(Flipped(each, subset, text, [(outcome.kind, outcome.margin) for outcome in outcomes]))
        return found

    def plot(self, subsets: Collection[str], letter: str) -> Plot | None:
        """Draw both on the examples of these subsets that are valid in both."""
        other = self.places[1]
        both = [
            (place, other[each.id])
            for place, each in enumerate(self.first.scored)
            if each.subset in subsets
            and each.id in self.shared
            and self.first.valid[place]
            and self.other.valid[other[each.id]]
        ]
        return by_length_beside(self.first, self.other, both, letter) if both else None


def _view(comparison: Comparison, run: RunRecord, place: int, sides: _Sides) -> CompareView:
    home = suite_of(run.info).homes(run.info.weights, comparison.subsets)
    numbers = {} if comparison.overall is None else {"Overall": comparison.overall}
    letter = chr(ord("A") + place)
    flips = comparison.flips.items()
    to_right = [item for subset, own in flips for item in sides.flipped(subset, own.to_right)]
    to_wrong = [item for subset, own in flips for item in sides.flipped(subset, own.to_wrong)]
    return CompareView(
        place=place,
        letter=letter,
        name=run.info.model.name,
        comparison=comparison,
        warnings=[line for line in comparison.warnings if line not in comparison.partial],
        rows=[
            DifferenceRow(name, "", each, each.limits(1 - 2 * ALPHA))
            for name, each in [*numbers.items(), *comparison.sections.items()]
        ],
        subsets=[DifferenceRow(name, home.get(name, ""), each) for name, each in comparison.subsets.items()],
        plot=sides.plot(comparison.subsets, letter),
        to_right=_largest_first(to_right),
        to_wrong=_largest_first(to_wrong),
    )


def _largest_first(flipped: Sequence[Flipped]) -> list[Flipped]:
    """Sort by the margin in the other run; a verdict that could not be read has none, and comes last."""
    return sorted(flipped, key=lambda each: -abs(each.outcomes[1][1]) if math.isfinite(each.outcomes[1][1]) else 0)

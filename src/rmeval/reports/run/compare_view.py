"""Two or more runs side by side: every run against the first, on the same examples (``numbers.compare``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmeval.eval.numbers.compare import Comparison, compare
from rmeval.eval.numbers.differences import ALPHA, Difference
from rmeval.eval.suites import suite_of
from rmeval.records import RunRecord

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


@dataclass(frozen=True, slots=True)
class CompareView:
    """A run against the first one, as the template shows it."""

    place: int
    letter: str
    name: str
    comparison: Comparison
    rows: Sequence[DifferenceRow]
    """Overall and sections."""
    subsets: Sequence[DifferenceRow]
    reach: float
    """What the drawn axis ends at on either side: no interval goes beyond."""
    to_right: Sequence[Flipped]
    to_wrong: Sequence[Flipped]


def compare_views(runs: Sequence[RunRecord], *, common_only: bool) -> list[CompareView]:
    """Compare each run with the first one.

    Raises:
        UsageError: if one of them cannot be compared with the first.
        RunError: if a run's tables do not fit together, or no example is valid in both runs.
    """
    return [
        _view(compare(runs[0], run, common_only=common_only), run, place) for place, run in enumerate(runs[1:], start=1)
    ]


def _view(comparison: Comparison, run: RunRecord, place: int) -> CompareView:
    home = suite_of(run.info).homes(run.info.weights, comparison.subsets)
    numbers = {} if comparison.overall is None else {"Overall": comparison.overall}
    rows = [
        DifferenceRow(name, "", each, each.limits(1 - 2 * ALPHA))
        for name, each in [*numbers.items(), *comparison.sections.items()]
    ]
    ends = [abs(end) for row in rows for end in (row.difference.low, row.difference.high)]
    return CompareView(
        place=place,
        letter=chr(ord("A") + place),
        name=run.info.model.name,
        comparison=comparison,
        rows=rows,
        subsets=[DifferenceRow(name, home.get(name, ""), each) for name, each in comparison.subsets.items()],
        reach=1.04 * max([*ends, 0.01]),
        to_right=[Flipped(each, subset) for subset, own in comparison.flips.items() for each in own.to_right],
        to_wrong=[Flipped(each, subset) for subset, own in comparison.flips.items() for each in own.to_wrong],
    )

"""The plots of accuracy by length: of one run, or of two over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from rmeval.eval.numbers.intervals import wilson
from rmeval.reports.run.arrays import RunArrays
from rmeval.reports.shell.page import count, decimal, interval, percent
from rmeval.reports.shell.svg import INK, NEUTRAL, SERIES, Plot, drawing

__all__ = ["LENGTH_EDGES", "QUANTILES", "by_length", "by_length_beside", "by_tokens"]

LENGTH_EDGES = (0, 30, 100, 300, 1000)
"""Characters by which one completion is longer: bins lie between these on either side, an edge in the bin nearer to 0;
0 is a bin of its own."""
QUANTILES = 8
_BY_LENGTH = "Accuracy by length difference"
_DIFFERENCE = "chosen minus rejected answer, characters"
_SIDES = "← rejected longer · characters · chosen longer →"
_READ = (
    "Characters by which the chosen answer is longer than the rejected one. A model that goes by length climbs from"
    " left to right."
)


@dataclass(frozen=True, slots=True)
class _Group:
    """Examples of about the same length."""

    place: int
    """On the axis; a place that no group has is left empty."""
    label: str
    examples: int
    correct: int

    @property
    def numbers(self) -> tuple[float, float, float]:
        """The accuracy and the ends of Wilson's interval, shares of 1."""
        return self.correct / self.examples, *wilson(self.correct, self.examples)


Ticks = Sequence[tuple[float, str]]
"""Where on the axis of places a label stands."""


def by_length(arrays: RunArrays, key: str) -> Plot:
    """Draw a run's accuracy by how much longer the chosen answer is."""
    groups = _by_difference(arrays, arrays.valid)
    svg = _draw(f"length{key}", _BY_LENGTH, [groups], _edges(), _SIDES)
    return Plot(f"length{key}", _BY_LENGTH, _READ, svg, (), _headers(_DIFFERENCE), [_row(each) for each in groups])


def by_length_beside(first: RunArrays, other: RunArrays, both: Sequence[tuple[int, int]], letter: str) -> Plot:
    """Draw two runs over each other, on the examples that are valid in both.

    Args:
        first: The baseline, called A.
        other: The run beside it.
        both: Places of an example in the one and in the other, for each that is valid in both.
        letter: What to call the other run.
    """
    sides = []
    for arrays, places in zip((first, other), zip(*both, strict=True), strict=True):
        own = np.zeros(len(arrays.scored), dtype=np.bool_)
        own[list(places)] = True
        sides.append(_by_difference(arrays, own))
    name, title = f"length-beside-{letter}", f"{_BY_LENGTH}, A and {letter}"
    rows = [
        (one.label, count(one.examples), *(text for each in (one, two) for text in _row(each)[2:]))
        for one, two in zip(*sides, strict=True)
    ]
    headers = (_DIFFERENCE, "examples", "A, %", "95% interval", f"{letter}, %", "95% interval")
    svg = _draw(name, title, sides, _edges(), _SIDES)
    return Plot(name, title, _READ, svg, [("A", "ci"), (letter, "c1")], headers, rows)


def by_tokens(arrays: RunArrays, key: str, unit: str) -> Plot:
    """Draw a run's accuracy by the length of the longest conversation, in groups of about the same size."""
    lengths = arrays.longest_tokens[arrays.valid]
    cuts = np.unique(np.quantile(lengths, np.linspace(0, 1, QUANTILES + 1), method="inverted_cdf").astype(np.int64))
    ends = [int(cuts[0]) - 1, *cuts[1:].tolist()] if len(cuts) > 1 else [int(cuts[0]) - 1, int(cuts[0])]
    groups = []
    for place, (start, end) in enumerate(pairwise(ends)):
        own = (arrays.longest_tokens > start) & (arrays.longest_tokens <= end)
        label = count(end) if start + 1 == end else f"{count(start + 1)}–{count(end)}"
        groups += _group(arrays, place, label, own & arrays.valid)
    name, tokens = f"tokens{key}", unit == "tokens"
    title = f"Accuracy by {'token' if tokens else 'character'} length"
    longest = "longest conversation of the example" if tokens else "longest answer of the example"
    ticks = [(place - 0.5, _short(edge)) for place, edge in enumerate([ends[0] + 1, *ends[1:]])]
    return Plot(
        name,
        title,
        f"The {longest} in {unit}, in groups of about the same size.",
        _draw(name, title, [groups], ticks, unit),
        (),
        _headers(unit),
        [_row(each) for each in groups],
    )


def _by_difference(arrays: RunArrays, own: NDArray[np.bool_]) -> list[_Group]:
    difference = arrays.length_difference
    place = np.sign(difference) * np.searchsorted(LENGTH_EDGES, np.abs(difference), side="left")
    last = len(LENGTH_EDGES)
    return [
        group
        for each in range(-last, last + 1)
        for group in _group(arrays, each, _length_label(each), own & (place == each))
    ]


def _group(arrays: RunArrays, place: int, label: str, own: NDArray[np.bool_]) -> list[_Group]:
    """Return the group; none where it is empty."""
    examples = int(own.sum())
    return [_Group(place, label, examples, int((own & arrays.right).sum()))] if examples else []


def _length_label(place: int) -> str:
    """Return the name of a bin: 0 is no difference, ±1 up to the second edge, and so on."""
    if place == 0:
        return "0"
    sign = 1 if place > 0 else -1
    start = decimal(sign * LENGTH_EDGES[abs(place) - 1], 0)
    if abs(place) == len(LENGTH_EDGES):
        return f"{'>' if place > 0 else '<'} {start}"
    end = decimal(sign * LENGTH_EDGES[abs(place)], 0)
    return f"{start} to {end}" if place > 0 else f"{end} to {start}"


def _edges() -> list[tuple[float, str]]:
    """Return the edges between the bins, and the bin of 0 in the middle."""
    above = [(place + 0.5, edge) for place, edge in enumerate(LENGTH_EDGES) if edge]
    return [
        *((-place, _short(edge)) for place, edge in reversed(above)),
        (0, "0"),
        *((place, _short(edge)) for place, edge in above),
    ]


def _short(edge: int) -> str:
    """Return a length as a label that fits beside eight others: ``950``, ``1k``, ``1,066``, ``12k``."""
    return count(edge) if edge < 10_000 and edge % 1000 else f"{edge / 1000:.0f}k"


def _draw(name: str, title: str, sides: Sequence[Sequence[_Group]], ticks: Ticks, label: str) -> Markup:
    """Draw groups with their intervals at their places; of two sides the first is the baseline."""
    looks = [(INK, "s"), (SERIES[0], "o")][-len(sides) :]
    with drawing(name, title) as drawn:
        axes = drawn.axes
        axes.axhline(50, color=NEUTRAL, linewidth=1, linestyle=(0, (3, 3)))
        for side, (groups, (colour, marker)) in enumerate(zip(sides, looks, strict=True)):
            shift = 0.18 * (side - (len(sides) - 1) / 2)
            places = [each.place + shift for each in groups]
            numbers = [[100 * value for value in each.numbers] for each in groups]
            axes.vlines(
                places, [low for _, low, _ in numbers], [high for _, _, high in numbers], color=colour, linewidth=1.2
            )
            middles = [middle for middle, _, _ in numbers]
            axes.plot(places, middles, marker=marker, markersize=5, linewidth=1.2, color=colour)
        axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
        axes.set(xlabel=label, ylabel="correct, %", ylim=(-3, 103))
        axes.grid(visible=False, axis="x")
    return drawn.svg


def _headers(label: str) -> tuple[str, ...]:
    return (label, "examples", "correct, %", "95% interval")


def _row(group: _Group) -> tuple[str, ...]:
    share, low, high = group.numbers
    return group.label, count(group.examples), percent(share), interval(low, high)

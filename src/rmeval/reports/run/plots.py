"""The plots of one run. Each comes with its numbers as a table; invalid examples are in none of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rmeval.eval.numbers.calibration import BINS, Calibration, calibrate
from rmeval.eval.numbers.intervals import wilson
from rmeval.reports.run.arrays import UNKNOWN, RunArrays
from rmeval.reports.shell.page import count, decimal, interval, percent
from rmeval.reports.shell.svg import NEUTRAL, SERIES, Plot, drawing
from rmeval.types import Scale

__all__ = ["LENGTH_EDGES", "draw_plots"]

LENGTH_EDGES = (0, 30, 100, 300, 1000)
"""Characters by which one completion is longer: bins lie between these on either side, an edge in the bin nearer to 0;
0 is a bin of its own."""
_QUANTILES = 8
_MARGIN_BINS = 40
_DOTS = 1_500
"""Completions of each role that are drawn as dots: more would only cover each other."""
_RIGHT_WRONG = [("right", "c1"), ("wrong", "c2")]


def draw_plots(arrays: RunArrays, *, reference_line: bool, scale: Scale = "pointwise", key: str = "") -> list[Plot]:
    """Draw a run.

    Args:
        arrays: The run.
        reference_line: True where the scores are a reference line's: no model's claims, and its tokens are characters.
        scale: Where scores compare: what only a pointwise scale claims is left out of others.
        key: Distinguishes the run on its page.
    """
    if not np.isfinite(arrays.margin).any():
        return []
    unit = "characters" if reference_line else "tokens"
    plots = [_margins(arrays, key)]
    if scale != "pointwise":
        return [*plots, _by_length(arrays, key)]
    found = calibrate(arrays.margin[np.isfinite(arrays.margin) & arrays.pair])
    if found and not reference_line:
        plots.append(_calibration(found, key))
    plots.append(_by_length(arrays, key))
    if (arrays.completion_tokens != UNKNOWN).all():
        plots += [_by_tokens(arrays, key, unit), _scores(arrays, key, unit)]
    return plots


def _margins(arrays: RunArrays, key: str) -> Plot:
    margins = arrays.margin[np.isfinite(arrays.margin)]
    limit = float(np.quantile(np.abs(margins), 0.99)) or float(np.abs(margins).max()) or 1.0
    edges = np.linspace(-limit, limit, _MARGIN_BINS + 1)
    inside = np.clip(margins, -limit, limit)
    right = np.histogram(inside[margins > 0], edges)[0]
    wrong = np.histogram(inside[margins < 0], edges)[0]
    ties = int((margins == 0).sum())
    with drawing(f"margins{key}", "Histogram of margins") as drawn:
        width = float(edges[1] - edges[0])
        for counts, colour in ((right, SERIES[0]), (wrong, SERIES[1])):
            drawn.axes.bar(edges[:-1] + width / 2, counts, width=0.92 * width, color=colour)
        if ties:
            drawn.axes.bar([0], [ties], width=0.3 * width, color=NEUTRAL)
        drawn.axes.set(xlabel="margin", ylabel="examples")
        drawn.axes.grid(visible=False, axis="x")
        drawn.axes.locator_params(axis="y", nbins=5, integer=True)
    median = float(np.median(margins))
    levels = (5, 25, 50, 75, 95)
    tie_legend = [("tie", "cn")] if ties else []
    return Plot(
        f"margins{key}",
        "Margins",
        f"Score of the right answer minus that of the wrong one; the median is {decimal(median)}."
        f" The outermost bars hold everything beyond.",
        drawn.svg,
        [*_RIGHT_WRONG, *tie_legend],
        ("percentile", "margin"),
        [
            (str(level), decimal(value, 4))
            for level, value in zip(levels, np.percentile(margins, levels).tolist(), strict=True)
        ],
    )


def _calibration(found: Calibration, key: str) -> Plot:
    with drawing(f"calibration{key}", "Accuracy by confidence") as drawn:
        axes = drawn.axes
        axes.plot([50, 100], [50, 100], color=NEUTRAL, linewidth=1, linestyle=(0, (3, 3)))
        for each in found.bins:
            x, y = 100 * each.confidence, 100 * each.accuracy
            axes.plot([x, x], [100 * each.low, 100 * each.high], color=SERIES[0], linewidth=1.2)
            axes.plot([x], [y], marker="o", markersize=3 + 7 * (each.n / found.n) ** 0.5, color=SERIES[0])
        axes.set(xlabel="confidence σ(|margin|), %", ylabel="right, %", xlim=(48, 102), ylim=(-3, 103))
    return Plot(
        f"calibration{key}",
        "Calibration",
        "Of the pairs that the model decides with a confidence, how many it has right. On the dashed line it is as"
        f" good as it claims. Expected calibration error {percent(found.ece)}%, Brier score {decimal(found.brier, 3)}"
        f" (a coin has 0.250); {count(found.n)} pairs in {BINS} bins.",
        drawn.svg,
        (),
        ("confidence, %", "pairs", "mean confidence", "right, %", "95% interval"),
        [
            (
                f"{100 * each.start:.0f}–{100 * each.end:.0f}",
                count(each.n),
                percent(each.confidence),
                percent(each.accuracy),
                interval(each.low, each.high),
            )
            for each in found.bins
        ],
    )


def _by_length(arrays: RunArrays, key: str) -> Plot:
    difference = arrays.length_difference
    place = np.sign(difference) * np.searchsorted(LENGTH_EDGES, np.abs(difference), side="left")
    last = len(LENGTH_EDGES)
    return _accuracy(
        arrays,
        [(_length_label(each), place == each) for each in range(-last, last + 1)],
        f"length{key}",
        "Accuracy by length difference",
        "Characters by which the right answer is longer than the wrong one. A model that goes by length climbs from"
        " left to right.",
        "right minus wrong answer, characters",
    )


def _length_label(place: int) -> str:
    """Return the name of a bin: 0 is no difference, ±1 up to the second edge, and so on."""
    if place == 0:
        return "0"
    sign = 1 if place > 0 else -1
    start = decimal(sign * LENGTH_EDGES[abs(place) - 1], 0)
    if abs(place) == len(LENGTH_EDGES):
        return f"> {start}" if sign > 0 else f"< {start}"
    end = decimal(sign * LENGTH_EDGES[abs(place)], 0)
    return f"{start} to {end}" if sign > 0 else f"{end} to {start}"


def _by_tokens(arrays: RunArrays, key: str, unit: str) -> Plot:
    lengths = arrays.longest_tokens[arrays.valid]
    cuts = np.unique(np.quantile(lengths, np.linspace(0, 1, _QUANTILES + 1), method="inverted_cdf").astype(np.int64))
    groups = []
    for start, end in pairwise([int(cuts[0]) - 1, *cuts[1:].tolist()] if len(cuts) > 1 else [cuts[0] - 1, cuts[0]]):
        own = (arrays.longest_tokens > start) & (arrays.longest_tokens <= end)
        groups.append((count(end) if start + 1 == end else f"{count(start + 1)}–{count(end)}", own))
    longest = "longest conversation of the example" if unit == "tokens" else "longest answer of the example"
    return _accuracy(
        arrays,
        groups,
        f"tokens{key}",
        f"Accuracy by {'token' if unit == 'tokens' else 'character'} length",
        f"The {longest} in {unit}, in groups of about the same size.",
        unit,
    )


def _accuracy(
    arrays: RunArrays,
    groups: Sequence[tuple[str, NDArray[np.bool_]]],
    name: str,
    title: str,
    text: str,
    label: str,
) -> Plot:
    """Draw the accuracy of groups of examples, with Wilson's intervals; empty groups are left out."""
    rows = []
    for group, own in groups:
        n = int((own & arrays.valid).sum())
        if n:
            right = int((own & arrays.right).sum())
            rows.append((group, n, right / n, *wilson(right, n)))
    with drawing(name, title, height=270) as drawn:
        axes = drawn.axes
        places = range(len(rows))
        axes.axhline(50, color=NEUTRAL, linewidth=1, linestyle=(0, (3, 3)))
        axes.vlines(
            places, [100 * row[3] for row in rows], [100 * row[4] for row in rows], color=SERIES[0], linewidth=1.2
        )
        axes.plot(places, [100 * row[2] for row in rows], marker="o", markersize=5, linewidth=1.2, color=SERIES[0])
        axes.set_xticks(
            list(places), [row[0] for row in rows], fontsize=9, rotation=35, ha="right", rotation_mode="anchor"
        )
        axes.set(xlabel=label, ylabel="right, %", ylim=(-3, 103))
        axes.grid(visible=False, axis="x")
    return Plot(
        name,
        title,
        text,
        drawn.svg,
        (),
        (label, "examples", "right, %", "95% interval"),
        [(group, count(n), percent(share), interval(low, high)) for group, n, share, low, high in rows],
    )


def _scores(arrays: RunArrays, key: str, unit: str) -> Plot:
    finite = np.isfinite(arrays.completion_score)
    scores, tokens = arrays.completion_score[finite], arrays.completion_tokens[finite]
    chosen = arrays.completion_chosen[finite]
    from matplotlib.ticker import NullLocator

    low, high = np.quantile(scores, [0.005, 0.995])
    rows: list[tuple[str, ...]] = []
    with drawing(f"scores{key}", f"Score against {unit}", height=270) as drawn:
        axes = drawn.axes
        for own, colour in ((~chosen, SERIES[1]), (chosen, SERIES[0])):
            step = max(1, -(-int(own.sum()) // _DOTS))
            xs, ys = tokens[own][::step], np.clip(scores[own][::step], low, high)
            # Each dot is a line of no length with round ends: one path for all of them keeps the page small.
            gap = np.full(len(xs), np.nan)
            axes.plot(
                np.column_stack([xs, xs, gap]).ravel(),
                np.column_stack([ys, ys, gap]).ravel(),
                color=colour,
                linewidth=2.6,
                alpha=0.28,
                solid_capstyle="round",
            )
        for own, colour, role in ((~chosen, SERIES[1], "wrong"), (chosen, SERIES[0], "right")):
            middles = _medians(tokens[own], scores[own])
            x, y = [x for x, _, _ in middles], np.clip([y for _, y, _ in middles], low, high)
            axes.plot(x, y, color=colour, marker="o", markersize=3.5)
            rows += [(role, decimal(x, 0), count(n), decimal(y, 3)) for x, y, n in middles]
        axes.set_xscale("log")
        axes.set(xlabel=unit, ylabel="score")
        ticks = [step * 10**power for power in range(7) for step in (1, 2, 5)]
        lowest, highest = max(1, int(tokens.min())), max(2, int(tokens.max()))
        ticks = [tick for tick in ticks if lowest <= tick <= highest] or [lowest]
        axes.set_xticks(ticks, [count(tick) for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.locator_params(axis="y", nbins=6)
    together = _rank_correlation(tokens, scores)
    said = f" The rank correlation of score and length is {decimal(together)}." if together is not None else ""
    shown = f" Of each role up to {count(_DOTS)} answers are dots." if len(scores) > 2 * _DOTS else ""
    return Plot(
        f"scores{key}",
        "Score against length",
        f"Answers by their length in {unit}, with medians of eight groups of about the same size.{said}{shown}",
        drawn.svg,
        _RIGHT_WRONG,
        ("answer", f"median {unit}", "answers", "median score"),
        rows,
    )


def _medians(x: NDArray[np.int64], y: NDArray[np.float64]) -> list[tuple[float, float, int]]:
    """Return (median x, median y, n) of groups of about the same size, ascending by x."""
    order = np.argsort(x, kind="stable")
    parts = [part for part in np.array_split(order, _QUANTILES) if len(part)]
    return [(float(np.median(x[part])), float(np.median(y[part])), len(part)) for part in parts]


def _rank_correlation(x: NDArray[np.int64], y: NDArray[np.float64]) -> float | None:
    """Return Spearman's rank correlation; None where one of them does not vary."""
    ranks = [_ranks(x), _ranks(y)]
    if any(np.ptp(each) == 0 for each in ranks):
        return None
    together: NDArray[np.float64] = np.corrcoef(ranks[0], ranks[1])
    return float(together[0, 1])


def _ranks(values: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mid-ranks: float64 of the same shape."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return ranks[place]

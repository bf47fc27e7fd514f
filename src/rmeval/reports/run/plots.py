"""The plots of one run. Each comes with its numbers as a table; invalid examples are in none of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rmeval.eval.numbers.calibration import BINS, Calibration, calibrate
from rmeval.reports.run.arrays import UNKNOWN, RunArrays
from rmeval.reports.run.length_plots import QUANTILES, by_length, by_tokens
from rmeval.reports.shell.page import count, decimal, interval, percent
from rmeval.reports.shell.svg import DOTS, NEUTRAL, SERIES, Plot, drawing
from rmeval.types import Scale

__all__ = ["draw_plots"]

_MARGIN_BINS = 40
_MOST_DOTS = 600
"""Completions of each role that are drawn as dots: more would only cover each other."""


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
        return [*plots, by_length(arrays, key)]
    found = calibrate(arrays.margin[np.isfinite(arrays.margin) & arrays.pair])
    if found and not reference_line:
        plots.append(_calibration(found, key))
    plots.append(by_length(arrays, key))
    if (arrays.completion_tokens != UNKNOWN).all():
        plots += [by_tokens(arrays, key, unit), _scores(arrays, key, unit)]
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
        f"Score of the chosen answer minus that of the rejected one; the median is {decimal(median)}."
        f" The outermost bars hold everything beyond.",
        drawn.svg,
        [("correct", "c1"), ("incorrect", "c2"), *tie_legend],
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
        axes.set(xlabel="confidence σ(|margin|), %", ylabel="correct, %", xlim=(48, 102), ylim=(-3, 103))
    return Plot(
        f"calibration{key}",
        "Calibration",
        "Of the pairs that the model decides with a confidence, how many are correct. On the dashed line it is as"
        f" good as it claims. Expected calibration error {percent(found.ece)}%, Brier score {decimal(found.brier, 3)}"
        f" (a random choice has 0.250); {count(found.n)} pairs in {BINS} bins.",
        drawn.svg,
        (),
        ("confidence, %", "pairs", "mean confidence", "correct, %", "95% interval"),
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


def _scores(arrays: RunArrays, key: str, unit: str) -> Plot:
    finite = np.isfinite(arrays.completion_score)
    scores, tokens = arrays.completion_score[finite], arrays.completion_tokens[finite]
    chosen = arrays.completion_chosen[finite]
    from matplotlib.ticker import NullLocator

    low, high = np.quantile(scores, [0.005, 0.995])
    rows: list[tuple[str, ...]] = []
    with drawing(f"scores{key}", f"Score against {unit}", height=250) as drawn:
        axes = drawn.axes
        for own, colour in ((~chosen, DOTS[1]), (chosen, DOTS[0])):
            step = max(1, -(-int(own.sum()) // _MOST_DOTS))
            xs, ys = tokens[own][::step], np.clip(scores[own][::step], low, high)
            # Each dot is a line of no length with round ends: one path for all of them keeps the page small.
            gap = np.full(len(xs), np.nan)
            axes.plot(
                np.column_stack([xs, xs, gap]).ravel(),
                np.column_stack([ys, ys, gap]).ravel(),
                color=colour,
                linewidth=2.8,
                solid_capstyle="round",
            )
        for own, colour, role in ((~chosen, SERIES[1], "rejected"), (chosen, SERIES[0], "chosen")):
            middles = _medians(tokens[own], scores[own])
            x, y = [x for x, _, _ in middles], np.clip([y for _, y, _ in middles], low, high)
            axes.plot(x, y, color=colour, marker="o", markersize=3.5)
            rows += [(role, decimal(x, 0), count(n), decimal(y, 3)) for x, y, n in middles]
        axes.set_xscale("log")
        axes.set(xlabel=unit, ylabel="score")
        ticks = _length_ticks(int(tokens.min()), int(tokens.max()))
        axes.set_xticks(ticks, [count(tick) for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.locator_params(axis="y", nbins=6)
    together = _rank_correlation(tokens, scores)
    said = f" The rank correlation of score and length is {decimal(together)}." if together is not None else ""
    shown = f" Of each role up to {count(_MOST_DOTS)} answers are dots." if len(scores) > 2 * _MOST_DOTS else ""
    return Plot(
        f"scores{key}",
        "Score against length",
        f"Answers by their length in {unit}, with medians of eight groups of about the same size.{said}{shown}",
        drawn.svg,
        [("chosen", "c1"), ("rejected", "c2")],
        ("answer", f"median {unit}", "answers", "median score"),
        rows,
    )


def _length_ticks(low: int, high: int) -> list[int]:
    """Return round numbers for a logarithmic axis: few enough that their labels do not touch."""
    steps = (1, 2, 5) if high < 100 * max(1, low) else (1,)
    ticks = [step * 10**power for power in range(9) for step in steps]
    return [tick for tick in ticks if low <= tick <= high] or [max(1, low)]


def _medians(x: NDArray[np.int64], y: NDArray[np.float64]) -> list[tuple[float, float, int]]:
    """Return (median x, median y, n) of groups of about the same size, ascending by x."""
    order = np.argsort(x, kind="stable")
    parts = [part for part in np.array_split(order, QUANTILES) if len(part)]
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

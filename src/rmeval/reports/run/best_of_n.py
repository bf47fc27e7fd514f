"""The plot of best of n: how often the answer is right that the model picks out of n."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rmeval.eval.numbers.views.best_of_n import BestOfN
from rmeval.reports.shell.page import count, interval, percent
from rmeval.reports.shell.svg import NEUTRAL, SERIES, Plot, drawing

__all__ = ["draw_best_of_n"]


def draw_best_of_n(points: Sequence[BestOfN], key: str = "") -> list[Plot]:
    """Draw the curve with random picks and the oracle beside it; nothing where there are no points.

    Args:
        points: The curve, ascending by n.
        key: Distinguishes the run on its page.
    """
    if not points:
        return []
    from matplotlib.ticker import NullLocator

    with drawing(f"best-of-n{key}", "Accuracy of the best of n", height=270) as drawn:
        axes = drawn.axes
        # A line joins points of the same examples only.
        for _, same in groupby(points, key=lambda point: point.examples):
            own = list(same)
            sizes = [point.n for point in own]
            for values, colour, line in (
                ([point.oracle for point in own], SERIES[1], "solid"),
                ([point.random for point in own], NEUTRAL, (0, (3, 3))),
                ([point.accuracy for point in own], SERIES[0], "solid"),
            ):
                axes.plot(
                    sizes, [100 * each for each in values], color=colour, linestyle=line, marker="o", markersize=4
                )
            lows, highs = [100 * point.low for point in own], [100 * point.high for point in own]
            axes.vlines(sizes, lows, highs, color=SERIES[0], linewidth=1.2)
        axes.set_xscale("log", base=2)
        axes.set_xticks([point.n for point in points], [count(point.n) for point in points])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlabel="answers to pick from (n)", ylabel="correct, %", ylim=(-3, 103))
        axes.grid(visible=False, axis="x")
    return [
        Plot(
            f"best-of-n{key}",
            "Best of n",
            "How often the answer with the highest score of n is correct, over all ways to draw n of an example's"
            f" answers.{_left_out(points)}",
            drawn.svg,
            [("model", "c1"), ("oracle", "c2"), ("random", "cn")],
            ("n", "examples", "correct, %", "95% interval", "random, %", "oracle, %"),
            [
                (
                    count(point.n),
                    count(point.examples),
                    percent(point.accuracy),
                    interval(point.low, point.high),
                    percent(point.random),
                    percent(point.oracle),
                )
                for point in points
            ],
        )
    ]


def _left_out(points: Sequence[BestOfN]) -> str:
    """Say where points are of fewer examples."""
    most, fewest = points[0].examples, points[-1].examples
    if most == fewest:
        return ""
    return (
        f" Examples with fewer than n answers are left out: from {count(most)} examples at n = {count(points[0].n)} to"
        f" {count(fewest)} at n = {count(points[-1].n)}. A line joins points of the same examples only."
    )

"""The plots of a bench."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Literal, TypedDict

from rmeval.bench_info import MeasuredRow
from rmeval.reports.bench.words import curves, duration, rate, size
from rmeval.reports.shell.svg import NEUTRAL, SERIES, Plot, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_MARKERS, _DASHES = "osD^v", ("-", "--", ":", "-.")


def draw(measured: Sequence[MeasuredRow]) -> tuple[list[list[Plot]], Plot | None]:
    """Draw for each length throughput, latency and memory by batch size; then speed against flips.

    What would show nothing is left out: lines of a single batch size, and flips where no decision flipped.
    """
    plots = []
    for length in dict.fromkeys(str(row["length"]) for row in measured):
        rows = [row for row in measured if str(row["length"]) == length]
        if len({row["batch_size"] for row in rows}) < 2:
            continue
        where = "rows of the data set" if length == "rows" else f"{length} tokens"
        plots.append([_throughput(rows, length, where), _latency(rows, length, where), _memory(rows, length, where)])
    flips = [row for row in measured if row["flips"] is not None]
    return plots, _flips(flips) if len(curves(flips)) > 1 and any(row["flips"] for row in flips) else None


def _throughput(rows: Sequence[MeasuredRow], length: str, where: str) -> Plot:
    with drawing(f"throughput-{length}", f"Conversations a second by batch size, {where}") as drawn:
        axes = drawn.axes
        for (_, _), group, colour, style in _styled(rows):
            sizes = [row["batch_size"] for row in group]
            axes.plot(sizes, [row["completions_per_second"] for row in group], color=colour, **style)
            roofs = [row["batch_size"] / roof for row in group if (roof := row["roof_seconds"])]
            if style["linestyle"] == "-" and len(roofs) == len(group):
                axes.plot(sizes, roofs, color=colour, linewidth=1, linestyle=(0, (1, 2)))
        _batch_axis(axes, rows, "conversations/s", log=True)
    return Plot(
        f"throughput-{length}",
        f"Throughput, {where}",
        "Conversations a second. Dotted in the same colour: the roofline, which is what the machine's matrix rate and"
        " memory bandwidth allow at most.",
        drawn.svg,
        _legend(rows),
        ("cell", "conversations/s", "roofline"),
        [
            (row["name"], rate(row["completions_per_second"]),
             rate(row["batch_size"] / row["roof_seconds"]) if row["roof_seconds"] else "–")
            for row in rows
        ],
    )  # fmt: skip


def _latency(rows: Sequence[MeasuredRow], length: str, where: str) -> Plot:
    with drawing(f"latency-{length}", f"Latency by batch size, {where}") as drawn:
        axes = drawn.axes
        for (_, _), group, colour, style in _styled(rows):
            sizes = [row["batch_size"] for row in group]
            axes.plot(sizes, [1e3 * row["p50"] for row in group], color=colour, **style)
            for row in group:
                axes.plot([row["batch_size"]] * 2, [1e3 * row["p50"], 1e3 * row["p95"]], color=colour, linewidth=1)
        _batch_axis(axes, rows, "milliseconds", log=True)
    return Plot(
        f"latency-{length}",
        f"Latency, {where}",
        "Milliseconds of a request: the median, and a line up to the 95th percentile.",
        drawn.svg,
        _legend(rows),
        ("cell", "p50", "p95", "rounds"),
        [(row["name"], duration(row["p50"]), duration(row["p95"]), str(row["rounds"])) for row in rows],
    )


def _memory(rows: Sequence[MeasuredRow], length: str, where: str) -> Plot:
    on_device = any(row["device_peak_bytes"] for row in rows)
    name: Literal["device_peak_bytes", "host_peak_bytes"] = "device_peak_bytes" if on_device else "host_peak_bytes"
    with drawing(f"memory-{length}", f"Peak memory by batch size, {where}") as drawn:
        axes = drawn.axes
        for (_, _), group, colour, style in _styled(rows):
            sizes = [row["batch_size"] for row in group]
            axes.plot(sizes, [(row[name] or 0) / 1e9 for row in group], color=colour, **style)
        axes.set_ylim(bottom=0)
        _batch_axis(axes, rows, "GB")
    what = "allocated on the device" if on_device else "that the whole process had in memory, Python and torch included"
    return Plot(
        f"memory-{length}",
        f"Memory, {where}",
        f"The most {what}.",
        drawn.svg,
        _legend(rows),
        ("cell", "memory"),
        [(row["name"], size(row[name])) for row in rows],
    )


def _flips(rows: Sequence[MeasuredRow]) -> Plot:
    with drawing("flips", "Speed against flipped decisions") as drawn:
        axes = drawn.axes
        for (_, _), group, colour, style in _styled(rows):
            fastest = max(group, key=lambda row: row["completions_per_second"])
            axes.plot(
                [fastest["completions_per_second"]],
                [100 * (fastest["flips"] or 0) / max(1, fastest["decisions"] or 1)],
                color=colour,
                marker=style["marker"],
                linestyle="none",
            )
        axes.axhline(0, color=NEUTRAL, linewidth=1)
        axes.set(xlabel="conversations/s", ylabel="% of decisions flipped")
        axes.set_xlim(left=0)
        axes.set_ylim(-0.5, max(5.0, 1.15 * axes.get_ylim()[1]))
    return Plot(
        "flips",
        "Speed against flips",
        "Each setting at its fastest batch size of each length, and the share of decisions that differ from float32's."
        " Further right is faster; what lies on the line flips none.",
        drawn.svg,
        _legend(rows),
        ("cell", "conversations/s", "flipped", "largest drift"),
        [
            (row["name"], rate(row["completions_per_second"]), f"{row['flips']} of {row['decisions']}",
             f"{row['drift_max']:.1e}" if row["drift_max"] is not None else "–")
            for row in rows
        ],
    )  # fmt: skip


class _Style(TypedDict):
    """How matplotlib draws a line."""

    linestyle: str
    marker: str
    markersize: float


def _styled(rows: Sequence[MeasuredRow]) -> Iterable[tuple[tuple[str, str], list[MeasuredRow], str, _Style]]:
    """Give each line its look: a colour a dtype, a dash an attention or compilation."""
    colours = _colours(rows)
    variants: dict[tuple[str, str], tuple[str, str]] = {}
    looks = cycle(zip(_DASHES, _MARKERS, strict=False))
    for key, group in curves(rows).items():
        variant = group[0]["attention"], group[0]["compile"]
        if variant not in variants:
            variants[variant] = next(looks)
        dash, marker = variants[variant]
        yield key, group, colours[group[0]["dtype"]], {"linestyle": dash, "marker": marker, "markersize": 4}


def _colours(rows: Sequence[MeasuredRow]) -> dict[str, str]:
    return dict(zip(dict.fromkeys(row["dtype"] for row in rows), cycle(SERIES), strict=False))


def _legend(rows: Sequence[MeasuredRow]) -> list[tuple[str, str]]:
    places = {dtype: SERIES.index(colour) + 1 for dtype, colour in _colours(rows).items()}
    return [(dtype, f"c{place}") for dtype, place in places.items()]


def _batch_axis(axes: Axes, rows: Sequence[MeasuredRow], label: str, *, log: bool = False) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    sizes = sorted({row["batch_size"] for row in rows})
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(each) for each in sizes])
    if log:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.minorticks_off()
    axes.set(xlabel="batch size", ylabel=label)

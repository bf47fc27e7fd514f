"""The statistics page of a prepared mixture, from the JSON that prepare wrote (``data_prep.output.statistics``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from rmeval.data_prep.output.statistics_schema import (
    STATISTICS_VERSION,
    Histogram,
    LedgerEntry,
    MixtureStatistics,
    SourceStatistics,
)
from rmeval.errors import RunError
from rmeval.eval.numbers.intervals import wilson
from rmeval.reports.shell.page import count, decimal, render_page, write_page
from rmeval.reports.shell.svg import NEUTRAL, SERIES, Plot, drawing
from rmeval.run_info import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["data_page", "write_data_page"]

_SIZE = {"width": 350, "height": 220}


def write_data_page(statistics: MixtureStatistics, path: Path) -> int:
    """Write the page of a mixture; return its size in bytes.

    Raises:
        RunError: if the statistics are of another version, or the page cannot be written.
    """
    return write_page(path, data_page(statistics))


def data_page(statistics: MixtureStatistics) -> str:
    """Return the page of a mixture.

    Raises:
        RunError: if the statistics are of another version.
    """
    version = statistics.get("schema_version")
    if version != STATISTICS_VERSION:
        raise RunError(f"the statistics have schema version {version}; this rmeval reads version {STATISTICS_VERSION}")
    sources = statistics["sources"]
    ledgers = {entry["name"]: entry for entry in statistics["ledger"]}
    nav = [("sources", "Sources"), ("bias", "Length bias"), ("distributions", "Distributions"), ("ledger", "Ledger")]
    nav += [("overlap", "Contamination")] if statistics["overlap"] is not None else []
    return render_page(
        "data.html",
        title=f"{statistics['mixture']} · data",
        nav=[*nav, ("examples", "Examples")],
        styles=["data.css"],
        context={
            "data": statistics,
            "ledgers": ledgers,
            "rows": [_row(source, ledgers.get(source["name"])) for source in sources],
            "whole": _row(_sum(sources), None),
            "published": _published(statistics["ledger"]),
            "plots": {source["name"]: _plots(source, place) for place, source in enumerate(sources)},
        },
    )


@dataclass(frozen=True, slots=True)
class _SourceRow:
    """A source in the tables; the lengths are means over the train split, in characters."""

    name: str
    train: int
    test: int
    share: float
    bias: Estimate | None
    """Share of the pairs whose chosen completion is the longer one, among those whose lengths differ."""
    equal: int
    prompt: float | None
    chosen: float | None
    rejected: float | None
    difference: float | None
    gap: float | None
    published: int | None
    surplus: int | None
    """Pairs in the output less the published count."""


def _row(source: SourceStatistics, ledger: LedgerEntry | None) -> _SourceRow:
    published = ledger["published"] if ledger else None
    return _SourceRow(
        name=source["name"],
        train=source["train"],
        test=source["test"],
        share=source["share"],
        bias=_bias(source["longer_chosen"], source["shorter_chosen"]),
        equal=source["equal_length"],
        prompt=_mean(source["prompt_chars"]),
        chosen=_mean(source["chosen_chars"]),
        rejected=_mean(source["rejected_chars"]),
        difference=_mean(source["difference_chars"]),
        gap=_mean(source["score_gap"]),
        published=published,
        surplus=None if ledger is None or published is None else ledger["pairs"] - published,
    )


def _bias(longer: int, shorter: int) -> Estimate | None:
    differing = longer + shorter
    return Estimate(longer / differing, *wilson(longer, differing)) if differing else None


def _mean(histogram: Histogram) -> float | None:
    return histogram["sum"] / histogram["total"] if histogram["total"] else None


def _sum(sources: Sequence[SourceStatistics]) -> SourceStatistics:
    """Return all sources as one; score gaps are in units of their own and are left out."""
    number: Callable[[str], int] = lambda key: sum(source[key] for source in sources)  # type: ignore[literal-required] # noqa: E731

    def histogram(key: str) -> Histogram:
        """Return the count and the sum over all sources, without bins."""
        parts: list[Histogram] = [source[key] for source in sources]  # type: ignore[literal-required]
        total, whole = sum(part["total"] for part in parts), sum(part["sum"] for part in parts)
        return {"edges": [], "counts": [total], "sum": whole, "total": total}

    return {
        "name": "all",
        "train": number("train"),
        "test": number("test"),
        "share": 1.0 if number("train") else 0.0,
        "longer_chosen": number("longer_chosen"),
        "shorter_chosen": number("shorter_chosen"),
        "equal_length": number("equal_length"),
        "prompt_chars": histogram("prompt_chars"),
        "chosen_chars": histogram("chosen_chars"),
        "rejected_chars": histogram("rejected_chars"),
        "difference_chars": histogram("difference_chars"),
        "score_gap": {"edges": [], "counts": [0], "sum": 0, "total": 0},
        "examples": [],
    }


def _published(ledger: Sequence[LedgerEntry]) -> int | None:
    """Return the published count of all sources; None unless each has one."""
    counts = [entry["published"] for entry in ledger]
    return None if not counts or None in counts else sum(filter(None, counts))


def _plots(source: SourceStatistics, place: int) -> list[Plot]:
    if not source["train"]:
        return []
    bias = _bias(source["longer_chosen"], source["shorter_chosen"])
    longer = f"{100 * bias.accuracy:.1f}% of the chosen answers are the longer ones" if bias else "all are equally long"
    plots = [
        Plot(
            f"lengths-{place}",
            "Lengths",
            "Characters, on a logarithmic scale.",
            _lengths(source, f"lengths-{place}"),
            [("prompt", "cn"), ("chosen", "c1"), ("rejected", "c2")],
        ),
        Plot(
            f"difference-{place}",
            "Chosen minus rejected length",
            f"Characters; {longer}.",
            _bars(
                source["difference_chars"],
                f"difference-{place}",
                "characters, chosen minus rejected",
                signed=True,
            ),
            [("chosen is longer", "c1"), ("rejected is longer", "c2")],
        ),
    ]
    gaps = source["score_gap"]
    if gaps["total"]:
        text = f"In the source's own unit, over the {count(gaps['total'])} pairs that have scores."
        plots.append(
            Plot(
                f"gaps-{place}",
                "Gap between the scores",
                text,
                _bars(gaps, f"gaps-{place}", "chosen minus rejected score"),
            )
        )
    return plots


def _lengths(source: SourceStatistics, name: str) -> Markup:
    parts = (("prompt_chars", NEUTRAL), ("chosen_chars", SERIES[0]), ("rejected_chars", SERIES[1]))
    with drawing(name, f"Histogram of the lengths of prompts and answers of {source['name']}", **_SIZE) as drawn:
        for key, colour in parts:
            histogram: Histogram = source[key]  # type: ignore[literal-required]
            shares = [100 * number / max(1, histogram["total"]) for number in histogram["counts"]]
            drawn.axes.stairs(shares, range(len(shares) + 1), color=colour, linewidth=1.8)
        _edges(drawn.axes, source["prompt_chars"], {10, 100, 1_000, 10_000, 100_000})
        drawn.axes.set(xlabel="characters", ylabel="% of pairs")
    return drawn.svg


def _bars(histogram: Histogram, name: str, label: str, *, signed: bool = False) -> Markup:
    counts, edges = histogram["counts"], histogram["edges"]
    shares = [100 * number / max(1, histogram["total"]) for number in counts]
    lower = [-1.0, *edges] if not signed else [2 * edges[0], *edges]
    middles = [(low + high) / 2 for low, high in pairwise([*lower, lower[-1] + 1])]
    colours = [SERIES[0] if not signed or middle > 0 else NEUTRAL if middle == 0 else SERIES[1] for middle in middles]
    with drawing(name, f"Histogram: {label}", **_SIZE) as drawn:
        drawn.axes.bar([place + 0.5 for place in range(len(shares))], shares, width=0.92, color=colours)
        shown = {-9999.5, -999.5, -99.5, 99.5, 999.5, 9999.5} if signed else {0, 0.5, 1, 2, 5, 10, 100, 1_000}
        _edges(drawn.axes, histogram, shown)
        drawn.axes.set(xlabel=label, ylabel="% of pairs")
        drawn.axes.grid(visible=False, axis="x")
    return drawn.svg


def _edges(axes: Axes, histogram: Histogram, shown: set[float]) -> None:
    """Label some edges, and show the bins from the first to the last that holds something in this source."""
    edges = histogram["edges"]
    places = [(place + 1, edge) for place, edge in enumerate(edges) if edge in shown]
    # An edge between whole numbers is named after the number beyond it, away from zero.
    named = [edge if edge == int(edge) or abs(edge) < 9 else edge + (0.5 if edge > 0 else -0.5) for _, edge in places]
    axes.set_xticks([place for place, _ in places], [_short(edge) for edge in named])
    axes.set_xlim(0, len(histogram["counts"]))
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="y", nbins=5)


def _short(edge: float) -> str:
    """Return a number as a label: 10k for 10,000, whose digits would run into its neighbour's."""
    if abs(edge) >= 10_000:
        return f"{decimal(edge / 1000, 0)}k"
    return decimal(edge, 0 if edge == int(edge) else 1)

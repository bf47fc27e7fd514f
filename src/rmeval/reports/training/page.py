"""The page of a training, from its ``training.json``: curves, results, what it was trained on and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rmeval.errors import RunError
from rmeval.reports.shell.page import render_page, write_page
from rmeval.reports.shell.svg import NEUTRAL, SERIES, Plot, drawing
from rmeval.training_info import SCHEMA_VERSION, Curves, TrainingRecord

__all__ = ["training_page", "write_training_page"]

_HELD_OUT, _SUITE = SERIES[0], SERIES[2]
_PANELS = (
    ("loss", "Loss", "Bradley–Terry, in nats: 0.693 for a model that knows nothing.", 0.693147, 3),
    ("accuracy", "Accuracy", "How often the better answer scores higher, in percent; chance is 50.", 50.0, 1),
    ("margin", "Margin", "Mean of chosen minus rejected score.", 0.0, 2),
    ("ece", "Calibration error", "How far the model's confidence is from how often it is right, in percent.", None, 1),
)
"""Series, title, text, the value of one that knows nothing, decimals."""
_SHARES = ("accuracy", "ece")
"""Series that are shares of 1: they are shown in percent, as all results are."""


def write_training_page(record: TrainingRecord, path: Path) -> int:
    """Write the page of a training; return its size in bytes.

    Raises:
        RunError: if the record is of another version, or the page cannot be written.
    """
    return write_page(path, training_page(record))


def training_page(record: TrainingRecord) -> str:
    """Return the page of a training, given its record.

    Raises:
        RunError: if the record is of another version.
    """
    version = record.schema_version
    if version != SCHEMA_VERSION:
        raise RunError(
            f"the training's record has schema version {version}; this rmeval reads version {SCHEMA_VERSION}"
        )
    tokens = record.tokens
    return render_page(
        "training.html",
        title=f"{record.recipe['model_name_or_path']} · training",
        nav=[("curves", "Curves"), ("results", "Results"), ("data", "Data"), ("recipe", "Recipe")],
        context={
            "record": record,
            "plots": _plots(record.curves, record.best_step),
            "padding": tokens.padded / tokens.given - 1 if tokens.given else None,
            "recipe": [(key, _shown(value)) for key, value in record.recipe.items() if value not in (None, "", [])],
        },
    )


def _plots(curves: Curves, best_step: int | None) -> list[Plot]:
    plots = []
    for name, title, text, nothing, digits in _PANELS:
        times = 100 if name in _SHARES else 1
        series = [
            (key, [(step, times * value) for step, value in curves[key]])
            for key in (name, f"held_out_{name}", f"suite_{name}")
            if key in curves
        ]
        if series:
            plots.append(_plot(name, title, text, series, nothing, best_step, digits))
    return plots


def _plot(
    name: str,
    title: str,
    text: str,
    series: Sequence[tuple[str, Sequence[tuple[int, float]]]],
    nothing: float | None,
    best_step: int | None,
    digits: int,
) -> Plot:
    styles = {name: ("training", NEUTRAL, "cn"), f"held_out_{name}": ("held out", _HELD_OUT, "c1")}
    styles[f"suite_{name}"] = ("suite", _SUITE, "c3")
    with drawing(f"training-{name}", title) as drawn:
        axes = drawn.axes
        for key, points in series:
            _, colour, _ = styles[key]
            thin = key == name
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1 if thin else 1.8)
            if not thin and len(points) <= 40:
                axes.plot(*zip(*points, strict=True), color=colour, linestyle="", marker="o", markersize=3)
        if nothing is not None:
            axes.axhline(nothing, color=NEUTRAL, linewidth=0.8, linestyle="--")
        if best_step is not None:
            axes.axvline(best_step, color=NEUTRAL, linewidth=0.8, linestyle=":")
        axes.set_xlabel("step")
    last = next((points for key, points in series if key.startswith("held_out_")), None)
    kept = next((value for step, value in last or () if step == best_step), None)
    said = f"{text} Held out, at the step that was kept: {kept:.{digits}f}." if kept is not None else text
    return Plot(name, title, said, drawn.svg, [(styles[key][0], styles[key][2]) for key, _ in series])


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)

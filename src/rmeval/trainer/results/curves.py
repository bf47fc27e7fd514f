"""What was logged while training: as series of points, and drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rmeval.training_info import Curves

if TYPE_CHECKING:
    from rmeval.trainer.loop.suite import SuiteScore

__all__ = ["curves_of", "draw"]

_NAMES = {
    "loss": "loss",
    "accuracy": "accuracy",
    "margin": "margin",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "eval_loss": "held_out_loss",
    "eval_accuracy": "held_out_accuracy",
    "eval_margin": "held_out_margin",
    "eval_ece": "held_out_ece",
    "eval_brier": "held_out_brier",
}
"""What the trainer logs -> what it is called here."""
_PANELS = (
    ("Loss (nats)", ("loss", "held_out_loss")),
    ("Accuracy", ("accuracy", "held_out_accuracy", "suite_accuracy")),
    ("Margin", ("margin", "held_out_margin")),
    ("Calibration error", ("held_out_ece",)),
)
_LABELS = {"loss": "training", "accuracy": "training", "margin": "training", "suite_accuracy": "suite"}


def curves_of(history: Sequence[Mapping[str, float]], suite: Sequence[SuiteScore] = ()) -> Curves:
    """Return the series in a trainer's log and in a suite's; what is not finite is left out."""
    curves: Curves = {}
    for entry in history:
        for name, own in _NAMES.items():
            value = entry.get(name)
            if isinstance(value, (int, float)) and math.isfinite(value):
                curves.setdefault(own, []).append((int(entry["step"]), float(value)))
    points = [(score["step"], score["accuracy"]) for score in suite]
    if points:
        curves["suite_accuracy"] = points
    return curves


def draw(curves: Curves, path: Path, best_step: int | None) -> None:
    """Draw the curves into a PNG file, with a line at the step whose weights were kept."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(title, [name for name in names if name in curves]) for title, names in _PANELS]
    panels = [(title, names) for title, names in panels if names]
    figure = Figure(figsize=(4.6 * max(len(panels), 1), 3.4))
    FigureCanvasAgg(figure)
    for place, (title, names) in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), place)
        for name in names:
            steps, values = zip(*curves[name], strict=True)
            faint = name in ("loss", "accuracy", "margin")
            axes.plot(
                steps,
                values,
                label=_LABELS.get(name, "held out"),
                color="0.65" if faint else "C1" if name == "suite_accuracy" else "C0",
                linewidth=1 if faint else 1.8,
                marker="" if faint or len(steps) > 30 else "o",
                markersize=3,
            )
        if best_step is not None:
            axes.axvline(best_step, color="0.4", linewidth=0.8, linestyle=":", label="kept")
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize="small")
    figure.subplots_adjust(left=0.1 / max(len(panels), 1), right=0.985, bottom=0.14, top=0.9, wspace=0.22)
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})

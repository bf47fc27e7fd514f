"""What is measured on held-out pairs: does the better answer win, and is the margin worth what it says?

A Bradley–Terry model's margin ``m = r(chosen) - r(rejected)`` is a claim: the better answer is preferred with
probability ``sigmoid(m)``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rmeval.eval.numbers.calibration import calibrate

__all__ = ["pair_metrics"]


def pair_metrics(margins: NDArray[np.float64]) -> dict[str, float]:
    """Return ``accuracy``, ``loss``, ``margin``, ``ece`` and ``brier`` of margins of shape (pairs,).

    - accuracy: the share of margins above 0; a tie is wrong, as in RewardBench.
    - loss: the mean of ``-log sigmoid(m)``, in nats; log 2 for a model that knows nothing.
    - margin: the mean.
    - ece and brier: expected calibration error and Brier score, as in a report (``eval.numbers.calibration``); 0 and
      0.25 for a model that knows nothing: it claims one half, and a tie holds half.

    A margin that is not finite makes every number NaN.
    """
    found = calibrate(margins) if np.isfinite(margins).all() else None
    if found is None:
        return dict.fromkeys(("accuracy", "loss", "margin", "ece", "brier"), math.nan)
    return {
        "accuracy": float((margins > 0).mean()),
        "loss": float(np.logaddexp(0.0, -margins).mean()),
        "margin": float(margins.mean()),
        "ece": found.ece,
        "brier": found.brier,
    }

"""What is measured on held-out pairs: does the better answer win, and is the margin worth what it says?

A Bradley–Terry model's margin ``m = r(chosen) - r(rejected)`` is a claim: the better answer is preferred with
probability ``sigmoid(m)``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["pair_metrics"]

_BINS = 10


def pair_metrics(margins: NDArray[np.float64]) -> dict[str, float]:
    """Return ``accuracy``, ``loss``, ``margin``, ``ece`` and ``brier`` of margins of shape (pairs,).

    - accuracy: the share of margins above 0; a tie is wrong, as in RewardBench.
    - loss: the mean of ``-log sigmoid(m)``, in nats; log 2 for a model that knows nothing.
    - margin: the mean.
    - ece: expected calibration error (Guo et al., 2017, arXiv 1706.04599) of the answer that the model prefers, with
      confidence ``sigmoid(|m|)``, in 10 bins of equal width from 0.5 to 1.
    - brier: the mean of ``(1 - sigmoid(m))**2`` (Brier, 1950); 0.25 for a model that knows nothing.

    A margin that is not finite makes every number NaN.
    """
    if not len(margins) or not np.isfinite(margins).all():
        return dict.fromkeys(("accuracy", "loss", "margin", "ece", "brier"), math.nan)
    wins = margins > 0
    probability = _sigmoid(margins)
    confidence = _sigmoid(np.abs(margins))
    # The last bin holds a confidence of 1 too.
    bins = np.minimum(((confidence - 0.5) * 2 * _BINS).astype(np.int64), _BINS - 1)
    gaps = [abs(wins[bins == one].mean() - confidence[bins == one].mean()) * (bins == one).mean() for one in set(bins)]
    return {
        "accuracy": float(wins.mean()),
        "loss": float(np.logaddexp(0.0, -margins).mean()),
        "margin": float(margins.mean()),
        "ece": float(sum(gaps)),
        "brier": float(((1.0 - probability) ** 2).mean()),
    }


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.exp(-np.logaddexp(0.0, -values))
    return result

"""The kinds of reward model. A new one is a file here and a line in ``load_scorer``."""

from __future__ import annotations

from rmeval.eval.scorers.options import ModelOptions
from rmeval.types import Scorer

__all__ = ["ModelOptions", "load_scorer"]


def load_scorer(name: str, options: ModelOptions, seed: int = 0) -> Scorer:
    """Load the model of that name: ``baseline:…``, ``quickstart``, a folder, or a Hub id.

    Raises:
        ModelError: if the model cannot be used.
        UsageError: if there is no such baseline, or an option has a value that does not exist.
    """
    from rmeval.eval.scorers.baseline import PREFIX, BaselineScorer

    if name.startswith(PREFIX):
        return BaselineScorer(name.removeprefix(PREFIX), seed)

    from rmeval.eval.scorers.classifier import ClassifierScorer  # Imports torch.

    return ClassifierScorer(name, options)

"""The kinds of reward model. A new one is a file here and a line in ``load_scorer``."""

from __future__ import annotations

from rmeval.eval.scorers.options import ModelOptions
from rmeval.types import ModelInfo, Scorer

__all__ = ["ModelOptions", "identity", "load_scorer", "lost"]


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


def lost(scorer: Scorer) -> str | None:
    """Return why nothing that a scorer scored last reached its model; None where it did, or the kind cannot tell."""
    reason: str | None = getattr(scorer, "lost", None)
    return reason


def identity(scorer: Scorer) -> ModelInfo:
    """Return which model a scorer has, as it was loaded: what it computes in may change while it scores."""
    known: ModelInfo | None = getattr(scorer, "identity", None)
    return known or scorer.info

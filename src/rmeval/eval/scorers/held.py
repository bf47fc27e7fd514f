"""A scorer of a model that a Python program has in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.held import hold
from rmeval.eval.scorers.classifier import ClassifierScorer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["from_model"]


def from_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    name: str | None = None,
    chat_template: str | None = None,
    max_length: int | None = None,
    batch_size: int | None = None,
    template_date: str | None = None,
) -> ClassifierScorer:
    """Return a scorer of a loaded model, for ``evaluate`` and ``score``.

    It computes in the model's own dtype on its own device, and leaves the model as it is. Its scores are not kept in
    the journal, and close calls of a model in low precision are not decided in float32: for both, name the model's
    folder. Weights that changed since need another scorer.

    Args:
        model: An ``AutoModelForSequenceClassification`` with one output.
        tokenizer: Its tokenizer.
        name: What to call it; default: where it was loaded from.
        chat_template: File of a Jinja chat template, if not the tokenizer's own.
        max_length: Tokens; None for what the model takes, at most 4096.
        batch_size: Most conversations at a time; None to choose.
        template_date: Today's date for templates that ask for it.

    Raises:
        ModelError: if the model, its tokenizer or its template cannot be used.
        UsageError: if an option has a value that does not exist.
    """
    options = ModelOptions(
        chat_template=chat_template, max_length=max_length, batch_size=batch_size, template_date=template_date
    )
    return ClassifierScorer(hold(model, tokenizer, name=name, chat_template=chat_template), options)

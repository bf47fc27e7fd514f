"""Pad tokens: what a decoder's score is read before, and what fills a batch; for evaluation, bench and training."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rmeval.eval.engine.body import embedding_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Padding", "is_decoder", "padding_of"]


@dataclass(frozen=True, slots=True)
class Padding:
    """The pad tokens of a classifier."""

    read_before: int | None
    """A decoder's score is read at the last token that is not this one: for the ``Encoder``. None where it is read at
    the last token of all, and for an encoder, which has a place of its own for it."""
    fills: int | None
    """What fills padded batches: for the ``Engine``. None for an id that must be found batch by batch."""


def is_decoder(model: PreTrainedModel) -> bool:
    """True for a model that reads its score at the last token that is not its pad token."""
    # Throughout transformers a decoder's head is called ``score``; an encoder's ``classifier`` or the like.
    return hasattr(model, "score")


def padding_of(model: PreTrainedModel, tokenizer_pad: int | None) -> Padding:
    """Return the pad tokens of a model; it needs no weights, a model on the device ``meta`` will do.

    Where a decoder reads its score depends on the pad token of its configuration, whatever the tokenizer says: a batch
    is filled with that one, or, where there is none or it has no embedding, with an id that the batch does not hold. To
    an encoder any id will do, since the places are masked: its own, else the tokenizer's, else 0.

    Args:
        model: A classifier.
        tokenizer_pad: Its tokenizer's pad token; None where that has none, or where there is no tokenizer.
    """
    rows = embedding_rows(model) or sys.maxsize
    own: int | None = model.config.get_text_config().pad_token_id
    if is_decoder(model):
        return Padding(own, own if own is not None and 0 <= own < rows else None)
    return Padding(None, next((pad for pad in (own, tokenizer_pad) if pad is not None and 0 <= pad < rows), 0))

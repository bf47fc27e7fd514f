"""Parts of a model, whatever they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class RowWise(nn.Module):
    """A head that gives a row the same whatever rows are beside it, and that is no linear layer."""


def embedding_rows(model: PreTrainedModel) -> int | None:
    """Return how many token ids a model has embeddings for; None where it has no table of them, as CANINE."""
    try:
        table = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    return table.num_embeddings if isinstance(table, nn.Embedding) else None


def text_model(model: PreTrainedModel) -> nn.Module | None:
    """Return the module that holds the layers that text goes through; a multimodal model has it beside others."""
    kind = model.config.get_text_config().model_type
    for module in model.base_model.modules():
        if getattr(getattr(module, "config", None), "model_type", None) == kind and hasattr(module, "layers"):
            return module
    return None

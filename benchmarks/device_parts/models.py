"""Models of real shapes with random weights; the families of the fast path in tiny."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers

from rmeval.bench.subjects.configured import random_model
from rmeval.eval.engine.precision import Precision, lower
from tests.eval.engine.test_packed import FAMILIES, build

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["FAMILIES", "SHAPES", "config", "own", "tiny"]

_COMMON = {"num_labels": 1, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SHAPES: dict[str, dict[str, Any]] = {
    "7b": {
        "model_type": "mistral", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "max_position_embeddings": 32768, "sliding_window": None,
    },
    "1b": {
        "model_type": "llama", "vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 8192,
        "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
        "max_position_embeddings": 8192,
    },
}  # fmt: skip
"""Of Mistral 7B and of Llama 3.2 1B."""
_SMALL: dict[str, dict[str, Any]] = {
    "7b": {
        "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024,
    },
    "1b": {
        "vocab_size": 512, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 512,
    },
}  # fmt: skip


def config(shape: str, *, small: bool) -> Any:
    """Return the configuration of a shape, or of a tiny model that stands for it."""
    fields = {**_COMMON, **SHAPES[shape], **(_SMALL[shape] if small else {})}
    return transformers.AutoConfig.for_model(fields.pop("model_type"), **fields)


def own(shape: str, dtype: str, device: str, *, small: bool) -> tuple[PreTrainedModel, Precision]:
    """Build a model of a shape as the engine would have it: in float32 beside ``dtype`` where both fit."""
    return random_model(config(shape, small=small), None, getattr(torch, dtype), torch.device(device))


def tiny(family: str, dtype: str, device: str) -> tuple[PreTrainedModel, Precision]:
    """Build a tiny model of a family, its weights large enough that attention decides something."""
    model = build(family, attn_implementation="sdpa" if family != "gemma2" else "eager")
    model.to(torch.device(device))  # type: ignore[arg-type]
    low: torch.dtype = getattr(torch, dtype)
    return model, Precision(low) if low == torch.float32 else lower(model, low)

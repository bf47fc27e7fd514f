"""What a configuration alone says of a model, and a model made of nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import nn

from rmeval.bench.plan import Sweep
from rmeval.bench.shape import Shape
from rmeval.data_prep.rows.hub import is_hub_id, snapshot
from rmeval.errors import ModelError
from rmeval.eval.engine.precision import Precision, lower
from rmeval.eval.models.device import free_bytes
from rmeval.eval.models.loading import position_limit
from rmeval.eval.models.padding import is_decoder
from rmeval.eval.models.shipped import shipped_path

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_CLASSIFIER: Any = transformers.AutoModelForSequenceClassification
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
_ROOM = 1.2
"""Memory that a model needs beside its weights, as a factor."""


def shape_of(model: PreTrainedModel) -> Shape:
    """Count a model's weights and layers; a skeleton will do."""
    text = model.config.get_text_config()
    heads = int(text.num_attention_heads)
    layers = int(text.num_hidden_layers)
    window = getattr(text, "sliding_window", None)
    kinds = getattr(text, "layer_types", None) or ["sliding_attention" if window else "full_attention"] * layers
    experts = any((getattr(text, name, None) or 0) > 1 for name in _EXPERTS)
    return Shape(
        architecture=type(model).__name__,
        parameters=model.num_parameters(),
        linear_weights=None if experts else _linear_weights(model.base_model),
        heads=heads,
        head_size=int(getattr(text, "head_dim", None) or text.hidden_size // heads),
        windows=tuple(window if kind == "sliding_attention" else None for kind in kinds),
        causal=is_decoder(model) and not getattr(text, "use_bidirectional_attention", None),
        hidden=int(text.hidden_size),
        intermediate=int(getattr(text, "intermediate_size", None) or 4 * text.hidden_size),
        vocabulary=int(text.vocab_size),
        limit=position_limit(model),
    )


def _linear_weights(body: nn.Module) -> int:
    """Count the weights that every token is multiplied with; a pooler reads one token of a conversation."""
    return sum(
        module.weight.numel()
        for name, module in body.named_modules()
        if (isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D") and "pooler" not in name
    )


def find_config(model: str, revision: str | None) -> Path:
    """Find the configuration that random weights are made for; nothing else is downloaded.

    Raises:
        ModelError: if there is none.
    """
    name = model.removeprefix("config:")
    path = shipped_path(name) or Path(name).expanduser()
    if path.exists():
        file = path / "config.json" if path.is_dir() else path
        if not file.is_file():
            raise ModelError(f"{name} has no config.json")
        return file
    if model.startswith("config:") or not is_hub_id(name) or name.startswith((".", "/", "~")):
        raise ModelError(f"no such configuration: {name} (config: takes a config.json or the folder of one)")
    return snapshot(name, kind="model", revision=revision, allow_patterns=["config.json"])[0] / "config.json"


def load_config(sweep: Sweep, path: Path) -> Any:
    """Read the configuration of a classifier with one output, whose weights will be random.

    Raises:
        ModelError: if transformers cannot read it.
    """
    remote = sweep.options.trust_remote_code
    try:
        config = transformers.AutoConfig.from_pretrained(
            path, num_labels=1, trust_remote_code=remote, local_files_only=True
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"cannot read the configuration of {sweep.model}: {reason}") from None
    text = config.get_text_config()
    if text.pad_token_id is None:
        text.pad_token_id = config.pad_token_id = 0  # Else its own forward takes one row at a time.
    return config


def markers(config: Any) -> set[int]:
    """Return the tokens that a configuration gives a meaning."""
    text = config.get_text_config()
    found: set[int] = set()
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        value = getattr(text, name, None)
        found.update(value if isinstance(value, list) else [] if value is None else [value])
    return found


def random_model(
    config: Any, attention: str | None, dtype: torch.dtype, device: torch.device
) -> tuple[PreTrainedModel, Precision]:
    """Build a model with random weights on the device; as with a real one, float32 is kept where both fit.

    Raises:
        ModelError: if it cannot be built with this attention.
    """
    with torch.device("meta"):
        weights = _CLASSIFIER.from_config(config).num_parameters()
    free = free_bytes(device)
    room = free is None or _ROOM * weights * (4 + dtype.itemsize) < free
    own = torch.float32 if room else dtype
    extra: dict[str, Any] = {} if attention is None else {"attn_implementation": attention}
    torch.manual_seed(0)
    try:
        with torch.device(device):
            model = _CLASSIFIER.from_config(config, dtype=own, **extra)
    except (ValueError, ImportError) as error:  # An attention that is not there.
        raise ModelError(f"cannot build the model: {' '.join(str(error).split())[:200]}") from None
    model = model.to(device).eval()
    precision = lower(model, dtype) if own != dtype else Precision(dtype, own=dtype)
    return model, precision

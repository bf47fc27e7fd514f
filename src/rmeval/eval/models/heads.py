"""Reward heads that are no classifier's of transformers: a folder's own files and config say which it has.

All of them are linear layers, with ReLU between them, over a decoder's last hidden state at one place: so they run
wherever a classifier's own head does. A sign that must be turned and a normalisation are folded into the last layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from rmeval.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel

__all__ = [
    "PICKLED_HEAD",
    "Head",
    "Tensors",
    "find_head",
    "found_beside",
    "put_head",
    "stored_tensors",
    "vocabulary_head",
]

PICKLED_HEAD = "value_head.bin"
_SAFE, _PICKLED = "*.safetensors", (PICKLED_HEAD, "pytorch_model*.bin")


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of a checkpoint."""

    file: Path
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """A reward head."""

    family: str
    """Its name in docs/models.md."""
    layers: tuple[tuple[str, str | None], ...]
    """The names of each layer's weight and bias in the checkpoint; ReLU stands between two."""
    at_end: bool = True
    """It reads the last token of all, also where that is a pad token; False for the last one that is none."""
    mean: float = 0.0
    """Is taken off the score."""
    scale: float = 1.0
    """Divides the score then; negative where a lower one is better."""
    row: int | None = None
    """The row of the only layer that is the head; None for all there are, which is one."""
    pad: int | None = None
    """The pad token that it reads before, where the config does not say."""
    body: str | None = None
    """What the checkpoint calls the body, where transformers has another name."""
    model_type: str | None = None
    """Transformers' name of the body, where the config has another."""

    @property
    def names(self) -> set[str]:
        """The names of its tensors."""
        return {name for layer in self.layers for name in layer if name is not None}


Tensors = Mapping[str, Stored]
Find = Callable[[Mapping[str, Any], Tensors], Head | None]


def _value_head(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    if "v_head.summary.weight" not in tensors and "v_head.summary.bias" not in tensors:
        return None
    return Head("value head", (("v_head.summary.weight", "v_head.summary.bias"),))


def _grm(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    if "v_head.summary.0.weight" not in tensors:
        return None
    hidden = int(config.get("vhead_num_layers", 1))
    places = range(0, 2 * hidden + 1, 2)  # ReLUs have the numbers between.
    layers = tuple((f"v_head.summary.{place}.weight", f"v_head.summary.{place}.bias") for place in places)
    return Head("GRM", layers)


def _openrlhf(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    prefix = config.get("value_head_prefix")
    return Head("OpenRLHF", ((f"{prefix}.weight", None),)) if isinstance(prefix, str) else None


def _inf_orm(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    if "score.0.weight" not in tensors or "INFORMForSequenceClassification" not in (config.get("architectures") or []):
        return None
    return Head("INF-ORM", (("score.0.weight", "score.0.bias"), ("score.2.weight", "score.2.bias")), at_end=False)


def _ultra_rm(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    return Head("UltraRM", (("regression_head.weight", None),)) if "regression_head.weight" in tensors else None


def _beaver(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    if "score_head.weight" not in tensors:
        return None
    kind = config.get("score_type")
    if kind not in ("reward", "cost"):
        raise ModelError(f"a score_head, and in config.json a score_type of {kind!r}: reward or cost decides the sign")
    mean, scale = 0.0, 1.0
    if config.get("do_normalize"):
        scale = math.sqrt(_number(config, "var", 1.0)) + 1e-8
        mean = _number(config, "mean", 0.0) if kind == "reward" else 0.0
    bias = "score_head.bias" if config.get("bias") else None
    sign = -1.0 if kind == "cost" else 1.0
    return Head(f"Beaver {kind}", (("score_head.weight", bias),), mean=mean, scale=sign * scale)


def _pythia(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    if config.get("model_type") != "gpt_neox_reward_model":
        return None
    if (config.get("pooling") or "last") != "last":
        raise ModelError(f"a head over {config['pooling']}-pooled states, which rmeval does not compute")
    return Head("OpenAssistant", (("out_proj.weight", "out_proj.bias"),), model_type="gpt_neox")


def _starling(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    if "v_head.weight" not in tensors or not any(name.startswith("transformer.layers.") for name in tensors):
        return None
    return Head("Starling", (("v_head.weight", None),), at_end=False, pad=0, body="transformer")


_FAMILIES: tuple[Find, ...] = (_value_head, _grm, _openrlhf, _inf_orm, _ultra_rm, _beaver, _pythia, _starling)
"""What finds each; docs/models.md has a line for each."""


def find_head(name: str, config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """Return the head of a checkpoint; None where it is a classifier's own, or none that is known.

    Args:
        name: The model's, for messages.
        config: ``config.json``.
        tensors: What its files hold.

    Raises:
        ModelError: if a tensor of it is missing or has another shape, or there are two heads.
    """
    if "score.weight" in tensors and config.get("value_head_prefix") is None:
        return None  # A classifier's own, whatever lies beside it.
    try:
        found = [head for find in _FAMILIES if (head := find(config, tensors)) is not None]
    except ModelError as error:
        raise ModelError(f"{name} has {error}") from None
    if len(found) > 1:
        raise ModelError(f"{name} has {len(found)} heads, and its score is one: {', '.join(h.family for h in found)}")
    for head in found:
        _check_shapes(name, head, config, tensors)
        return head
    return None


def vocabulary_head(name: str, token: int, config: Mapping[str, Any], tensors: Tensors) -> Head:
    """Return the head that is the logit of one token of a causal language model.

    Raises:
        ModelError: if the model has no such token, or does more than multiply.
    """
    tied = "lm_head.weight" not in tensors and config.get("tie_word_embeddings", True)
    weight = "model.embed_tokens.weight" if tied else "lm_head.weight"
    if weight not in tensors:
        raise ModelError(f"{name} has no {weight}, so no logit of a token")
    rows = tensors[weight].shape[0]
    if not 0 <= token < rows:
        raise ModelError(f"--output-index {token}: {name} has {rows:,} tokens")
    for more in ("final_logit_softcapping", "logit_scale", "logits_scaling"):
        if config.get(more) not in (None, 1.0):
            raise ModelError(f"the logits of {name} are no plain product ({more}), which rmeval does not compute")
    bias = "lm_head.bias" if "lm_head.bias" in tensors else None
    return Head("token logit", ((weight, bias),), row=token)


def stored_tensors(path: Path, allow_pickle: bool) -> dict[str, Stored]:
    """Return the names and shapes of a folder's tensors; pickled files are read only where allowed."""
    found: dict[str, Stored] = {}
    for file in sorted(path.glob(_SAFE)):
        try:
            with safe_open(file, "np") as opened:
                for name in opened.keys():  # noqa: SIM118 (not a mapping)
                    found[name] = Stored(file, tuple(opened.get_slice(name).get_shape()))
        except (SafetensorError, OSError):
            continue  # Whoever loads it says so.
    if allow_pickle:
        import torch

        for file in sorted(file for pattern in _PICKLED for file in path.glob(pattern)):
            try:
                weights = torch.load(file, map_location="meta", weights_only=True)
            except Exception:  # noqa: S112 (as above, whatever torch raises)
                continue
            for name, tensor in weights.items():
                found.setdefault(name, Stored(file, tuple(getattr(tensor, "shape", ()))))
    return found


def _build(head: Head, tensors: Tensors, dtype: torch.dtype) -> nn.Module:
    """Return the head, with its weights: a linear layer, or several."""
    from torch import nn

    modules: list[nn.Module] = []
    for weight_name, bias_name in head.layers:
        weight = _read(weight_name, tensors[weight_name]).to(dtype)
        bias = None if bias_name is None else _read(bias_name, tensors[bias_name]).to(dtype)
        if head.row is not None:
            weight = weight[head.row : head.row + 1].clone()
            bias = None if bias is None else bias[head.row : head.row + 1].clone()
        if weight_name == head.layers[-1][0]:
            if head.mean:
                bias = (weight.new_zeros(1) if bias is None else bias) - head.mean
            weight, bias = weight / head.scale, None if bias is None else bias / head.scale
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=dtype)
        linear.weight = nn.Parameter(weight, requires_grad=False)
        if bias is not None:
            linear.bias = nn.Parameter(bias, requires_grad=False)
        modules += [nn.ReLU(), linear] if modules else [linear]
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def put_head(name: str, model: PreTrainedModel, head: Head, tensors: Tensors) -> None:
    """Put a head in the place of a decoder's own, and let it read where it does.

    Raises:
        ModelError: if the model is no decoder.
    """
    if not hasattr(model, "score"):
        raise ModelError(f"{name} has a head of the kind {head.family}, and {type(model).__name__} is no decoder")
    model.score = _build(head, tensors, model.dtype)
    if head.at_end:  # transformers reads at the last token that is no pad token; without one, at the last of all.
        model.config.pad_token_id = model.config.get_text_config().pad_token_id = None
    elif head.pad is not None:
        model.config.pad_token_id = model.config.get_text_config().pad_token_id = head.pad


def _read(name: str, stored: Stored) -> torch.Tensor:
    import torch

    if stored.file.suffix == ".safetensors":
        with safe_open(stored.file, "pt") as opened:
            tensor: torch.Tensor = opened.get_tensor(name)
            return tensor
    weights = torch.load(stored.file, map_location="cpu", weights_only=True, mmap=True)
    found: torch.Tensor = weights[name]
    return found


def _check_shapes(name: str, head: Head, config: Mapping[str, Any], tensors: Tensors) -> None:
    """See that every layer is there and fits the one before it, the first the body and the last one score."""
    width = config.get("hidden_size")
    for place, (weight, bias) in enumerate(head.layers):
        last = place == len(head.layers) - 1
        for missing in (each for each in (weight, bias) if each is not None and each not in tensors):
            raise ModelError(f"{name} has a head of the kind {head.family} without {missing}; {found_beside(tensors)}")
        shape = tensors[weight].shape
        fits = len(shape) == 2 and (width is None or shape[1] == width) and (shape[0] == 1 or not last)
        if not fits or (bias is not None and tensors[bias].shape != shape[:1]):
            needed = f"[{1 if last else '…'}, {width if width is not None else '…'}]"
            raise ModelError(
                f"{name} has a head of the kind {head.family} of another shape: {weight} is {list(shape)}, not {needed}"
            )
        width = shape[0]


def found_beside(tensors: Tensors, most: int = 6) -> str:
    """Say what a checkpoint holds beside its body: names and shapes of a few tensors."""
    parts: dict[str, int] = {}
    for name in tensors:
        part = name.partition(".")[0]
        parts[part] = parts.get(part, 0) + 1
    body = max(parts, key=lambda part: parts[part], default="")
    others = [f"{name} {list(each.shape)}" for name, each in tensors.items() if name.partition(".")[0] != body]
    more = f" and {len(others) - most} more" if len(others) > most else ""
    return f"beside its body its files hold {', '.join(others[:most]) or 'nothing'}{more}"


def _number(config: Mapping[str, Any], key: str, default: float) -> float:
    """Return a number of the config, which may be a list of one."""
    value = config.get(key)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if value is None:
        return default
    if not isinstance(value, int | float):
        raise ModelError(f"a score_head whose config.json has {key} {value!r}: it should be one number")
    return float(value)

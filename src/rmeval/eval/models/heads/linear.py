"""Heads that are linear layers, with ReLU between them, over the state at one token.

They run wherever a classifier's own head does. A sign that must be turned and a normalisation are folded into the last
layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rmeval.errors import ModelError
from rmeval.eval.models.heads.base import Head, count, number
from rmeval.eval.models.heads.stored import Tensors, read_tensor

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = [
    "LinearHead",
    "beaver",
    "grm",
    "inf_orm",
    "openrlhf",
    "pythia",
    "starling_7b",
    "starling_34b",
    "ultra_rm",
    "value_head",
    "vocabulary_head",
]

_LLAMA_2_UNK = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearHead(Head):
    """Linear layers with ReLU between them."""

    layers: tuple[tuple[str, str | None], ...]
    """The names of each layer's weight and bias in the checkpoint."""
    mean: float = 0.0
    """Is taken off the score."""
    scale: float = 1.0
    """Divides the score then; negative where a lower one is better."""
    row: int | None = None
    """The row of the only layer that is the head; None for all there are, which is one."""

    @property
    def names(self) -> set[str]:
        """The names of its tensors."""
        return {name for layer in self.layers for name in layer if name is not None}

    def check(self, config: Mapping[str, Any], tensors: Tensors) -> None:
        """See that every layer is there and fits the one before it, the first the body and the last one score."""
        width = config.get("hidden_size")
        for weight, bias in self.layers:
            rows = 1 if weight == self.layers[-1][0] else None
            found = self.need(tensors, weight, rows, width)
            if bias is not None:
                self.need(tensors, bias, found[0])
            width = found[0]

    def build(self, tensors: Tensors, dtype: torch.dtype) -> nn.Module:
        """Return a linear layer, or several."""
        from torch import nn

        modules: list[nn.Module] = []
        for weight_name, bias_name in self.layers:
            weight = read_tensor(tensors, weight_name, self.row).to(dtype)
            bias = None if bias_name is None else read_tensor(tensors, bias_name, self.row).to(dtype)
            if weight_name == self.layers[-1][0]:
                if self.mean:
                    bias = (weight.new_zeros(1) if bias is None else bias) - self.mean
                weight, bias = weight / self.scale, None if bias is None else bias / self.scale
            linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=dtype)
            linear.weight = nn.Parameter(weight, requires_grad=False)
            if bias is not None:
                linear.bias = nn.Parameter(bias, requires_grad=False)
            modules += [nn.ReLU(), linear] if modules else [linear]
        return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def value_head(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """LLaMA-Factory's and TRL's, in a file of its own or among the weights."""
    if "v_head.summary.weight" not in tensors and "v_head.summary.bias" not in tensors:
        return None
    return LinearHead(family="value head", layers=(("v_head.summary.weight", "v_head.summary.bias"),))


def grm(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """GRM's (sftreg): ``vhead_num_layers`` hidden layers."""
    if "v_head.summary.0.weight" not in tensors:
        return None
    hidden = count(config, "vhead_num_layers", 1)
    places = range(0, 2 * hidden + 1, 2)  # ReLUs have the numbers between.
    layers = tuple((f"v_head.summary.{place}.weight", f"v_head.summary.{place}.bias") for place in places)
    return LinearHead(family="GRM", layers=layers)


def openrlhf(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """OpenRLHF's, which the config names."""
    prefix = config.get("value_head_prefix")
    return LinearHead(family="OpenRLHF", layers=((f"{prefix}.weight", None),)) if isinstance(prefix, str) else None


def inf_orm(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """INF-ORM's: one hidden layer."""
    if "score.0.weight" not in tensors or "INFORMForSequenceClassification" not in (config.get("architectures") or []):
        return None
    layers = (("score.0.weight", "score.0.bias"), ("score.2.weight", "score.2.bias"))
    return LinearHead(family="INF-ORM", layers=layers, at_end=False)


def ultra_rm(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """UltraRM's."""
    if "regression_head.weight" not in tensors:
        return None
    return LinearHead(family="UltraRM", layers=(("regression_head.weight", None),))


def beaver(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """Beaver's reward, or its cost, which is negated."""
    if "score_head.weight" not in tensors:
        return None
    kind = config.get("score_type")
    if kind not in ("reward", "cost"):
        raise ModelError(f"a score_head, and in config.json a score_type of {kind!r}: reward or cost decides the sign")
    mean, scale = 0.0, 1.0
    if config.get("do_normalize"):
        variance = number(config, "var", 1.0)
        if not 0 <= variance < math.inf:
            raise ModelError(f"a head whose config.json has var {config['var']!r}: a variance is at least 0")
        scale = math.sqrt(variance) + 1e-8
        mean = number(config, "mean", 0.0) if kind == "reward" else 0.0
    bias = "score_head.bias" if config.get("bias") else None
    sign = -1.0 if kind == "cost" else 1.0
    return LinearHead(family=f"Beaver {kind}", layers=(("score_head.weight", bias),), mean=mean, scale=sign * scale)


def pythia(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """OpenAssistant's over GPT-NeoX."""
    if config.get("model_type") != "gpt_neox_reward_model":
        return None
    if (config.get("pooling") or "last") != "last":
        raise ModelError(f"a head over {config['pooling']}-pooled states, which rmeval does not compute")
    return LinearHead(family="OpenAssistant", layers=(("out_proj.weight", "out_proj.bias"),), model_type="gpt_neox")


def starling_34b(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """Starling-RM-34B's, beside a body called ``transformer``; its code reads before token 0."""
    if "v_head.weight" not in tensors or not _holds(tensors, "transformer.layers.") or _holds(tensors, "model."):
        return None
    return LinearHead(family="Starling-34B", layers=(("v_head.weight", None),), at_end=False, pad=0, body="transformer")


def starling_7b(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """Starling-RM-7B's, beside a whole Llama 2 called ``model``, whose body may be there once more as ``transformer``.

    Raises:
        ModelError: if the body is not there.
    """
    if "v_head.weight" not in tensors or _holds(tensors, "v_head.summary"):
        return None
    whole, body = _holds(tensors, "model.model.layers."), _holds(tensors, "transformer.layers.")
    if len(tensors) == 1:
        raise ModelError("a v_head.weight and no body: put the weights of the model that it was trained on beside it")
    if not whole:
        return None
    return LinearHead(
        family="Starling-7B",
        layers=(("v_head.weight", None),),
        at_end=False,
        pad=_LLAMA_2_UNK,
        body="transformer" if body else "model.model",
        twice="model." if body else "model.lm_head.",
    )


def _holds(tensors: Tensors, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in tensors)


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
    return LinearHead(family="token logit", layers=((weight, bias),), row=token)

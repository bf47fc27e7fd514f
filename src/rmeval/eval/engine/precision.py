"""Low-precision matrix products inside a float32 model, or a second copy of the model that is wholly in low precision.

The first is the rule. The model stays in float32, and so does its residual stream: embeddings, norms, rotary
embedding, additions. Only the linear layers round their input and compute in bfloat16 or float16. Most of the drift of
a model that is wholly in low precision comes from rounding what flows between the layers, which this does not do; and
one model in memory can score in both precisions, so that a decision that hangs on rounding can be looked at again
(``Precision.low``). Where most weights are in no linear layer (the experts of a mixture), or the modelling code cannot
take such products, a copy of the whole model computes in low precision beside it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

from rmeval.eval.engine.body import text_model
from rmeval.eval.engine.kernels.prepacked import PrepackedWeight, can_prepack, prepacked_linear

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ACTIVATIONS = {"SiLU": ("swish", ""), "SiLUActivation": ("swish", ""), "GELUTanh": ("gelu", "tanh")}
"""Activations that oneDNN computes inside the matrix product: transformers' class name to oneDNN's terms."""

_LINEAR_TOO = {"FalconLinear"}
"""Classes of linear layers beside torch's own and transformers' ``Conv1D`` that compute nothing else."""

_ENOUGH = 0.9
"""Share of a model's matrices that must be in linear layers, so that what they compute in is what the model does."""


@dataclass(slots=True)
class Precision:
    """What a model computes in; shared by all its linear layers."""

    dtype: torch.dtype
    """What matrix products compute in while ``low``."""
    low: bool = False
    """True while the model computes in a lower precision than its own."""
    own: torch.dtype = torch.float32
    """The model's own dtype: that of its weights and of what flows between its layers."""
    copy: PreTrainedModel | None = None
    """What computes while ``low``, where it is not the linear layers of the model itself."""
    widen: bool = False
    """True while what linear layers compute in low precision goes on in the dtype of what went in."""

    @property
    def active(self) -> torch.dtype:
        """The dtype that matrix products compute in now."""
        return self.dtype if self.low else self.own

    @property
    def between(self) -> torch.dtype:
        """The dtype of what flows between the layers now."""
        return self.dtype if self.low and self.copy is not None else self.own

    def model(self, model: PreTrainedModel) -> PreTrainedModel:
        """Return what computes now: ``model``, or its copy in low precision."""
        return self.copy if self.low and self.copy is not None else model

    @contextmanager
    def wide(self) -> Iterator[None]:
        """Let modelling code that mixes what it computed itself with what linear layers did find one dtype."""
        self.widen = True
        try:
            yield
        finally:
            self.widen = False

    @contextmanager
    def exact(self) -> Iterator[None]:
        """Compute in the model's own dtype inside this block."""
        was, self.low = self.low, False
        try:
            yield
        finally:
            self.low = was

    def give_up(self) -> None:
        """Compute in the model's own dtype from now on."""
        self.low, self.dtype, self.copy = False, self.own, None


class MixedLinear(nn.Linear):
    """A float32 linear layer that can also compute in low precision, its low weight laid out for oneDNN if possible."""

    def __init__(self, linear: nn.Linear | Conv1D, precision: Precision) -> None:
        nn.Module.__init__(self)
        weight = linear.weight.T if isinstance(linear, Conv1D) else linear.weight
        self.out_features, self.in_features = weight.shape
        self.weight, self.bias = linear.weight, linear.bias
        self.of = (linear,)  # In a tuple, so that its weights do not count twice.
        self._own = None if type(linear) is nn.Linear else linear.forward
        self._precision = precision
        self.prepacked = can_prepack(linear.weight, precision.dtype)
        if self.prepacked:
            self._copy = PrepackedWeight(weight, linear.bias, precision.dtype)
        else:
            self._low_weight = weight.detach().to(precision.dtype)
            self._low_bias = None if linear.bias is None else linear.bias.detach().to(precision.dtype)

    def forward(
        self, input: Tensor, activation: tuple[str, str] = ("none", ""), factor: Tensor | None = None
    ) -> Tensor:
        """Return ``activation(input @ weight + bias)``, or ``(input @ weight + bias) * factor``.

        An activation or a factor needs a prepacked weight and low precision.
        """
        if not self._precision.low:
            if self._own is not None:
                own: Tensor = self._own(input)
                return own
            return functional.linear(input, self.weight, self.bias)
        states = input.to(self._precision.dtype)
        if self.prepacked:
            weight = self.weight if self._own is None else self._copy.of
            result = prepacked_linear(states, weight, factor, *activation)
        else:
            result = functional.linear(states, self._low_weight, self._low_bias)
        return result.to(input.dtype) if self._precision.widen else result


class FusedGatedMlp(nn.Module):
    """``down(activation(gate(x)) * up(x))``, activation and product inside the matrix products."""

    def __init__(self, mlp: nn.Module, activation: tuple[str, str], precision: Precision) -> None:
        super().__init__()
        self.mlp = mlp
        self._activation = activation
        self._precision = precision

    def forward(self, states: Tensor) -> Tensor:
        """Return the block's output, of the shape of ``states``."""
        mlp = self.mlp
        if not self._precision.low:
            whole: Tensor = mlp(states)
            return whole
        low = states.to(self._precision.dtype)
        gate, up, down = (cast("MixedLinear", getattr(mlp, name)) for name in ("gate_proj", "up_proj", "down_proj"))
        result: Tensor = down(up(low, factor=gate(low, self._activation)))
        return result.to(states.dtype) if self._precision.widen else result


def lower(model: PreTrainedModel, dtype: torch.dtype) -> Precision:
    """Let a float32 model compute in ``dtype`` too, in place; return the switch."""
    precision = Precision(dtype, low=True)
    body = _body(model)
    for name, module in list(body.named_modules()):
        if type(module) is nn.Linear or isinstance(module, Conv1D) or type(module).__name__ in _LINEAR_TOO:
            body.set_submodule(name, MixedLinear(cast("nn.Linear", module), precision))
    if _lowered_share(body) < _ENOUGH:
        lower_whole(model, precision)
        return precision
    for name, module in list(body.named_modules()):
        activation = _fusable(module)
        if activation is not None:
            body.set_submodule(name, FusedGatedMlp(module, activation, precision))
    return precision


def lower_whole(model: PreTrainedModel, precision: Precision) -> None:
    """Let a copy of a float32 model compute in low precision, not its linear layers."""
    body = _body(model)
    for name, module in list(body.named_modules()):
        if isinstance(module, FusedGatedMlp):
            body.set_submodule(name, module.mlp)
    for name, module in list(body.named_modules()):
        if isinstance(module, MixedLinear):
            body.set_submodule(name, module.of[0])
    # What transformers itself keeps in float32 when it loads a model in low precision.
    strict = getattr(model, "_keep_in_fp32_modules_strict", None) or ()
    half = getattr(model, "_keep_in_fp32_modules", None) or () if precision.dtype == torch.float16 else ()
    kept = {*strict, *half}
    memo: dict[int, Any] = {
        id(weight): nn.Parameter(weight.detach().to(precision.dtype), requires_grad=False)
        for name, weight in model.named_parameters()
        if weight.is_floating_point() and not any(part in name.split(".") for part in kept)
    }
    precision.copy = copy.deepcopy(model, memo)


def _body(model: PreTrainedModel) -> nn.Module:
    return text_model(model) or model.base_model


def _lowered_share(body: nn.Module) -> float:
    """Return how much of the matrices that tokens are multiplied with is in linear layers that can be lowered."""
    tables = {
        id(weight) for module in body.modules() if isinstance(module, nn.Embedding) for weight in (module.weight,)
    }
    matrices = {id(weight): weight.numel() for weight in body.parameters() if weight.dim() > 1}
    ours = {id(module.weight) for module in body.modules() if isinstance(module, MixedLinear)}
    every = sum(size for name, size in matrices.items() if name not in tables)
    return sum(size for name, size in matrices.items() if name in ours) / every if every else 1.0


def _fusable(module: nn.Module) -> tuple[str, str] | None:
    """Return oneDNN's terms for the activation of a gated block whose layers are prepacked; else None."""
    parts = [getattr(module, name, None) for name in ("gate_proj", "up_proj", "down_proj")]
    if not all(isinstance(part, MixedLinear) and part.prepacked for part in parts):
        return None
    return _ACTIVATIONS.get(type(getattr(module, "act_fn", None)).__name__)

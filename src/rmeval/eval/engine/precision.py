"""Low-precision matrix products inside a float32 model.

The model stays in float32, and so does its residual stream: embeddings, norms, rotary embedding, additions. Only the
linear layers round their input and compute in bfloat16 or float16. Most of the drift of a model that is wholly in low
precision comes from rounding what flows between the layers, which this does not do; and one model in memory can score
in both precisions, so that a decision that hangs on rounding can be looked at again (``Precision.low``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rmeval.eval.engine.prepacked import PrepackedWeight, can_prepack, prepacked_linear

_ACTIVATIONS = {"SiLU": ("swish", ""), "SiLUActivation": ("swish", ""), "GELUTanh": ("gelu", "tanh")}
"""Activations that oneDNN computes inside the matrix product: transformers' class name to oneDNN's terms."""


@dataclass(slots=True)
class Precision:
    """What a model's linear layers compute in; shared by all of them."""

    dtype: torch.dtype
    """What the linear layers compute in while ``low``."""
    low: bool = False
    """True while the linear layers compute in a lower precision than the model's own."""
    own: torch.dtype = torch.float32
    """The model's own dtype: that of its weights and of what flows between its layers."""

    @property
    def active(self) -> torch.dtype:
        """The dtype that matrix products compute in now."""
        return self.dtype if self.low else self.own


class MixedLinear(nn.Linear):
    """A float32 linear layer that can also compute in low precision, its low weight laid out for oneDNN if possible."""

    def __init__(self, linear: nn.Linear, precision: Precision) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self._precision = precision
        self.prepacked = can_prepack(linear.weight, precision.dtype)
        if self.prepacked:
            self._copy = PrepackedWeight(linear.weight, linear.bias, precision.dtype)
        else:
            self._low_weight = linear.weight.detach().to(precision.dtype)
            self._low_bias = None if linear.bias is None else linear.bias.detach().to(precision.dtype)

    def forward(
        self, input: Tensor, activation: tuple[str, str] = ("none", ""), factor: Tensor | None = None
    ) -> Tensor:
        """Return ``activation(input @ weight + bias)``, or ``(input @ weight + bias) * factor``.

        An activation or a factor needs a prepacked weight and low precision.
        """
        if not self._precision.low:
            return functional.linear(input, self.weight, self.bias)
        states = input.to(self._precision.dtype)
        if self.prepacked:
            return prepacked_linear(states, self.weight, factor, *activation)
        return functional.linear(states, self._low_weight, self._low_bias)


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
        states = states.to(self._precision.dtype)
        gate, up, down = (cast("MixedLinear", getattr(mlp, name)) for name in ("gate_proj", "up_proj", "down_proj"))
        result: Tensor = down(up(states, factor=gate(states, self._activation)))
        return result


def lower(body: nn.Module, dtype: torch.dtype) -> Precision:
    """Let the linear layers of a float32 model's body compute in ``dtype`` too, in place; return their switch."""
    precision = Precision(dtype, low=True)
    for name, module in list(body.named_modules()):
        if type(module) is nn.Linear:
            body.set_submodule(name, MixedLinear(module, precision))
    for name, module in list(body.named_modules()):
        activation = _fusable(module)
        if activation is not None:
            body.set_submodule(name, FusedGatedMlp(module, activation, precision))
    return precision


def _fusable(module: nn.Module) -> tuple[str, str] | None:
    """Return oneDNN's terms for the activation of a gated block whose layers are prepacked; else None."""
    parts = [getattr(module, name, None) for name in ("gate_proj", "up_proj", "down_proj")]
    if not all(isinstance(part, MixedLinear) and part.prepacked for part in parts):
        return None
    return _ACTIVATIONS.get(type(getattr(module, "act_fn", None)).__name__)

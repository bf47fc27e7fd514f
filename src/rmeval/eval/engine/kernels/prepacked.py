"""Linear layers in bfloat16 through oneDNN, their weights in the layout that it multiplies fastest."""

from __future__ import annotations

from weakref import WeakValueDictionary

import torch
from torch import Tensor

from rmeval.eval.engine.kernels.operators import operator


class PrepackedWeight:
    """A copy of a layer's weight in oneDNN's own layout, and of its bias.

    The compiler must not see either. It hands on the float32 weight, by whose address the copy is found.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        """Copy ``weight``, of a layer that must go on using it where it is."""
        self.of = weight.detach()  # Holds the address, so that no other weight can come to lie there.
        self.weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(dtype))
        self.bias = None if bias is None else bias.detach().to(dtype)
        _of_weight[weight.data_ptr()] = self


_of_weight: WeakValueDictionary[int, PrepackedWeight] = WeakValueDictionary()


def can_prepack(weight: Tensor, dtype: torch.dtype) -> bool:
    """True where oneDNN multiplies this dtype on the device of ``weight``."""
    on_cpu = weight.device.type == "cpu" and dtype == torch.bfloat16
    return on_cpu and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _product(states: Tensor, weight: Tensor, factor: Tensor | None, activation: str, algorithm: str) -> Tensor:
    low = _of_weight[weight.data_ptr()]
    multiply = torch.ops.mkldnn._linear_pointwise
    result: Tensor
    if factor is None:
        result = multiply(states, low.weight, low.bias, activation, [], algorithm)
    else:
        result = multiply.binary(states, factor, low.weight, low.bias, "mul")
    return result


def _shape(states: Tensor, weight: Tensor, *_: object) -> Tensor:
    return states.new_empty(*states.shape[:-1], weight.shape[0])


prepacked_linear = operator(
    "linear(Tensor states, Tensor weight, Tensor? factor, str activation, str algorithm) -> Tensor", _product, _shape
)
"""``activation(states @ weight + bias)``, or ``(states @ weight + bias) * factor`` where there is a factor.

Arguments: ``states`` in low precision, of shape (..., in); the float32 ``weight`` of a ``PrepackedWeight`` that lives,
of shape (out, in); ``factor`` of shape (..., out) or None; oneDNN's name of the activation and of its algorithm.
"""

"""torch.compile of a decoder's layers, for work that is long enough to pay for it.

Norms, rotary embedding and additions become a few kernels; matrix products and attention are the ones used without it.
Measured on a CPU (``benchmarks/compile.py``) that saves less than a tenth of the time of a pass and takes a quarter of
a minute, or a few seconds when the compiler's cache on disk knows the model from an earlier run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from rmeval.eval.engine import attention
from rmeval.eval.engine.precision import MixedLinear
from rmeval.eval.scorers.options import CompileMode

PAYS_FROM = 2e15
"""Floating-point operations from which ``auto`` compiles on a CPU: a quarter of an hour even at 2 TFLOP/s."""
_VARIANTS = 64
"""Most compiled variants of one function; the default of 8 is less than a model has kinds of layers and precisions."""


def pays(mode: CompileMode, *, tokens: int, parameters: int, device: torch.device) -> bool:
    """Return whether to compile for a plan; the same plan always gets the same answer.

    Args:
        mode: ``on``, ``off``, or ``auto``: only long work on a CPU. On a GPU it has not been measured.
        tokens: Tokens to compute.
        parameters: Weights of the model, each of which takes part in one multiplication and addition a token.
        device: Where the model is.
    """
    if mode == "auto":
        return device.type == "cpu" and 2.0 * tokens * parameters >= PAYS_FROM
    return mode == "on"


class CompiledLayers:
    """A model's layers, compiled; the model has its own ones but ``in_use``."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        """Prepare; nothing is compiled before the first pass that uses them."""
        self._layers = layers
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _VARIANTS)
        leave: Callable[[Callable[..., Any]], Callable[..., Any]] = torch.compiler.disable
        attention.register(leave(attention.packed_attention))
        for layer in layers:
            for module in layer.modules():
                # oneDNN's own layout of a weight is opaque to the compiler.
                if isinstance(module, MixedLinear) and module.prepacked:
                    module.forward = leave(module.forward)  # type: ignore[method-assign]
                    module.times = leave(module.times)  # type: ignore[method-assign]
        self._compiled = [torch.compile(layer.forward, dynamic=True) for layer in layers]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Run the layers compiled inside this block."""
        for layer, compiled in zip(self._layers, self._compiled, strict=True):
            layer.forward = compiled
        try:
            yield
        finally:
            for layer in self._layers:
                del layer.forward

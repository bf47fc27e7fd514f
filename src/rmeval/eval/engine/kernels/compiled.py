"""torch.compile of a decoder's layers, for work that is long enough to pay for it.

Norms, rotary embedding and additions become a few kernels; matrix products and attention are the ones used without it
(``operators``), so that a layer is one graph. Measured on a CPU (``benchmarks/compile.py``) that saves less than a
tenth of the time of a pass. It takes a quarter of a minute, or a few seconds when the compiler's cache on disk knows
the model from an earlier run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from rmeval.eval.model_options import CompileMode

PAYS_FROM = 6e9
"""Numbers a thread that flow between layers, from which ``auto`` compiles on a CPU. Compiled layers save some 6 ns of
each, so 36 s then, and compiling takes 13 to 16 s where nothing is cached."""
_VARIANTS = 64
"""Most compiled variants of one function; the default of 8 is less than a model has kinds of layers and precisions."""


def pays(mode: CompileMode, *, tokens: int, width: int, threads: int, device: torch.device) -> bool:
    """Return whether to compile for a plan; the same plan on as many threads always gets the same answer.

    What the compiler saves grows with the numbers between the layers, not with the products, which it leaves alone.

    Args:
        mode: ``on``, ``off``, or ``auto``: only long work on a CPU. On a GPU it has not been measured.
        tokens: Tokens to compute.
        width: Numbers that a token is between the layers, of all layers together: hidden size times layers.
        threads: Threads that compute.
        device: Where the model is.
    """
    if mode == "auto":
        return device.type == "cpu" and tokens * width >= PAYS_FROM * threads
    return mode == "on"


class CompiledLayers:
    """A model's layers, compiled; the model has its own ones but ``in_use``."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        """Prepare; nothing is compiled before the first pass that uses them."""
        self._layers = layers
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _VARIANTS)
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

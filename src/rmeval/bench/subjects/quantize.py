"""int8: weights and activations of the linear layers, scaled row by row while the model runs; torchao does it."""

from __future__ import annotations

from importlib.util import find_spec

from torch import nn

MISSING = "int8 needs torchao: pip install 'rmeval[quantize]'"


def why_no_int8() -> str | None:
    """Say why int8 cannot be had here; None where it can."""
    return None if find_spec("torchao") else MISSING


def to_int8(body: nn.Module) -> None:
    """Let the linear layers of a float32 model compute in int8, in place: weights once, activations as they come."""
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    quantize_(body, Int8DynamicActivationInt8WeightConfig())

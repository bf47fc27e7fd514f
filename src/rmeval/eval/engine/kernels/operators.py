"""Operators of our own, so that ``torch.compile`` keeps a layer in one piece.

The compiler can look neither into oneDNN's layout of a weight nor into a loop over a pack's segments. As operators they
are calls that it leaves alone, with a shape that it knows, and all that is around them becomes one graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_library = torch.library.Library("rmeval", "FRAGMENT")


def operator(schema: str, compute: Callable[..., Tensor], shape: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return ``compute``, made a call of an operator where the compiler meets it.

    Args:
        schema: The operator's name, arguments and result in torch's notation. No argument may be changed or returned.
        compute: What it does, on every device.
        shape: Returns an empty tensor of the result's shape and dtype, for the compiler.
    """
    name = schema.partition("(")[0]
    _library.define(schema)
    _library.impl(name, compute, "CompositeExplicitAutograd")
    torch.library.register_fake(f"rmeval::{name}", shape, lib=_library)
    registered: Any = getattr(torch.ops.rmeval, name).default

    def call(*arguments: Any) -> Tensor:
        # As an operator it costs more than the call of a function, which is felt where a pass makes thousands.
        result: Tensor = (registered if torch.compiler.is_compiling() else compute)(*arguments)
        return result

    return call

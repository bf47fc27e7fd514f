"""A pack's attention as a block mask of FlexAttention: the path of CUDA."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from rmeval.eval.engine.layout import Layout


def attend(
    layout: Layout,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """Return the attention of a pack, of shape (1, rows, heads, head size), in the dtype of ``value``.

    Args:
        layout: The pack.
        query: Shape (1, heads, rows, head size).
        key: Shape (1, key heads, rows, head size).
        value: As ``key``.
        scale: Factor of the scores.
        window: Positions that a query sees, itself counted; None for all before it.
        softcap: Bound of the scores; None for none.
    """
    from torch.nn.attention.flex_attention import flex_attention

    dtype = value.dtype
    query, key, value = (states.to(layout.dtype) for states in (query, key, value))  # Its kernels take one dtype.
    if window not in layout.masks:
        layout.masks[window] = _block_mask(layout, window)
    kernel: Any = _compiled_flex() if query.is_cuda else flex_attention
    attended: Tensor = kernel(
        query,
        key,
        value,
        score_mod=None if softcap is None else _soft_cap(softcap),
        block_mask=layout.masks[window],
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return attended.transpose(1, 2).contiguous().to(dtype)


@lru_cache(maxsize=1)
def _compiled_flex() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    compiled: Callable[..., Tensor] = torch.compile(flex_attention, dynamic=True)
    return compiled


def _soft_cap(bound: float) -> Callable[..., Tensor]:
    def cap(score: Tensor, *_: Tensor) -> Tensor:
        return torch.tanh(score / bound) * bound

    return cap


def _block_mask(layout: Layout, window: int | None) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    ends, positions = layout.row_ends, layout.positions

    def visible(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen = (key <= query) & (query < ends[key])
        return seen if window is None else seen & (positions[query] - positions[key] < window)

    return create_block_mask(visible, None, None, len(ends), len(ends), device=str(ends.device))

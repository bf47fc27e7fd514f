"""A pack's attention as a block mask of FlexAttention: the path of CUDA.

FlexAttention is compiled once for every number of rows that it meets, every dtype and every kind of layer, which takes
seconds each time. So a pack's queries, keys and values are padded to one of few sizes (``padded_rows``) before they
attend. The padding is attention's alone: its blocks are not computed, and no matrix product sees it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rmeval.eval.engine.kernels.layout import Layout

BLOCK = 128
"""Rows of a block of the mask."""
_LEAST, _STEP = 2048, 4
"""Rows of the smallest size, and how many times the size before it each one is."""
_VARIANTS = 64
"""Most compiled variants; torch's default of 8 is fewer than two precisions of a model with windows can have."""
_KERNEL_SECONDS, _RATE = 6.0, 2e14
"""Seconds that a kernel takes to compile, and FLOP/s of the products that packs save. Guesses: nothing of this was
measured on a GPU yet. ``benchmarks/device.py`` prints what both are on one."""
_SIZES = 2
"""Sizes that a run meets in each precision: its full packs, and smaller ones of the self-check or at its end."""


@dataclass(slots=True)
class Made:
    """What attention was compiled to in this process."""

    kernels: int = 0
    seconds: float = 0.0
    """Seconds of the calls that had to wait for them."""


_made = Made()


def kernels_made() -> Made:
    """Return what attention was compiled to up to now."""
    return replace(_made)


def padded_rows(rows: int) -> int:
    """Return the rows that a pack attends with: the least of 2,048, 8,192, 32,768, … that holds it.

    Of more than 2,048 rows, less than three in four are padding.
    """
    size = _LEAST
    while size < rows:
        size *= _STEP
    return size


def pays(*, saved_tokens: int, flops: float, kinds: int, precisions: int) -> bool:
    """Return whether packs save more time than their attention takes to compile; the same work, the same answer.

    Args:
        saved_tokens: Tokens that padded batches compute and packs do not.
        flops: Operations of a token.
        kinds: Kinds of attention layers: windows differ.
        precisions: Dtypes that packs are computed in.
    """
    return saved_tokens * flops / _RATE > kinds * precisions * _SIZES * _KERNEL_SECONDS


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
    dtype, rows = value.dtype, query.shape[2]
    size = padded_rows(rows) if layout.compiled else rows
    # Its kernels take one dtype.
    query, key, value = (_padded(states.to(layout.dtype), -2, size) for states in (query, key, value))
    if window not in layout.masks:
        layout.masks[window] = block_mask(layout, window, size)
    attended: Tensor = _kernel(layout.compiled)(
        query,
        key,
        value,
        score_mod=None if softcap is None else _soft_cap(softcap),
        block_mask=layout.masks[window],
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return attended[:, :, :rows].transpose(1, 2).contiguous().to(dtype)


def block_mask(layout: Layout, window: int | None, size: int) -> Any:
    """Return FlexAttention's mask of a pack with padding up to ``size`` rows, which sees nothing and is not seen.

    Which blocks hold something, and which hold no hidden pair, is read off the ends of the rows of each block, so that
    no mask of rows times rows is ever made.
    """
    from torch.nn.attention.flex_attention import BlockMask

    # No row is before the end 0, and all real ends are before the first row of padding.
    ends, positions = (_padded(each, -1, size) for each in (layout.row_ends, layout.positions))

    def visible(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        """Return whether a query sees a key: of its own row, not after it, within the window."""
        seen = (key <= query) & (query < ends[key])
        return seen if window is None else seen & (positions[query] - positions[key] < window)

    some, every = _blocks(ends, positions, window)
    # Only a backward pass needs the lists of queries that each key is seen by; older releases always make them.
    known = signature(BlockMask.from_kv_blocks).parameters
    spare: dict[str, Any] = {"compute_q_blocks": False} if "compute_q_blocks" in known else {}
    lists = *_listed(some & ~every), *_listed(every)
    return BlockMask.from_kv_blocks(*lists, BLOCK_SIZE=BLOCK, mask_mod=visible, seq_lengths=(size, size), **spare)


def _blocks(ends: Tensor, positions: Tensor, window: int | None) -> tuple[Tensor, Tensor]:
    """Return where a block of queries (rows) sees something of a block of keys (columns), and where all of it.

    With a window the first may be True of a block that holds nothing, which costs time alone.
    """
    count = -(-len(ends) // BLOCK)
    first = torch.arange(count, device=ends.device)[:, None] * BLOCK
    last = first + BLOCK - 1
    ends, positions = (_padded(each, -1, count * BLOCK).view(count, BLOCK) for each in (ends, positions))
    # Rows see rows before them only. Those of a block before theirs they see up to its ends.
    some = (first >= first.T) & (ends.amax(1) > first)
    every = (first > last.T) & (ends.amin(1) > last)
    if window is not None:
        some &= positions.amin(1)[:, None] - positions.amax(1) < window
        every &= positions.amax(1)[:, None] - positions.amin(1) < window
    return some, every


def _listed(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Return, for each row of a bool matrix, how many places are True and the places, these first: as a block mask."""
    places = chosen.int().argsort(dim=1, descending=True, stable=True)
    return chosen.sum(1).int()[None, None], places.int()[None, None]


def _padded(states: Tensor, axis: int, size: int) -> Tensor:
    """Return a tensor with zeros up to ``size`` along an axis, -1 or -2."""
    short = size - states.shape[axis]
    return functional.pad(states, (0, 0) * (-axis - 1) + (0, short)) if short else states


def _kernel(compiled: bool) -> Callable[..., Any]:
    from torch.nn.attention.flex_attention import flex_attention

    plain: Callable[..., Any] = flex_attention
    return _counted if compiled else plain


def _counted(*states: Tensor, **options: Any) -> Tensor:
    """Attend with the compiled kernel, and count it where it has to be made."""
    from torch._dynamo.utils import counters

    stats = counters["stats"]
    before, start = stats["unique_graphs"], time.perf_counter()
    attended = _compiled_flex()(*states, **options)
    if stats["unique_graphs"] > before:
        _made.kernels += stats["unique_graphs"] - before
        _made.seconds += time.perf_counter() - start
    return attended


@lru_cache(maxsize=1)
def _compiled_flex() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, _VARIANTS)
    # One graph or an error: beyond the limit it would fall back to a matrix of all scores, which fits nowhere.
    compiled: Callable[..., Tensor] = torch.compile(flex_attention, dynamic=False, fullgraph=True)
    return compiled


def _soft_cap(bound: float) -> Callable[..., Tensor]:
    def cap(score: Tensor, *_: Tensor) -> Tensor:
        return torch.tanh(score / bound) * bound

    return cap

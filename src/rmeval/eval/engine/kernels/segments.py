"""A pack's attention as a loop over its segments, each with its own past: the path of a CPU.

No mask over the pack is ever built, and most of what causality hides is never computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from rmeval.eval.engine.kernels.layout import Layout
from rmeval.eval.engine.plan import RowRange, Segment

_BLOCK = 64
"""Queries attended at once: much of what causality would mask is then never computed. The fastest of 32 to 256."""

_GRAIN = 32
"""Lengths of keys are multiples of this: the kernel is faster for it, and meets fewer shapes to be made for."""

_REACH = 1024
"""Positions that the smallest mask reaches back."""


@dataclass(frozen=True, slots=True)
class Block:
    """Queries that attend at once."""

    queries: slice
    """Rows of the pack."""
    keys: slice
    """Positions of the segment's path that one of the queries sees, and some that none does."""
    mask: Tensor
    """0 where a query sees a key, minus infinity elsewhere, of shape (queries, keys)."""


def attend(
    layout: Layout,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    window: int | None,
    softcap: float | None,
    only_last: bool,
) -> Tensor:
    """Return the attention of a pack, of shape (1, rows, heads, head size), in the dtype of ``value``.

    Args:
        layout: The pack.
        query: Shape (1, heads, rows, head size).
        key: Shape (1, key heads, rows, head size).
        value: As ``key``.
        scale: Factor of the scores.
        window: Positions that a query sees, itself counted; None for all before it.
        softcap: Bound of the scores; None for none. Bounded scores are computed in float32.
        only_last: Compute the last row of each segment only, zeros elsewhere.
    """
    heads, rows, size = query.shape[1:]
    groups = key.shape[1]
    result = value.new_zeros(rows, groups, heads // groups, size)
    dtype = layout.dtype if softcap is None else torch.float32
    query, key, value = (states[0].to(dtype) for states in (query, key, value))
    query = query.view(groups, heads // groups, rows, size)  # Heads that share keys, side by side.
    asked = window, only_last, dtype, query.device
    if asked not in layout.blocks:
        layout.blocks[asked] = [_blocks(segment, *asked) for segment in layout.segments]
    for segment, blocks in zip(layout.segments, layout.blocks[asked], strict=True):
        past, past_values = _gather(key, segment.path), _gather(value, segment.path)
        for block in blocks:
            ours = query[:, :, block.queries], past[:, block.keys], past_values[:, block.keys], block.mask, scale
            attended = _fused(*ours) if softcap is None else _capped(*ours, softcap)
            result[block.queries].copy_(attended.permute(2, 0, 1, 3))
    return result.view(1, rows, heads, size)


def _fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
    """Attend with torch's fused kernel.

    Args:
        query: Shape (key heads, query heads of each, queries, head size).
        key: Shape (key heads, keys, head size).
        value: As ``key``.
        mask: Shape (queries, keys).
        scale: Factor of the scores.
    """
    key, value = (states[:, None].expand(-1, query.shape[1], -1, -1) for states in (key, value))
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)


def _capped(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, softcap: float) -> Tensor:
    """Attend step by step, because the fused kernel knows no soft cap; other arguments as for ``_fused``."""
    groups, stacked, count, size = query.shape
    folded = query.reshape(groups, stacked * count, size)
    scores = torch.tanh((folded @ key.transpose(1, 2)) * (scale / softcap)) * softcap
    scores.view(groups, stacked, count, -1).add_(mask)
    return torch.bmm(torch.softmax(scores, dim=-1), value).view(query.shape)


def _blocks(
    segment: Segment, window: int | None, only_last: bool, dtype: torch.dtype, device: torch.device
) -> list[Block]:
    """Cut a segment's queries into blocks."""
    shift = sum(stop - start for start, stop in segment.prefix) - segment.start  # Position of a row is row + shift.
    found = []
    for first in range(segment.stop - 1 if only_last else segment.start, segment.stop, _BLOCK):
        last = min(first + _BLOCK, segment.stop)
        begin = 0 if window is None else max(0, first + shift - window + 1) // _GRAIN * _GRAIN
        end = -(-(last + shift) // _GRAIN) * _GRAIN
        mask = _mask(first + shift - begin, end - begin, window, dtype, device)[: last - first]
        found.append(Block(slice(first, last), slice(begin, end), mask))
    return found


def _mask(before: int, length: int, window: int | None, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the mask of a whole block of queries, the first of which is at key ``before`` of ``length``."""
    reach = max(_REACH, 1 << (before - 1).bit_length()) if before else _REACH
    return _widest_mask(reach, window, dtype, device)[:, reach - before : reach - before + length]


@lru_cache(maxsize=16)
def _widest_mask(reach: int, window: int | None, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the mask of a block whose first query is at key ``reach``; all others are parts of it."""
    ahead = torch.arange(reach + _BLOCK + _GRAIN) - (reach + torch.arange(_BLOCK))[:, None]
    hidden = ahead > 0 if window is None else (ahead > 0) | (ahead <= -window)
    return torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, float("-inf")).to(device)


def _gather(states: Tensor, path: tuple[RowRange, ...]) -> Tensor:
    """Return the rows of ``path``, and zeros up to a multiple of the grain; a view where that is one range already."""
    parts = [states[:, start:stop] for start, stop in path]
    short = -sum(stop - start for start, stop in path) % _GRAIN
    if short:
        parts.append(states.new_zeros(states.shape[0], short, states.shape[2]))
    return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

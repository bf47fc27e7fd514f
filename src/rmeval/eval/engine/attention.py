"""Exact attention over a pack, as an attention implementation of transformers.

A pack holds many sequences in one row of tokens, each token of a shared prefix once (``plan``). Every layer of the
model's own modelling code calls ``packed_attention`` with the queries, keys and values of the whole pack. On a CPU it
attends segment by segment, each to its own past, and no mask over the pack is ever built. On CUDA it hands the same
rule to FlexAttention as a block mask. Sliding windows and soft caps come from the modelling code as keywords, layer
by layer, and are honoured here: no mask of the caller's can silently replace a window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from rmeval.eval.engine.plan import Pack, RowRange, Segment

IMPLEMENTATION = "rmeval_packed"
"""Name for ``set_attn_implementation``. It has no mask function, so transformers builds no mask for it."""

_QUERY_BLOCK = 128
"""Queries attended at once: bounds the memory of the scores, and skips most of what causality would mask."""

_HARMLESS = {"position_ids", "is_causal", "output_attentions", "use_cache", "position_embeddings"}
"""Further keywords that models hand to their attention and that change nothing here."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What attention must know of the pack in flight."""

    segments: tuple[Segment, ...]
    positions: Tensor
    """Position of each row in its sequence, int64 of shape (rows,)."""
    row_ends: Tensor
    """One past the last row that may see each row, int64 of shape (rows,)."""
    last_rows: Tensor
    """The rows whose output is the scores', int64 of shape (sequences,)."""
    last_layer: int
    """Index of the layer whose result is needed at ``last_rows`` only."""
    dtype: torch.dtype
    """What FlexAttention computes in. The loop over segments takes queries and keys as they come, which is float32
    where what flows between the layers is: that costs nothing measurable and narrows the drift."""
    flex: bool
    """Use FlexAttention instead of the loop over segments."""
    masks: dict[int | None, Any] = field(default_factory=dict)
    """FlexAttention's block masks of this pack, by window."""


_layout: ContextVar[Layout | None] = ContextVar("rmeval_layout", default=None)


@contextmanager
def in_flight(pack: Pack, *, last_layer: int, dtype: torch.dtype, device: torch.device, flex: bool) -> Iterator[Layout]:
    """Let the model called inside this block see ``pack``."""
    layout = Layout(
        segments=pack.segments,
        positions=torch.from_numpy(pack.positions).to(device, torch.long),
        row_ends=torch.from_numpy(pack.row_ends()).to(device),
        last_rows=torch.from_numpy(pack.last_rows).to(device),
        last_layer=last_layer,
        dtype=dtype,
        flex=flex,
    )
    token = _layout.set(layout)
    try:
        yield layout
    finally:
        _layout.reset(token)


def current_layout() -> Layout | None:
    """Return the layout of the pack in flight; None in a plain forward."""
    return _layout.get()


def register(function: Callable[..., tuple[Tensor, None]] | None = None) -> None:
    """Make ``IMPLEMENTATION`` known to transformers; again is harmless.

    Args:
        function: ``packed_attention`` in a wrapper; None for itself.
    """
    AttentionInterface.register(IMPLEMENTATION, packed_attention if function is None else function)


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attend within each sequence of the pack in flight; the signature is that of transformers' attention functions.

    Args:
        module: The attention layer.
        query: Shape (1, heads, rows, head size).
        key: Shape (1, key heads, rows, head size).
        value: As ``key``.
        attention_mask: Must be None: the pack says who sees whom.
        scaling: Factor of the scores; None for 1 / sqrt(head size).
        dropout: Must be 0.
        sliding_window: Positions that a query sees, itself counted; None for all before it.
        softcap: Bound of the scores (Gemma 2); None for none.
        others: Must be without effect here.

    Returns:
        Shape (1, rows, heads, head size), and None for the weights.

    Raises:
        NotImplementedError: if it is asked for something that it cannot honour.
        RuntimeError: if no pack is in flight.
    """
    unknown = sorted(name for name, given in others.items() if given is not None and name not in _HARMLESS)
    if unknown or attention_mask is not None or dropout:
        raise NotImplementedError(f"packed attention cannot honour {unknown or 'a mask or dropout'}")
    layout = current_layout()
    if layout is None:
        raise RuntimeError("packed attention was called without a pack in flight")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if layout.flex:  # Its kernels take one dtype.
        query, key, value = (states.to(layout.dtype) for states in (query, key, value))
        return _flex(layout, query, key, value, scale, sliding_window, softcap), None
    only_last = getattr(module, "layer_idx", None) == layout.last_layer
    return _by_segment(layout, query, key, value, scale, sliding_window, softcap, only_last), None


def _by_segment(
    layout: Layout,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    window: int | None,
    softcap: float | None,
    only_last: bool,
) -> Tensor:
    heads, rows, size = query.shape[1:]
    groups = key.shape[1]
    # Query heads that share keys are stacked into one product: (key heads, query heads of each, rows, head size).
    queries = query[0].view(groups, heads // groups, rows, size)
    keys, values = key[0], value[0]
    result = value.new_zeros(rows, groups, heads // groups, size)
    for segment in layout.segments:
        past, past_values = _gather(keys, segment.path), _gather(values, segment.path)
        shift = past.shape[1] - segment.stop  # Position of a row is row + shift.
        for first in range(segment.stop - 1 if only_last else segment.start, segment.stop, _QUERY_BLOCK):
            last = min(first + _QUERY_BLOCK, segment.stop)
            begin = 0 if window is None else max(0, first + shift - window + 1)
            seen, seen_values = past[:, begin : last + shift], past_values[:, begin : last + shift]
            attended = _attend(queries[:, :, first:last], seen, seen_values, scale, window, softcap)
            result[first:last].copy_(attended.permute(2, 0, 1, 3))
    return result.view(1, rows, heads, size)


def _attend(
    query: Tensor, key: Tensor, value: Tensor, scale: float, window: int | None, softcap: float | None
) -> Tensor:
    """Causal attention where the queries are the last positions of the keys."""
    groups, stacked, count, size = query.shape
    length = key.shape[1]
    folded = query.reshape(groups, stacked * count, size)
    scores = torch.baddbmm(folded.new_empty(()), folded, key.transpose(1, 2), beta=0, alpha=scale)
    if softcap is not None:
        scores = torch.tanh(scores.float() / softcap) * softcap
    # Only the last `count` keys can lie ahead of a query; the others need a mask only where a window ends.
    masked = count if window is None or length <= window else length
    bias = _bias(count, masked, window, scores.dtype, scores.device)
    scores.view(groups, stacked, count, length)[..., length - masked :].add_(bias)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
    return torch.bmm(weights, value).view(groups, stacked, count, size)


@lru_cache(maxsize=4 * _QUERY_BLOCK)
def _bias(count: int, length: int, window: int | None, dtype: torch.dtype, device: torch.device) -> Tensor:
    """0 where the i-th of the last ``count`` positions sees the j-th of ``length``, minus infinity elsewhere."""
    position = torch.arange(length, device=device)
    ahead = position[None, :] - position[length - count :, None]
    hidden = ahead > 0 if window is None else (ahead > 0) | (ahead <= -window)
    return torch.zeros(count, length, dtype=dtype, device=device).masked_fill_(hidden, float("-inf"))


def _gather(states: Tensor, path: tuple[RowRange, ...]) -> Tensor:
    """Return the rows of ``path``: a view where they are one range, else a copy."""
    if len(path) == 1:
        return states[:, path[0][0] : path[0][1]]
    return torch.cat([states[:, start:stop] for start, stop in path], dim=1)


# --- FlexAttention ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _compiled_flex() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    compiled: Callable[..., Tensor] = torch.compile(flex_attention, dynamic=True)
    return compiled


def _flex(
    layout: Layout,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    from torch.nn.attention.flex_attention import flex_attention

    if window not in layout.masks:
        layout.masks[window] = _block_mask(layout, window)
    attend: Any = _compiled_flex() if query.is_cuda else flex_attention
    attended: Tensor = attend(
        query,
        key,
        value,
        score_mod=None if softcap is None else _soft_cap(softcap),
        block_mask=layout.masks[window],
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return attended.transpose(1, 2).contiguous()


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

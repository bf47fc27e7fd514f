"""Exact attention over a pack, as an attention implementation of transformers.

A pack holds many sequences in one row of tokens, each token of a shared prefix once (``plan``). Every layer of the
model's own modelling code calls ``packed_attention`` with the queries, keys and values of the whole pack. On a CPU it
attends segment by segment (``segments``), on CUDA it hands the same rule to FlexAttention (``flex``). Sliding windows
and soft caps come from the modelling code as keywords, layer by layer, and are honoured here: no mask of the caller's
can silently replace a window.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface

from rmeval.eval.engine.kernels import flex, segments
from rmeval.eval.engine.kernels.layout import current_layout
from rmeval.eval.engine.kernels.operators import operator

IMPLEMENTATION = "rmeval_packed"
"""Name for ``set_attn_implementation``. It has no mask function, so transformers builds no mask for it."""

LAST = "rmeval_last"
"""Attribute, True, of the attention layer whose result is needed only at the rows that are scored."""

_HARMLESS = {"position_ids", "is_causal", "output_attentions", "use_cache", "position_embeddings"}
"""Further keywords that models hand to their attention and that change nothing here."""


def register() -> None:
    """Make ``IMPLEMENTATION`` known to transformers; again is harmless."""
    AttentionInterface.register(IMPLEMENTATION, packed_attention)


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
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return _attend(query, key, value, scale, sliding_window, softcap, getattr(module, LAST, False)), None


def _attend_pack(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    window: int | None,
    softcap: float | None,
    only_last: bool,
) -> Tensor:
    layout = current_layout()
    if layout is None:
        raise RuntimeError("packed attention was called without a pack in flight")
    if layout.flex:
        return flex.attend(layout, query, key, value, scale, window, softcap)
    return segments.attend(layout, query, key, value, scale, window, softcap, only_last)


def _shape(query: Tensor, _key: Tensor, value: Tensor, *_: object) -> Tensor:
    batch, heads, rows, size = query.shape
    return value.new_empty(batch, rows, heads, size)


_attend = operator(
    "attend(Tensor query, Tensor key, Tensor value, float scale, int? window, float? softcap, bool last) -> Tensor",
    _attend_pack,
    _shape,
)

"""The pack in flight, for the attention that the model's own modelling code calls layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rmeval.eval.engine.plan import Pack, Segment


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
    dtype: torch.dtype
    """What attention computes in."""
    flex: bool
    """Use FlexAttention instead of the loop over segments."""
    compiled: bool = False
    """Compile FlexAttention, and pad its rows to few sizes."""
    masks: dict[int | None, Any] = field(default_factory=dict)
    """FlexAttention's block masks of this pack, by window."""
    blocks: dict[Any, list[Any]] = field(default_factory=dict)
    """The loop's blocks of queries, of each segment in turn, by what a layer asks for: most ask for the same."""


_layout: ContextVar[Layout | None] = ContextVar("rmeval_layout", default=None)


@contextmanager
def in_flight(
    pack: Pack, *, dtype: torch.dtype, device: torch.device, flex: bool, compiled: bool = False
) -> Iterator[Layout]:
    """Let the model called inside this block see ``pack``."""
    layout = Layout(
        segments=pack.segments,
        positions=torch.from_numpy(pack.positions).to(device, torch.long),
        row_ends=torch.from_numpy(pack.row_ends()).to(device),
        last_rows=torch.from_numpy(pack.last_rows).to(device),
        dtype=dtype,
        flex=flex,
        compiled=compiled,
    )
    token = _layout.set(layout)
    try:
        yield layout
    finally:
        _layout.reset(token)


def current_layout() -> Layout | None:
    """Return the layout of the pack in flight; None in a plain forward."""
    return _layout.get()

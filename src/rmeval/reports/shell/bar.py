"""A number beside the reference lines: what ``parts.bar_row`` draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Bar"]


@dataclass(frozen=True, slots=True)
class Bar:
    """An accuracy, a share of 1, with what the reference lines reach on the same examples."""

    name: str
    accuracy: float
    low: float | None
    """Of its 95% interval; None for published numbers, which have none."""
    high: float | None
    reference_lines: Mapping[str, float | None]

"""What a training returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Trained"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training."""

    path: Path
    """The model's folder."""
    record: dict[str, Any]
    """The content of ``training.json``."""

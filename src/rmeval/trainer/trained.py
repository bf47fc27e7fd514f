"""What a training returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.training_info import TrainingRecord

__all__ = ["Trained"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training."""

    path: Path
    """The model's folder."""
    info: TrainingRecord
    """What was done, and what it reaches."""

    @property
    def record(self) -> dict[str, Any]:
        """The same as plain JSON: the content of ``training.json``."""
        return self.info.to_json()

"""Checkpoints that are whole or not there: what a training goes on from after it was killed.

A checkpoint is a folder that transformers' ``Trainer`` writes file by file. Once all processes have written theirs, a
marker is put into it; a folder without the marker is not a checkpoint. Before one is deleted its marker is.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Container
from pathlib import Path
from typing import Any

from rmeval.errors import RunError

__all__ = [
    "best",
    "best_step",
    "checkpoint",
    "complete",
    "drop_incomplete",
    "history",
    "is_over",
    "last_complete",
    "prune",
    "seal",
    "steps",
]

_MARKER = "complete"
_STATE = "trainer_state.json"


def checkpoint(folder: Path, step: int) -> Path:
    """Return the folder of the checkpoint of a step."""
    return folder / f"checkpoint-{step}"


def complete(folder: Path) -> dict[int, Path]:
    """Return the whole checkpoints in a folder: step -> folder, in the order of the steps."""
    found = {_step(path): path for path in folder.glob("checkpoint-*") if (path / _MARKER).exists()}
    return dict(sorted(found.items()))


def last_complete(folder: Path) -> Path | None:
    """Return the newest whole checkpoint, if there is one."""
    return next(reversed(complete(folder).values()), None)


def best(folder: Path) -> tuple[Path, Path]:
    """Return the newest whole checkpoint, and the one with the best held-out metric, or the newest again.

    Raises:
        RunError: if there is none.
    """
    last = last_complete(folder)
    if last is None:
        raise RunError(f"no checkpoint in {folder}, though training is over")
    step = best_step(last)
    return last, last if step is None else complete(folder)[step]


def seal(path: Path) -> None:
    """Mark a checkpoint as whole. The pickled training arguments in it, which nothing reads, go."""
    (path / "training_args.bin").unlink(missing_ok=True)
    (path / _MARKER).touch()


def prune(folder: Path, keep: Container[int | None]) -> None:
    """Delete all whole checkpoints but those of the steps to keep."""
    for step, path in complete(folder).items():
        if step not in keep:
            (path / _MARKER).unlink()
            shutil.rmtree(path)


def drop_incomplete(folder: Path) -> None:
    """Delete what a killed training left half written or half deleted."""
    whole = set(complete(folder).values())
    for path in folder.glob("checkpoint-*"):
        if path not in whole:
            shutil.rmtree(path)


def best_step(path: Path) -> int | None:
    """Return the step whose held-out metric was the best when a checkpoint was written; None if none was measured."""
    step = _state(path).get("best_global_step")
    return int(step) if step is not None else None


def is_over(path: Path) -> bool:
    """Return whether a checkpoint is that of the last step: transformers' loop would take one more."""
    state = _state(path)
    return int(state["global_step"]) >= int(state["max_steps"])


def steps(path: Path) -> int:
    """Return how many steps had been taken when a checkpoint was written."""
    return int(_state(path)["global_step"])


def history(path: Path) -> list[dict[str, float]]:
    """Return what had been logged when a checkpoint was written, each entry with its ``step``."""
    logged: list[dict[str, float]] = _state(path)["log_history"]
    return logged


def _state(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((path / _STATE).read_text(encoding="utf-8"))
    return state


def _step(path: Path) -> int:
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1

"""A suite, scored while training: for the eye, it chooses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rmeval.eval.evaluate import evaluate
from rmeval.eval.model_options import ModelOptions
from rmeval.trainer.loop import checkpoints

__all__ = ["SuiteCallback", "SuiteScore", "read_suite"]

_FILE = "suite.jsonl"


class SuiteScore(TypedDict):
    """What a suite gave at a step: a line of the file."""

    step: int
    suite: str
    accuracy: float
    """A share of 1."""


class SuiteCallback(TrainerCallback):
    """Scores a suite with every checkpoint that held-out pairs were scored with, on the first device."""

    def __init__(
        self, suite: str, folder: Path, every: int, options: ModelOptions, note: Callable[[str], None] | None
    ) -> None:
        self._suite, self._folder, self._every = suite, folder, every
        self._options, self._note = options, note

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        """Score the checkpoint that was just written."""
        step, last = state.global_step, state.global_step >= state.max_steps
        if not state.is_world_process_zero or (step % self._every and not last):
            return
        run = evaluate(str(checkpoints.checkpoint(self._folder, step)), self._suite, model_options=self._options)
        overall = run.info.results.overall
        if overall is None:
            return
        with (self._folder / _FILE).open("a", encoding="utf-8") as file:
            entry: SuiteScore = {"step": step, "suite": self._suite, "accuracy": overall.accuracy}
            file.write(json.dumps(entry) + "\n")
        if self._note:
            self._note(f"step {step} of {state.max_steps}: {self._suite} {overall.accuracy:.1%}")


def read_suite(folder: Path) -> list[SuiteScore]:
    """Return what was measured at each step, the last time where a step was measured twice after a stop."""
    try:
        lines = (folder / _FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return list({entry["step"]: entry for entry in map(_entry, lines) if entry is not None}.values())


def _entry(line: str) -> SuiteScore | None:
    try:
        entry: SuiteScore = json.loads(line)
    except ValueError:  # Cut off by a kill.
        return None
    return entry

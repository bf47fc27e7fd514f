"""What the tests of ``rmeval.eval.numbers.compare`` and of the gate have in common: runs whose outcomes are chosen."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rmeval import RunRecord, Suite, evaluate
from rmeval.eval.scorers.base import Pointwise
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score

SCORES = {"+": (2.0, 1.0), "-": (1.0, 2.0), "=": (1.0, 1.0), "n": (math.nan, 1.0), "i": (1.0, math.inf)}
"""Outcome -> score of the right and of the wrong completion: right, wrong, tie, invalid."""


class Script(Pointwise):
    """Decides the examples as told, in the order of their rows; ``!`` after a decision: it was truncated."""

    def __init__(self, decisions: str, name: str = "script") -> None:
        self.decisions: list[tuple[str, bool]] = []
        for letter in decisions:
            if letter == "!":
                self.decisions[-1] = (self.decisions[-1][0], True)
            else:
                self.decisions.append((letter, False))
        self.name = name

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self.name, "script", f"script:{self.name}")

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        assert len(conversations) == 2 * len(self.decisions)
        decided = [self.decisions[place // 2] for place in range(len(conversations))]
        return [
            Score(SCORES[letter][item.index], 1, truncated=cut and item.index == 0)
            for item, (letter, cut) in zip(conversations, decided, strict=True)
        ]

    def findings(self) -> Sequence[Finding]:
        return []


def write_rows(file: Path, subsets: Iterable[str], prompts: Iterable[str] | None = None) -> Path:
    """Write one row for each subset named; rows have a prompt of their own unless told."""
    subsets = list(subsets)
    prompts = list(prompts) if prompts is not None else [f"prompt {row}" for row in range(len(subsets))]
    rows = [
        {"id": f"e{row}", "subset": subset, "prompt": prompt, "chosen": "yes", "rejected": "no"}
        for row, (subset, prompt) in enumerate(zip(subsets, prompts, strict=True))
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def run_of(
    data: Path, decisions: str, suite: str | Suite = "pairs", *, output: Path | None = None, **model: object
) -> RunRecord:
    """Score the rows as told; ``model`` changes what the run says of its model."""
    run = evaluate(Script(decisions), suite, dataset=str(data), output_dir=output)
    return run.with_info(model=replace(run.info.model, **model)) if model else run  # type: ignore[arg-type]

"""Runs for the tests of pages: real runs on disk, of rows made up here, scored by a hash of the text."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rmeval import RunRecord, evaluate
from rmeval.data_prep.text.audit import finding
from rmeval.eval.scorers.base import Pointwise
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score

SUBSETS = ("alpacaeval-easy", "llmbar-natural", "xstest-should-refuse", "hep-python")


class Hashed(Pointwise):
    """A scorer whose scores lie on a grid of halves from -4 to 3.5, so that some tie; NaN for a text of ``nan``."""

    drift = 0.5

    def __init__(self, seed: int = 0, name: str = "hashed") -> None:
        self._seed = seed
        self.info = ModelInfo(f"{name}-{seed}", "classifier", f"hub:{seed:040d}", dtype="bfloat16", max_length=40)

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        return [self._score(item.completion[-1].content) for item in conversations]

    def _score(self, text: str) -> Score:
        digest = hashlib.sha256(f"{self._seed}{text}".encode()).digest()
        value = math.nan if text == "nan" else digest[0] % 16 / 2 - 4
        return Score(value, len(text.split()) + 5, truncated=len(text) > 220)

    def findings(self) -> Sequence[Finding]:
        return [finding("missing-bos", 3, ("alpacaeval-easy 1",)), finding("pad-is-eos", 1)]


def rows(number: int = 80) -> list[dict[str, Any]]:
    """Make up preference rows in RewardBench's schema; one cannot be scored."""
    made = []
    for place in range(number):
        subset = SUBSETS[place % len(SUBSETS)]
        made.append(
            {
                "id": f"{subset} {place}",
                "prompt": f"Question {place // 2}: what comes after {place // 2}?",
                "chosen": f"After it comes {place // 2 + 1}. " + "Truly. " * (place % 7 * 6),
                "rejected": "nan" if place == 13 else f"I think {place * 3 % 11}. " + "Perhaps. " * (place % 5 * 7),
                "subset": subset,
            }
        )
    return made


def write_rows(path: Path, items: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(item)}\n" for item in items), encoding="utf-8")
    return path


def made_run(folder: Path, seed: int = 0, *, number: int = 80, suite: str = "rewardbench", **options: Any) -> RunRecord:
    """Score the rows and write the run into a folder of its own."""
    data = write_rows(folder / "rows.jsonl", rows(number))
    return evaluate(Hashed(seed), suite, dataset=str(data), output_dir=folder / f"run-{suite}-{seed}", **options)

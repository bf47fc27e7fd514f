"""What the tests of ``rmeval.eval.scoring.score`` and its files have in common."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rmeval.data_prep.text.audit import finding
from rmeval.errors import RmevalError
from rmeval.eval.scorers.base import Pointwise, Scorer
from rmeval.eval.scoring.score import score
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score

LONGEST = "baseline:longest"
USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}


class Fake(Pointwise):
    """Gives the length of the completion, or what ``values`` say for its text; stops at the text ``stop``."""

    def __init__(self, values: dict[str, float] | None = None, stop: str = "", fingerprint: str = "fake") -> None:
        self.values, self.stop, self.seen = values or {}, stop, 0
        self.info = ModelInfo("fake", "fake", fingerprint)

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        texts = [each.completion[-1].content for each in conversations]
        if self.stop and self.stop in texts:
            raise KeyboardInterrupt
        self.seen += len(texts)
        if progress:
            progress(1, 2)
        return [Score(self.values.get(text, float(len(text))), len(text)) for text in texts]

    def findings(self) -> Sequence[Finding]:
        found = [finding("pad-is-eos", 1)]
        return [*found, finding("missing-bos", self.seen, ("line 1",))] if self.seen else found


def jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_bytes("".join(f"{json.dumps(row)}\n" for row in rows).encode())
    return str(path)


def forty_rows(folder: Path) -> str:
    """Write ``in.jsonl``: 40 rows of two completions, the first of them the row's number."""
    return jsonl(folder / "in.jsonl", [{"prompt": "Hi", "completions": [f"{n}", "x" * n]} for n in range(1, 41)])


def lines(path: Path) -> list[dict[str, Any]]:
    raw = path.read_bytes()
    return [
        json.loads(line) for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().split("\n")[:-1]
    ]


def scored(folder: Path, rows: list[dict[str, Any]], model: str | Scorer = LONGEST) -> list[dict[str, Any]]:
    score(model, jsonl(folder / "in.jsonl", rows), folder / "out.jsonl", overwrite=True)
    return lines(folder / "out.jsonl")


def refused(error: type[RmevalError], *arguments: Any, **options: Any) -> str:
    with pytest.raises(error) as caught:
        score(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def said(scorer: Scorer, conversations: Sequence[Conversation]) -> list[Score]:
    """What a pointwise scorer says of conversations."""
    assert isinstance(scorer, Pointwise)
    return scorer.score_conversations(conversations)

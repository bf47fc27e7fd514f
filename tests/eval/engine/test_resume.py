"""A run stopped at any pack ends byte-equal to an undisturbed one, even where packs show in the last digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rmeval.data_prep.rows.examples import conversations
from rmeval.eval.engine.packed import PackedExecutor, Values
from rmeval.eval.engine.plan import Pack
from rmeval.eval.refine import refine
from rmeval.eval.scorers import ModelOptions
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.eval.scorers.kept import opened
from rmeval.types import Example, Message


class StoppedError(BaseException):
    """In place of a kill: nothing after it is done."""


def examples() -> list[Example]:
    """Pairs of different lengths; neighbours share prompts and wrong completions."""

    def answer(text: str) -> tuple[Message, ...]:
        return (Message("assistant", text),)

    made = []
    for i in range(24):
        prompt = (Message("user", f"question {i // 4} " * 3),)
        made.append(Example(f"e{i}", i, "all", prompt, (answer("a" * (5 + 3 * i)),), (answer("b" * (4 + i // 2)),)))
    return made


def run(model: Path) -> bytes:
    """Score and refine as ``evaluate`` does."""
    items = examples()
    options = ModelOptions(dtype="bfloat16", device="cpu", batch_size=3)
    with opened(str(model), options) as journal:
        scorer = ClassifierScorer(str(model), options, journal)
        scores = scorer.score_conversations(conversations(items))
        assert scorer.drift is not None
        # Two rounds that share texts with each other and with the sample that the drift was measured on.
        for part in (items[:14], items):
            scores = refine(part, conversations(part), scores, scorer, drift=10).scores + scores[2 * len(part) :]
    return np.array([score.value for score in scores]).tobytes()


def test_stopped_at_every_pack(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each score carries a trace of its pack, as other kernels for other shapes leave one."""
    exact = PackedExecutor.score
    passes, stop = 0, 0

    def traced(self: PackedExecutor, pack: Pack) -> Values:
        nonlocal passes
        passes += 1
        if passes == stop:
            raise StoppedError
        return exact(self, pack) + 1e-9 * len(pack.ids) + 1e-7 * len(pack.segments)

    monkeypatch.setattr(PackedExecutor, "score", traced)
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path / "whole"))
    undisturbed = run(tiny_model)
    whole = passes
    assert whole > 15
    for stop in range(3, whole + 1):  # The self-check, the first two passes, falls back to the model's own forward.
        monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path / str(stop)))
        passes = 0
        with pytest.raises(StoppedError):
            run(tiny_model)
        passes = -(10**9)
        assert run(tiny_model) == undisturbed, f"stopped at pass {stop} of {whole}"
    passes = 0
    run(tiny_model)
    assert passes == 0, "what is in the journal is not computed again"

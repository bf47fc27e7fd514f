"""Scores are what they were: the journal's ``SCORING_VERSION`` is raised by hand, and this is what reminds one.

A change here means that a journal's scores would no longer be those of a fresh run. If that is meant, raise
``SCORING_VERSION`` and write the file anew with ``python -m tests.eval.test_golden``.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification

from rmeval.eval.journal.key import SCORING_VERSION
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.eval.scorers.base import ask, items_of
from rmeval.eval.suites import get_suite
from rmeval.eval.suites.data import DataOptions, load_dataset
from tests.support.models.tiny import save_tiny_model

GOLDEN = Path(__file__).parents[1] / "golden" / "scores.json"


def golden_scores(folder: Path) -> list[float]:
    """Score twelve conversations of the mini set with a model whose weights no random generator decides."""
    save_tiny_model(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for place, parameter in enumerate(model.parameters()):
            if parameter.dim() > 1:
                steps = torch.arange(parameter.numel(), dtype=torch.float64).reshape(parameter.shape)
                parameter.copy_(0.2 * torch.sin(steps * (1 + place) * 0.7))
    model.save_pretrained(folder)
    examples = load_dataset(get_suite("mini"), DataOptions()).examples[::43]
    scorer = load_scorer(str(folder), ModelOptions(dtype="float32", device="cpu", cache=False))
    return [score.value for score in ask(scorer, items_of(examples))]


def test_scores_are_what_they_were_under_this_scoring_version(tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text())
    assert golden["scoring_version"] == SCORING_VERSION
    scores = golden_scores(tmp_path / "m")
    assert len(scores) == len(golden["scores"]) == 12
    for score, was in zip(scores, golden["scores"], strict=True):
        assert abs(score - was) <= 1e-5 * max(1, abs(was)), "scores changed: raise SCORING_VERSION"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        content = {"scoring_version": SCORING_VERSION, "scores": golden_scores(Path(folder) / "m")}
    GOLDEN.write_text(json.dumps(content, indent=2) + "\n")

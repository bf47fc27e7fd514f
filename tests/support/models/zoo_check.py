"""How rmeval scores a model of the zoo, beside transformers alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rmeval.eval.scorers import ModelOptions
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.types import Conversation

BOUND = 1e-5


def own_scores(folder: Path, items: list[Conversation]) -> list[float]:
    """Score one conversation at a time, unpadded, in float32, with transformers alone.

    The model is loaded anew for each: BigBird's forward depends on what it was given before.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    scores = []
    for item in items:
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
        turns = [{"role": message.role, "content": message.content} for message in item.messages]
        encoded = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), return_tensors="pt")
        with torch.inference_mode():
            logits = model(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]).logits
        scores.append(float(logits.reshape(-1)[0]))
    return scores


@dataclass(frozen=True, slots=True)
class Scored:
    """What one way to run a model gave."""

    scores: list[float]
    refined: int
    """How many of them were scored again in float32, because they overflowed."""
    path: str | None
    dtype: str | None
    residual_dtype: str | None
    reasons: dict[str, str]
    """Findings of the engine, with the first place of each."""


def run(folder: Path, items: list[Conversation], dtype: str = "float32", batch_size: int | None = None) -> Scored:
    """Score with rmeval.

    Raises:
        ModelError: if it cannot.
    """
    options = ModelOptions(dtype=dtype, device="cpu", batch_size=batch_size, cache=False)
    scorer = ClassifierScorer(str(folder), options)
    found = scorer.score_conversations(items)
    reasons = {each.code: (each.examples or ("",))[0] for each in scorer.findings()}
    info = scorer.info
    scores, refined = [score.value for score in found], sum(score.refined for score in found)
    return Scored(scores, refined, info.path, info.dtype, info.residual_dtype, reasons)


def furthest(scores: list[float], own: list[float]) -> float:
    """Return the largest difference relative to max(1, |score|)."""
    return max(
        abs(a - b) / max(1.0, abs(b)) if math.isfinite(a) else math.inf for a, b in zip(scores, own, strict=True)
    )

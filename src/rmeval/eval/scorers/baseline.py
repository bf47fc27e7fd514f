"""Rulers: scorers that read nothing. What they reach is what a number must be held against.

``longest`` and ``shortest`` count the characters of a completion; ``random`` hashes seed and place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from rmeval.errors import UsageError, did_you_mean
from rmeval.eval.scorers.base import Pointwise
from rmeval.types import Conversation, Finding, Messages, ModelInfo, Progress, Score

PREFIX = "baseline:"

Ruler = Callable[[int, str, int, int], float]
"""(seed, example id, place of the completion in its example, characters of the completion) -> score."""


def _random(seed: int, example_id: str, index: int, chars: int) -> float:
    digest = hashlib.sha256(f"{seed}\x1f{example_id}\x1f{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


RULERS: dict[str, Ruler] = {
    "longest": lambda seed, example_id, index, chars: float(chars),
    "shortest": lambda seed, example_id, index, chars: float(-chars),
    "random": _random,
}


def completion_chars(completion: Messages) -> int:
    """Return the number of characters of a completion, over all its messages."""
    return sum(message.chars for message in completion)


class BaselineScorer(Pointwise):
    """Scores with a ruler.

    Raises:
        UsageError: if there is no ruler of that name.
    """

    def __init__(self, ruler: str, seed: int = 0) -> None:
        if ruler not in RULERS:
            known = ", ".join(PREFIX + name for name in RULERS)
            raise UsageError(f"unknown baseline {ruler!r}{did_you_mean(ruler, RULERS)} (known: {known})")
        self._ruler = ruler
        self._seed = seed

    @property
    def info(self) -> ModelInfo:
        """The ruler as a model."""
        name = PREFIX + self._ruler
        seeded = f":{self._seed}" if self._ruler == "random" else ""
        return ModelInfo(name=name, kind="baseline", fingerprint=name + seeded)

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        """Score each conversation; ``tokens`` of the result counts characters."""
        scores = []
        for item in conversations:
            chars = completion_chars(item.completion)
            scores.append(Score(RULERS[self._ruler](self._seed, item.example_id, item.index, chars), chars))
        if progress:
            progress(len(scores), len(scores))
        return scores

    def findings(self) -> Sequence[Finding]:
        """Nothing: a ruler has no tokenizer and no template that could be wrong."""
        return ()

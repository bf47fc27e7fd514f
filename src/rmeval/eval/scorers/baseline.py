"""The reference lines as models: ``baseline:longest``, ``baseline:shortest``, ``baseline:random``."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.eval.numbers.reference_lines import PREFIX, REFERENCE_LINES
from rmeval.eval.scorers.base import Pointwise
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Messages, Progress, Score


def completion_chars(completion: Messages) -> int:
    """Return the number of characters of a completion, over all its messages."""
    return sum(message.chars for message in completion)


class BaselineScorer(Pointwise):
    """Scores with a reference line.

    Raises:
        UsageError: if there is none of that name.
    """

    def __init__(self, line: str, seed: int = 0) -> None:
        if line not in REFERENCE_LINES:
            known = ", ".join(PREFIX + name for name in REFERENCE_LINES)
            raise UsageError(f"unknown baseline {line!r}{did_you_mean(line, REFERENCE_LINES)} (known: {known})")
        self._line = line
        self._seed = seed

    @property
    def info(self) -> ModelInfo:
        """The reference line as a model."""
        name = PREFIX + self._line
        seeded = f":{self._seed}" if self._line == "random" else ""
        return ModelInfo(name=name, kind="baseline", fingerprint=name + seeded)

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        """Score each conversation; ``tokens`` of the result counts characters."""
        scores = []
        for item in conversations:
            chars = completion_chars(item.completion)
            scores.append(Score(REFERENCE_LINES[self._line](self._seed, item.example_id, item.index, chars), chars))
        if progress:
            progress(len(scores), len(scores))
        return scores

    def findings(self) -> Sequence[Finding]:
        """Nothing: it has no tokenizer and no template that could be wrong."""
        return ()

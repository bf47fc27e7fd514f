"""Low precision decides what it can, float32 what is close.

The drift of margins is measured, not assumed: first on the sample that the engine scored in both precisions, then on
every example that is scored again. Examples are looked at again in rounds until none that is left has a margin within
the drift.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rmeval.types import Conversation, Example, Progress, Score

SPREAD = 4.0
"""How many root-mean-square drifts a margin must exceed to be safe. Of sets of 3,000 examples whose margins are normal
with 20 drifts of standard deviation, one in 1,200 then has a moved decision, if the drifts are normal as well."""
WORST = 1.5
"""How many times the largest drift seen it must exceed as well, should the error have heavier tails."""


class Refinable(Protocol):
    """A scorer that can say more than it did."""

    @property
    def can_refine(self) -> bool:
        """True where ``rescore`` computes in a higher precision than ``score``."""
        ...

    def rescore(self, conversations: Sequence[Conversation], progress: Progress | None = None) -> list[Score]:
        """Score in float32."""
        ...


@dataclass(frozen=True, slots=True)
class Refined:
    """Scores in which no decision hangs on rounding."""

    scores: list[Score]
    drift: float
    """The final bound on a margin's drift."""
    rescored: int
    """Examples that were scored again."""


def refine(
    examples: Sequence[Example], items: Sequence[Conversation], scores: Sequence[Score], scorer: Refinable, drift: float
) -> Refined:
    """Score the completions of close examples again in float32.

    Args:
        examples: The examples.
        items: Their conversations, in order.
        scores: The scores of these, in low precision.
        scorer: Can score in float32.
        drift: First bound on a margin's drift.
    """
    refined = list(scores)
    starts = _starts(examples)
    margins = [_margin(example, scores, start) for example, start in zip(examples, starts, strict=True)]
    # What is invalid in low precision may well be a number in float32; what is one text twice stays a tie.
    left = {place for place, example in enumerate(examples) if not _same_text(example)}
    rescored = 0
    drifts: list[float] = []
    while True:
        close = sorted(place for place in left if math.isnan(margins[place]) or abs(margins[place]) <= drift)
        if not close:
            return Refined(refined, drift, rescored)
        places = [starts[p] + i for p in close for i in range(len(examples[p].completions))]
        for place, score in zip(places, scorer.rescore([items[place] for place in places]), strict=True):
            refined[place] = score
        left.difference_update(close)
        rescored += len(close)
        moved = [_margin(examples[p], refined, starts[p]) - margins[p] for p in close]
        drifts += [abs(change) for change in moved if math.isfinite(change)]
        if drifts:
            spread = math.sqrt(math.fsum(change * change for change in drifts) / len(drifts))
            drift = max(drift, SPREAD * spread, WORST * max(drifts))


def _starts(examples: Sequence[Example]) -> list[int]:
    starts, total = [], 0
    for example in examples:
        starts.append(total)
        total += len(example.completions)
    return starts


def _margin(example: Example, scores: Sequence[Score], start: int) -> float:
    values = [score.value for score in scores[start : start + len(example.completions)]]
    if not all(map(math.isfinite, values)):
        return math.nan
    return min(values[: len(example.chosen)]) - max(values[len(example.chosen) :])


def _same_text(example: Example) -> bool:
    return len(set(example.completions)) == 1

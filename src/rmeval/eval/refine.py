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
class Decision:
    """Whether all of some scores are above all of some others; places are those of a list of scores."""

    high: tuple[int, ...]
    low: tuple[int, ...]

    def margin(self, scores: Sequence[Score]) -> float:
        """Lowest of ``high`` minus highest of ``low``; NaN where one of them is no finite number."""
        high, low = ([scores[place].value for place in side] for side in (self.high, self.low))
        return min(high) - max(low) if all(map(math.isfinite, (*high, *low))) else math.nan


@dataclass(frozen=True, slots=True)
class Refined:
    """Scores in which no decision hangs on rounding."""

    scores: list[Score]
    drift: float
    """The final bound on a margin's drift."""
    rescored: int
    """Decisions that were looked at again; one an example."""


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
    decisions, start = [], 0
    for example in examples:
        middle, end = start + len(example.chosen), start + len(example.completions)
        if len(set(example.completions)) > 1:  # One text twice stays a tie.
            decisions.append(Decision(tuple(range(start, middle)), tuple(range(middle, end))))
        start = end
    return refine_decisions(decisions, items, scores, scorer, drift)


def refine_decisions(
    decisions: Sequence[Decision],
    items: Sequence[Conversation],
    scores: Sequence[Score],
    scorer: Refinable,
    drift: float,
) -> Refined:
    """Score what close decisions hang on again in float32; the other arguments are those of ``refine``."""
    refined = list(scores)
    margins = [decision.margin(scores) for decision in decisions]
    left = set(range(len(decisions)))
    exact: set[int] = set()
    drifts: list[float] = []
    while True:
        # What is invalid in low precision may well be a number in float32.
        close = sorted(number for number in left if math.isnan(margins[number]) or abs(margins[number]) <= drift)
        if not close:
            return Refined(refined, drift, len(decisions) - len(left))
        places = sorted({place for n in close for place in (*decisions[n].high, *decisions[n].low)} - exact)
        for place, score in zip(places, scorer.rescore([items[place] for place in places]), strict=True):
            refined[place] = score
        exact.update(places)
        left.difference_update(close)
        moved = [decisions[number].margin(refined) - margins[number] for number in close]
        drifts += [abs(change) for change in moved if math.isfinite(change)]
        if drifts:
            spread = math.sqrt(math.fsum(change * change for change in drifts) / len(drifts))
            drift = max(drift, SPREAD * spread, WORST * max(drifts))

"""Low precision decides what it can, float32 what is close.

The drift of margins is measured, not assumed: first on the sample that the engine scored in both precisions, then on
every example that is scored again. Examples are looked at again in rounds until none that is left has a margin within
the drift.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rmeval.eval.scorers.base import Rescores, Settling
from rmeval.eval.suites import Suite
from rmeval.eval.suites.pairs import PAIRS
from rmeval.types import Conversation, Example, Messages, Score

SPREAD = 4.0
"""How many root-mean-square drifts a margin must exceed to be safe. Of sets of 3,000 examples whose margins are normal
with 20 drifts of standard deviation, one in 1,200 then has a moved decision, if the drifts are normal as well."""
_TRIED, _MANY = 32, 256
"""Examples that a precision is tried out on, of at least so many."""
WORST = 1.5
"""How many times the largest drift seen it must exceed as well, should the error have heavier tails."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether all of some scores are above all of some others; places are those of a list of scores."""

    high: tuple[int, ...]
    low: tuple[int, ...]
    always: bool = False
    """True where the values themselves count: no margin is wide enough to leave them in low precision."""

    @property
    def places(self) -> tuple[int, ...]:
        """All that it hangs on."""
        return self.high + self.low

    def margin(self, scores: Sequence[Score]) -> float:
        """Lowest of ``high`` minus highest of ``low``; NaN where one of them is not finite, or the values count."""
        if self.always:
            return math.nan
        high, low = ([scores[place].value for place in side] for side in (self.high, self.low))
        return min(high) - max(low) if all(map(math.isfinite, (*high, *low))) else math.nan


@dataclass(frozen=True, slots=True)
class Refined:
    """Scores in which no decision hangs on rounding."""

    scores: list[Score]
    drift: float | None
    """The final bound on a margin's drift; None where it could not be measured, and everything was scored again."""
    rescored: int
    """Decisions that were looked at again; one an example."""


def refine(
    examples: Sequence[Example],
    items: Sequence[Conversation],
    scores: Sequence[Score],
    scorer: Rescores,
    drift: float,
    suite: Suite = PAIRS,
) -> Refined:
    """Score the completions of close examples again in float32.

    Args:
        examples: The examples.
        items: Their conversations, in order.
        scores: The scores of these, in low precision.
        scorer: Can score in float32.
        drift: First bound on a margin's drift.
        suite: Says what an example's credit hangs on.
    """
    return refine_decisions(decisions_of(suite, examples), items, scores, scorer, drift)


def decisions_of(suite: Suite, examples: Sequence[Example]) -> list[Decision]:
    """Return what the credits of these examples hang on; places are those of all their completions, in order."""
    decisions, start = [], 0
    for example in examples:
        right, end = len(example.chosen), start + len(example.completions)
        hangs = None if example.subset in suite.formulas else suite.rule.hangs_on(right, len(example.rejected))
        if len(set(example.completions)) > 1:  # One text twice stays a tie.
            if hangs is None:
                decisions.append(Decision(tuple(range(start, end)), (), always=True))
            for high, low in hangs or ():
                decisions.append(Decision(tuple(start + n for n in high), tuple(start + n for n in low)))
        start = end
    return decisions


def refine_decisions(
    decisions: Sequence[Decision],
    items: Sequence[Conversation],
    scores: Sequence[Score],
    scorer: Rescores,
    drift: float,
) -> Refined:
    """Score what close decisions hang on again in float32; the other arguments are those of ``refine``.

    A conversation that stands in several places gets one score in all of them, and no decision is left that would
    compare a score in float32 with one that is not.
    """
    refined = list(scores)
    margins = [decision.margin(scores) for decision in decisions]
    left = set(range(len(decisions)))
    twins = _Twins(decisions, items)
    # What low precision made no number of is in float32 already; the rest of its example must be, too.
    exact = {twins.first[place] for place, score in enumerate(scores) if score.refined}
    mixed = {n for n in left if any(scores[place].refined for place in decisions[n].places)}
    drifts: list[float] = []
    while True:
        # What is invalid in low precision may well be a number in float32.
        near = {number for number in left if math.isnan(margins[number]) or abs(margins[number]) <= drift}
        close = twins.reached(near | mixed) & left
        if not close:
            every = len(decisions) - len(left)
            return Refined(refined, drift if math.isfinite(drift) else None, every)
        texts = sorted({twins.first[place] for number in close for place in decisions[number].places} - exact)
        for text, score in zip(texts, scorer.rescore([items[place] for place in texts]), strict=True):
            for place in twins.places[text]:
                refined[place] = score
        exact.update(texts)
        left -= close
        moved = [decisions[number].margin(refined) - margins[number] for number in sorted(close - mixed)]
        drifts += [abs(change) for change in moved if math.isfinite(change)]
        if drifts:
            spread = math.sqrt(math.fsum(change * change for change in drifts) / len(drifts))
            drift = max(drift, SPREAD * spread, WORST * max(drifts))


class _Twins:
    """Which conversations stand in several places, and which decisions hang on each."""

    def __init__(self, decisions: Sequence[Decision], items: Sequence[Conversation]) -> None:
        seen: dict[tuple[Messages, str], int] = {}
        self.first = [seen.setdefault(item.read, place) for place, item in enumerate(items)]
        """For each place, the first one with the same conversation."""
        self.places: dict[int, list[int]] = {}
        """For each of those, all its places."""
        for place, first in enumerate(self.first):
            self.places.setdefault(first, []).append(place)
        self._decisions = decisions
        self._hang: dict[int, list[int]] = {}
        for number, decision in enumerate(decisions):
            for place in decision.places:
                self._hang.setdefault(self.first[place], []).append(number)

    def reached(self, numbers: Iterable[int]) -> set[int]:
        """Return these decisions and all that share a conversation with one of them, however many steps away."""
        found, waiting = set[int](), list(numbers)
        while waiting:
            number = waiting.pop()
            if number not in found:
                found.add(number)
                for place in self._decisions[number].places:
                    waiting += self._hang.pop(self.first[place], ())
        return found


def settle_precision(
    examples: Sequence[Example], items: Sequence[Conversation], scorer: Settling, suite: Suite = PAIRS
) -> None:
    """See on a few of many examples whether low precision decides most of them; if not, let float32 score them all.

    Args:
        examples: The examples.
        items: Their conversations, in order.
        scorer: Computes in low precision and can do so in float32.
        suite: Says what an example's credit hangs on.
    """
    if len(examples) < _MANY:
        return
    chosen = {place * len(examples) // _TRIED for place in range(_TRIED)}
    ends = list(itertools.accumulate(len(example.completions) for example in examples))
    places = [at for n in sorted(chosen) for at in range(ends[n] - len(examples[n].completions), ends[n])]
    tried = scorer.try_out([items[place] for place in places])
    if tried is None:
        return
    scores, drift = tried
    few = [examples[number] for number in sorted(chosen)]
    margins = [decision.margin(scores) for decision in decisions_of(suite, few)]
    close = sum(math.isnan(margin) or (drift is not None and abs(margin) <= drift) for margin in margins)
    if in_vain(close, len(margins)):
        scorer.use_float32()


def in_vain(close: int, decisions: int) -> bool:
    """Return whether so many of the decisions are made in float32 that low precision saves no time."""
    return close > decisions / 2

"""How the scores of one example become credit: the rules that several suites share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rmeval.types import Outcome, ScoredExample

__all__ = ["ALL_BEAT_ALL", "FIRST_IS_BEST", "TIES", "CreditRule", "Hangs", "Ties", "all_beat_all"]

Hangs: TypeAlias = tuple[Sequence[int], Sequence[int]]
"""Places of completions, right ones first: whether the lowest of some is above the highest of some others."""
Ties: TypeAlias = Literal["wrong", "half", "right"]


@dataclass(frozen=True, slots=True)
class CreditRule:
    """What an example's scores are worth."""

    credit: Callable[[ScoredExample], Outcome]
    """Given finite scores: ``rmeval.eval.numbers.credits`` calls an example with any other invalid."""
    hangs_on: Callable[[int, int], Sequence[Hangs] | None]
    """Given how many completions are right and how many wrong: the comparisons that the credit hangs on, so that close
    ones are decided in float32. None where the values themselves count: then all are computed in float32."""
    meaning: str
    """When an example with several completions of a side is right, as a part of a sentence."""


def all_beat_all(chosen: Sequence[float], rejected: Sequence[float], tie: float = 0.0) -> Outcome:
    """Judge one example: right if every right completion scores strictly higher than every wrong one.

    Args:
        chosen: Scores of the right completions.
        rejected: Scores of the wrong ones.
        tie: The credit of a tie.
    """
    if not all(map(math.isfinite, (*chosen, *rejected))):
        return Outcome("invalid", math.nan)
    margin = min(chosen) - max(rejected)
    if margin == 0:
        return Outcome("tie", margin, tie)
    return Outcome("right", margin, 1.0) if margin > 0 else Outcome("wrong", margin)


def _lowest_and_highest(right: int, wrong: int) -> Sequence[Hangs]:
    return [(range(right), range(right, right + wrong))]


def _all_beat_all(tie: float, meaning: str) -> CreditRule:
    return CreditRule(lambda example: all_beat_all(example.chosen, example.rejected, tie), _lowest_and_highest, meaning)


def _first_is_best(example: ScoredExample) -> Outcome:
    scores = (*example.chosen, *example.rejected)
    margin = scores[0] - max(scores[1:])
    if margin == 0:
        return Outcome("tie", margin, 1 / scores.count(scores[0]))
    return Outcome("right", margin, 1.0) if margin > 0 else Outcome("wrong", margin)


def _first_and_rest(right: int, wrong: int) -> Sequence[Hangs]:
    return [((0,), range(1, right + wrong))]


TIES: dict[Ties, CreditRule] = {
    "wrong": _all_beat_all(0.0, "right only if every chosen beats every rejected"),
    "half": _all_beat_all(0.5, "right only if every chosen beats every rejected; a tie is half right"),
    "right": _all_beat_all(1.0, "right only if no rejected beats any chosen; a tie is right"),
}
"""Every right completion must beat every wrong one; what a tie counts."""
ALL_BEAT_ALL = TIES["wrong"]
"""A tie is not right, as in RewardBench, and is counted apart."""
FIRST_IS_BEST = CreditRule(_first_is_best, _first_and_rest, "right if the first chosen has the highest score of all")
"""Best of n, as in RewardBench 2: of k completions that share the highest score, the first being one, it gets 1/k."""

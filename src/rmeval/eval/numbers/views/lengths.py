"""Accuracy by which answer is the longer one: what a model gets right where length helps, and where it misleads.

Length is the characters of a completion, as the reference lines count them; of several right or wrong completions it is
their mean. So the groups depend on the data alone, and are the same for every model. Within a group each example counts
alike, whatever the suite's weights: credits as in the subsets, invalid examples left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

import numpy as np

from rmeval.eval.numbers.credits import Judged, judge
from rmeval.eval.numbers.intervals import estimate
from rmeval.eval.numbers.prompts import Prompts, keys
from rmeval.eval.suites import Suite
from rmeval.types import ScoredExample

__all__ = ["SIMILAR_PERCENT", "LengthGroup", "RightIs", "by_length", "right_is"]

SIMILAR_PERCENT = 10
"""Lengths are similar where they differ by at most this part of the longer one."""

RightIs: TypeAlias = Literal["shorter", "similar", "longer"]
"""What the right answer is, beside the wrong one."""


@dataclass(frozen=True, slots=True)
class LengthGroup:
    """The examples whose right answer is the shorter or the longer one, or of similar length."""

    n: int
    """Valid examples."""
    accuracy: float | None
    """Their mean credit; None where there is none."""
    low: float | None
    high: float | None


def by_length(suite: Suite, scored: Iterable[ScoredExample]) -> dict[RightIs, LengthGroup]:
    """Return the accuracy of each of the three groups, with its 95% interval clustered by prompt.

    Args:
        suite: What scores are worth.
        scored: The examples with their scores.
    """
    groups: dict[RightIs, list[Judged]] = {name: [] for name in get_args(RightIs)}
    for each in judge(suite, scored):
        if each.valid:
            groups[right_is(each.example)].append(each)
    return {name: _group(own) for name, own in groups.items()}


def right_is(example: ScoredExample) -> RightIs:
    """Return what the mean right answer of an example is, beside the mean wrong one; exact, in whole numbers."""
    right = sum(example.chosen_chars) * len(example.rejected_chars)
    wrong = sum(example.rejected_chars) * len(example.chosen_chars)
    if 100 * abs(right - wrong) <= SIMILAR_PERCENT * max(right, wrong):
        return "similar"
    return "longer" if right > wrong else "shorter"


def _group(own: list[Judged]) -> LengthGroup:
    if not own:
        return LengthGroup(0, None, None, None)
    credits = np.array([[each.outcome.credit for each in own]], dtype=np.float64)
    prompts = Prompts.of(["all"] * len(own), keys([each.prompt for each in own]), credits)
    found = estimate(prompts, [Fraction(1)])
    return LengthGroup(len(own), found.accuracy, found.low, found.high)

"""Best of n: how often the answer is right that a model picks out of n, exact over all ways to draw the n.

Of an example's N answers n are drawn, every subset alike; the model picks the one with the highest score, ties shared
evenly. The mean over all subsets needs no sampling: sort the answers by score; the pick is one of a group of g answers
with the same score, above L lower ones, exactly where all n lie among the lowest L + g answers but not all among the
lowest L. Each of the group is picked as often as any other, so with r right ones among them

    accuracy(n) = Σ over groups  r / g · [C(L + g, n) − C(L, n)] / C(N, n).

Without ties this is the unbiased estimator of best of n of Nakano et al., 2021 (WebGPT, arXiv:2112.09332), and what
AceMath's rm@8 (Liu et al., 2024, arXiv:2412.15084) samples with 100 seeds out of 64 answers. Random picks are right as
often as answers are, whatever n; the oracle is right unless all n are wrong: 1 − C(wrong, n) / C(N, n), which is pass@n
(Chen et al., 2021, arXiv:2107.03374).

An example with fewer than n answers is no part of the point at n; the three numbers of a point are of the same
examples. Subsets weigh what they weigh in the overall number. An unparsed example counts as if all its wrong answers
stood above the right ones, an invalid one is left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rmeval.eval.numbers.intervals import CONFIDENCE, limits
from rmeval.eval.numbers.prompts import Prompts, keys
from rmeval.eval.numbers.weights import shares
from rmeval.eval.suites import Suite
from rmeval.types import ScoredExample

__all__ = ["BestOfN", "best_of_n", "picked"]

_EVERY = 8
"""Up to here every n has a point; from here on powers of two."""


@dataclass(frozen=True, slots=True)
class BestOfN:
    """One point of the curve; accuracies are shares of 1."""

    n: int
    examples: int
    """Valid examples with at least n answers: what the point rests on."""
    accuracy: float
    low: float
    """Of the 95% interval of the accuracy, clustered by prompt."""
    high: float
    random: float
    oracle: float


def best_of_n(suite: Suite, weights: str | None, scored: Iterable[ScoredExample]) -> tuple[BestOfN, ...]:
    """Return the curve, ascending by n; nothing where no example has more than two answers.

    Args:
        suite: Says what subsets weigh.
        weights: Name of the suite's weight table.
        scored: The examples with their scores.
    """
    valid = [each for each in scored if each.unparsed or all(map(math.isfinite, (*each.chosen, *each.rejected)))]
    answers = [len(each.chosen) + len(each.rejected) for each in valid]
    if max(answers, default=0) < 3:
        return ()
    prompts = keys([each.prompt_hash for each in valid])
    points = []
    for n in _sizes(answers):
        places = [place for place, own in enumerate(answers) if own >= n]
        own = [valid[place] for place in places]
        point = _point(suite, weights, n, own, [prompts[place] for place in places])
        points += [] if point is None else [point]
    return tuple(points)


def picked(right: Sequence[float], wrong: Sequence[float], n: int) -> float:
    """Return how often the answer with the highest score of n is right, over all subsets of n answers.

    Args:
        right: Scores of the right answers, finite.
        wrong: Scores of the wrong ones.
        n: How many are drawn; at most as many as there are.
    """
    within = _all_within(len(right) + len(wrong), n)
    at = Counter(right)
    groups = at + Counter(wrong)
    lower, terms = 0, []
    for score in sorted(groups):
        upto = lower + groups[score]
        terms.append(at[score] / groups[score] * (within[upto] - within[lower]))
        lower = upto
    return min(1.0, math.fsum(terms))


@lru_cache(maxsize=1024)
def _all_within(answers: int, n: int) -> tuple[float, ...]:
    """Return the chance that all n drawn answers are among the lowest k, for k from 0 to all of them."""
    return tuple(math.comb(k, n) / math.comb(answers, n) for k in range(answers + 1))


def _sizes(answers: Sequence[int]) -> list[int]:
    """Return the n that have a point: the first few, powers of two, the most answers and the most usual number."""
    most, (usual, _) = max(answers), Counter(answers).most_common(1)[0]
    powers = {2**power for power in range(most.bit_length())}
    return sorted({*range(1, min(most, _EVERY) + 1), *powers, usual, most})


def _point(
    suite: Suite, weights: str | None, n: int, own: Sequence[ScoredExample], prompts: Sequence[str]
) -> BestOfN | None:
    """Return one point; None where none of the suite's sections has an example with so many answers."""
    subsets = [each.subset for each in own]
    sizes = {name: float(count) for name, count in Counter(subsets).items()}
    _, parts = shares(suite, weights, sizes)
    if not parts:
        return None
    model = np.array([_picked(each, n) for each in own])
    by_prompt = Prompts.of(subsets, prompts, model[None, :])
    order = [parts.get(name, Fraction(0)) for name in by_prompt.subsets]
    low, high = limits(by_prompt, order, 0, CONFIDENCE)
    each_weight = np.array([float(parts.get(name, 0)) / sizes[name] for name in subsets])
    accuracy = _mean(model, each_weight)
    return BestOfN(
        n,
        int((each_weight > 0).sum()),
        accuracy,
        min(low, accuracy),
        max(high, accuracy),
        _mean(np.array([len(each.chosen) / _answers(each) for each in own]), each_weight),
        _mean(np.array([1 - _all_within(_answers(each), n)[len(each.rejected)] for each in own]), each_weight),
    )


def _picked(example: ScoredExample, n: int) -> float:
    if example.unparsed:
        return picked([0.0] * len(example.chosen), [1.0] * len(example.rejected), n)
    return picked(example.chosen, example.rejected, n)


def _answers(example: ScoredExample) -> int:
    return len(example.chosen) + len(example.rejected)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return a weighted mean of shares; both arrays have the shape (examples,), and the weights add up to 1."""
    return min(1.0, math.fsum((values * weights).tolist()))

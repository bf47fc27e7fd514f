"""How often chance alone fails the gate, over all outcomes that there are."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import stats

from rmeval.eval.gate.check import judge_accuracies
from rmeval.eval.gate.rules import parse_rule
from rmeval.eval.numbers.differences import ALPHA, differences_of
from rmeval.eval.numbers.prompts import Prompts
from rmeval.eval.suites import get_suite

OVERALL = [parse_rule("overall:0")]


@cache
def fails(to_right: int, to_wrong: int, n: int, alpha: float = ALPHA) -> bool:
    """Whether ``overall:0`` fails on so many flips among ``n`` examples."""
    up = np.arange(n) < to_right
    down = (np.arange(n) >= to_right) & (np.arange(n) < to_right + to_wrong)
    credit = np.array([down, up, up, down], dtype=float)
    found = differences_of(get_suite("pairs"), None, Prompts.of(["a"] * n, [str(i) for i in range(n)], credit))
    return judge_accuracies(OVERALL, found, alpha=alpha)[0].failed


def given_flips(flips: int, n: int, alpha: float = ALPHA) -> float:
    """The chance to fail with so many flips, each as likely to go the other way."""
    to_wrong = np.arange(flips + 1)
    failed = [fails(flips - wrong, wrong, n, alpha) for wrong in to_wrong.tolist()]
    return float(stats.binom.pmf(to_wrong, flips, 0.5)[failed].sum())


def worst(n: int) -> float:
    """The highest chance to fail over all chances that an example flips."""
    chances = np.array([given_flips(flips, n) for flips in range(n + 1)])
    grid = np.linspace(0.005, 1, 200)
    return max(float(stats.binom.pmf(np.arange(n + 1), n, flip) @ chances) for flip in grid)

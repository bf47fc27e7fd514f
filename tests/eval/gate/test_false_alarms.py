"""Chance alone fails the gate at most as often as alpha says: over all outcomes, not in a simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rmeval.eval.gate.check import judge_accuracies
from rmeval.eval.gate.rules import DEFAULT_RULES, parse_rule
from rmeval.eval.numbers.differences import differences_of
from rmeval.eval.numbers.prompts import Prompts
from tests.support.false_alarms import given_flips, worst
from tests.support.worlds import ALIKE, PAIRS, REWARDBENCH

RULES = [parse_rule(text) for text in DEFAULT_RULES]


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.2])
def test_up_to_sixty_examples_given_how_many_flipped(alpha: float) -> None:
    """What one knows of n examples is how many flipped, so this holds for every n to 60, whatever makes them flip."""
    for flips in range(61):
        assert given_flips(flips, max(5, flips), alpha) <= alpha


def test_it_is_not_so_cautious_that_it_never_fails() -> None:
    """Against scipy: with ``m`` flips it fails from the count whose chance to be reached is at most 5%."""
    for n in (5, 6, 20):
        flips = np.arange(n + 1)
        needed = stats.binom.isf(0.05, flips, 0.5) + 1
        chance = stats.binom.sf(needed - 1, flips, 0.5)
        expected = max(stats.binom.pmf(flips, n, flip) @ chance for flip in np.linspace(0.005, 1, 200))
        assert worst(n) == pytest.approx(expected, abs=1e-12)
        assert worst(n) > 0.018


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.integers(-1, 1)),  # prompt, subset, change
    min_size=3,
    max_size=14,
)


@given(ROWS, st.sampled_from(["rewardbench", "pairs", "alike"]))
@settings(max_examples=15, deadline=None)
def test_prompts_in_several_subsets_and_sections(rows: list[tuple[int, str, int]], suite: str) -> None:
    """All ways in which the models could have changed places, prompt by prompt: it fails in 5% of them at most."""
    names = {
        "rewardbench": {"a": "alpacaeval-easy", "b": "donotanswer", "c": "hep-go"},
        "alike": {"a": "s00", "b": "s10", "c": "s50"},
    }.get(suite, {"a": "a", "b": "b", "c": "c"})
    chosen = {"rewardbench": REWARDBENCH, "pairs": PAIRS, "alike": ALIKE}[suite]
    subset, prompt = [names[name] for _, name, _ in rows], [str(place) for place, _, _ in rows]
    failed = []
    for signs in product((1, -1), repeat=6):
        change = np.array([signs[place] * own for place, _, own in rows])
        credit = np.array([change < 0, change > 0, change > 0, change < 0], dtype=float)
        found = differences_of(chosen, chosen.default_weights, Prompts.of(subset, prompt, credit))
        failed.append(any(line.failed for line in judge_accuracies(RULES, found, alpha=0.05)))
    assert np.mean(failed) <= 0.05

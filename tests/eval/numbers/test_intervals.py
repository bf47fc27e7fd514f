"""Intervals: exact coverage where all outcomes can be enumerated, formulas known otherwise, and a few by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rmeval.eval.numbers.differences import differences_of
from rmeval.eval.numbers.intervals import estimate, limits, wilson
from rmeval.eval.numbers.prompts import Prompts
from rmeval.eval.suites import get_suite

ONE = [Fraction(1)]


def counted(*subsets: tuple[int, int], together: int = 1) -> Prompts:
    """Subsets of so many right ones among so many; every so many have one prompt and the same outcome."""
    subset = [str(place) for place, (_, n) in enumerate(subsets) for _ in range(n * together)]
    right = [i < k * together for k, n in subsets for i in range(n * together)]
    prompt = [f"{place} {i // together}" for place, (_, n) in enumerate(subsets) for i in range(n * together)]
    return Prompts.of(subset, prompt, np.array([right], dtype=float))


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_subset_has_clopper_and_pearsons(case: tuple[int, int]) -> None:
    right, n = case
    expected = stats.binomtest(right, n).proportion_ci(0.95, method="exact")
    found = estimate(counted((right, n)), ONE)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.accuracy == right / n


@pytest.mark.parametrize("n", [5, 10, 20, 60])
def test_a_subset_is_covered_whatever_the_truth(n: int) -> None:
    """Exactly: over all counts, for 400 true accuracies."""
    truth = np.linspace(0.0025, 0.9975, 400)
    held = np.zeros(len(truth))
    for right in range(n + 1):
        low, high = limits(counted((right, n)), ONE, 0, 0.95)
        held += stats.binom.pmf(right, n, truth) * ((low <= truth) & (truth <= high))
    assert held.min() >= 0.95


@pytest.mark.parametrize("sizes", [(5, 30), (5, 5), (2, 3, 4), (1, 1, 20), (10, 10)])
def test_the_mean_of_subsets_is_covered_whatever_the_truth(sizes: tuple[int, ...]) -> None:
    """Exactly: over all counts of subsets that weigh alike, for a grid of true accuracies."""
    weights = [Fraction(1, len(sizes))] * len(sizes)
    found = {
        counts: limits(counted(*zip(counts, sizes, strict=True)), weights, 0, 0.95)
        for counts in product(*(range(n + 1) for n in sizes))
    }
    low, high = (np.array([ends[side] for ends in found.values()]) for side in (0, 1))
    counts = np.array(list(found))
    worst = 1.0
    for truth in product((0.35, 0.5, 0.65, 0.8, 0.9, 0.96, 0.99), repeat=len(sizes)):
        chance = np.prod([stats.binom.pmf(counts[:, s], n, truth[s]) for s, n in enumerate(sizes)], axis=0)
        worst = min(worst, float(chance[(low <= np.mean(truth)) & (np.mean(truth) <= high)].sum()))
    assert worst >= 0.94


def test_prompts_count_where_all_of_a_prompts_examples_turn_out_alike() -> None:
    """25 prompts of four rows say as much as 25 rows, but for Student's t: at 100%, at 80% and at 52%."""
    for right in (25, 20, 13):
        four, one = (limits(counted((right, 25), together=each), ONE, 0, 0.95) for each in (4, 1))
        wider = stats.t.ppf(0.975, 24) / stats.norm.ppf(0.975)
        assert four[0] < one[0]
        assert four[1] >= one[1]
        assert four[1] - four[0] == pytest.approx((one[1] - one[0]) * wider, rel=0.05)


def test_a_prompt_in_several_subsets_is_one() -> None:
    """60 prompts, each in three subsets with the same outcome: as much as 60 rows, not as 180."""
    right = [i % 60 < 48 for i in range(180)]
    names = [str(i // 60) for i in range(180)]
    shared = Prompts.of(names, [str(i % 60) for i in range(180)], np.array([right], dtype=float))
    apart = Prompts.of(names, [str(i) for i in range(180)], np.array([right], dtype=float))
    thirds = [Fraction(1, 3)] * 3
    width = {
        name: np.diff(limits(each, weights, 0, 0.95))[0]
        for name, each, weights in (
            ("shared", shared, thirds),
            ("apart", apart, thirds),
            ("few", counted((48, 60)), ONE),
        )
    }
    assert width["shared"] == pytest.approx(width["few"], rel=0.05)
    assert width["shared"] > 1.6 * width["apart"]


def test_one_prompt_says_nothing_of_others() -> None:
    low, high = limits(counted((1, 1), together=50), ONE, 0, 0.95)
    assert low < 0.01
    assert high == 1


def test_a_section_of_five_rows_is_not_lost_among_others() -> None:
    """5 of 5 in a section that counts a quarter: its truth may be 48%, so the whole may be 13 points lower."""
    quarter = [Fraction(1, 4)] * 4
    low, high = limits(counted((5, 5), (400, 400), (700, 700), (1400, 1400)), quarter, 0, 0.95)
    assert 0.80 < low < 0.88
    assert high == 1


@pytest.mark.parametrize("right", [58, 50, 29])
def test_subsets_of_one_row_each_are_taken_together(right: int) -> None:
    """As where a column that names every row is taken for the subset."""
    rows = counted(*((int(place < right), 1) for place in range(58)))
    expected = stats.binomtest(right, 58).proportion_ci(0.95, method="exact")
    found = limits(rows, [Fraction(1, 58)] * 58, 0, 0.95)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), min_size=1, max_size=5), st.integers(1, 3))
@settings(deadline=None)
def test_an_interval_is_no_point_and_holds_the_share(rows: list[tuple[int, int]], together: int) -> None:
    prompts = counted(*((min(right, n), n) for right, n in rows), together=together)
    found = estimate(prompts, [Fraction(1, len(rows))] * len(rows))
    assert 0 <= found.low <= found.accuracy <= found.high <= 1
    assert found.low < found.high


# --- differences ------------------------------------------------------------------------------------------------


@cache
def flips(gain: int, loss: int, n: int) -> tuple[float, float]:
    """The interval of a comparison: 0 is in it where the exact test says so."""
    up = [i < gain for i in range(n)]
    down = [gain <= i < gain + loss for i in range(n)]
    credit = np.array([down, up, up, down], dtype=float)
    found = differences_of(get_suite("pairs"), None, Prompts.of(["a"] * n, [str(i) for i in range(n)], credit)).overall
    assert found is not None
    return found.low, found.high


@pytest.mark.parametrize("n", [5, 10, 20])
def test_a_difference_is_covered_whatever_the_truth(n: int) -> None:
    """Exactly: over all counts of flips, for a grid of the chances to flip either way."""
    counts = [(up, down) for up in range(n + 1) for down in range(n + 1 - up)]
    ends = np.array([flips(*each, n) for each in counts])
    grid = [0.0, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5]
    for up, down in product(grid, grid):
        chance = stats.multinomial.pmf([(*each, n - sum(each)) for each in counts], n, [up, down, 1 - up - down])
        held = (ends[:, 0] <= up - down + 1e-12) & (up - down <= ends[:, 1] + 1e-12)
        assert chance[held].sum() >= 0.94, (up, down)


def test_a_difference_of_many_is_nearly_normal() -> None:
    """100 up and 140 down of 4,000."""
    low, high = flips(100, 140, 4_000)
    error = ((240 / 4_000 - 0.01**2) / 4_000) ** 0.5
    assert (low, high) == pytest.approx((-0.01 - 1.96 * error, -0.01 + 1.96 * error), abs=0.0006)


def test_the_other_way_round_is_the_mirror_image() -> None:
    low, high = flips(3, 9, 50)
    assert flips(9, 3, 50) == pytest.approx((-high, -low))


CREDITS = {
    "thirds": ([0, 1 / 3, 2 / 3, 1], [0.1, 0.2, 0.4, 0.3]),
    "halves": ([0, 0.5, 1], [0.3, 0.4, 0.3]),
    "nearly all": ([0, 0.5, 1], [0.02, 0.05, 0.93]),
    "best of four": ([0, 0.25, 0.5, 1], [0.3, 0.05, 0.1, 0.55]),
}


@pytest.mark.parametrize("n", [10, 100])
@pytest.mark.parametrize("name", CREDITS)
def test_credits_in_parts_are_covered_and_no_wider_than_they_must_be(name: str, n: int) -> None:
    """400 samples: of a coverage of 95%, fewer than 92.5% are seen once in 100. Held against the normal interval that
    knows the true variance: as wide as it for many examples."""
    values, chances = CREDITS[name]
    random = np.random.default_rng(7)
    truth = float(np.dot(values, chances))
    ideal = 2 * 1.96 * math.sqrt((np.dot(np.square(values), chances) - truth**2) / n)
    found = []
    for _ in range(400):
        credit = random.choice(values, n, p=chances)
        prompts = Prompts.of(["a"] * n, [str(row) for row in range(n)], credit[None])
        found.append(limits(prompts, [Fraction(1)], 0, 0.95))
    assert np.mean([low <= truth <= high for low, high in found]) >= 0.925
    assert np.mean([high - low for low, high in found]) / ideal <= (1.1 if n > 10 else 1.6)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(case: tuple[int, int]) -> None:
    right, n = case
    expected = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("right", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_proportion(right: int, n: int) -> None:
    with pytest.raises(ValueError, match="need 0 <= right <= n"):
        wilson(right, n)

"""The statistics of pairs, against scipy, statsmodels and plain enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from rmeval.eval.paired import (
    Pairs,
    Part,
    Sample,
    Subset,
    bootstrap,
    difference,
    holm,
    mcnemar,
    power,
    smallest_detectable,
    tails,
)


def singles(to_right: int, to_wrong: int, same: int) -> Pairs:
    """Examples with prompts of their own; every second of those that did not flip is right."""
    n = to_right + to_wrong + same
    both = [row % 2 == 0 for row in range(same)]
    baseline = [False] * to_right + [True] * to_wrong + both
    candidate = [True] * to_right + [False] * to_wrong + both
    return Pairs.of(baseline, candidate, [str(row) for row in range(n)])


def number(*weighted: tuple[float, Pairs], draws: int = 10_000) -> list[Part]:
    return [Part(weight, Subset.draw(pairs, f"subset {i}", draws)) for i, (weight, pairs) in enumerate(weighted)]


# --- pairs ------------------------------------------------------------------------------------------------------


def test_pairs_count_what_changed_by_prompt() -> None:
    #                 a: +1, -1     b: -1        c: -1, -1    d: nothing
    baseline = [False, True, True, True, True, True]
    candidate = [True, False, False, False, False, True]
    pairs = Pairs.of(baseline, candidate, ["a", "a", "b", "c", "c", "d"])
    kinds = sorted(zip(pairs.change, pairs.size, pairs.count, strict=True))
    assert kinds == [(-2, 2, 1), (-1, 1, 1), (0, 1, 1), (0, 2, 1)]
    assert (pairs.n, pairs.difference) == (6, -0.5)


@pytest.mark.parametrize(("baseline", "clusters"), [([], []), ([True], ["a", "b"])])
def test_pairs_refuse_what_are_none(baseline: list[bool], clusters: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no examples|not in boolean|shape|length"):
        Pairs.of(baseline, baseline, clusters)


def test_a_number_is_a_weighted_mean() -> None:
    parts = number((0.25, singles(3, 1, 6)), (0.75, singles(0, 2, 18)))
    assert difference(parts) == pytest.approx(0.25 * 0.2 - 0.75 * 0.1)


# --- McNemar's test ---------------------------------------------------------------------------------------------


@given(st.integers(0, 150), st.integers(0, 150))
def test_mcnemar_agrees_with_statsmodels_and_scipy(to_right: int, to_wrong: int) -> None:
    drop, rise = mcnemar(singles(to_right, to_wrong, 10))
    expected = statsmodels_mcnemar([[5, to_right], [to_wrong, 5]], exact=True).pvalue
    assert min(1.0, 2 * min(drop, rise)) == pytest.approx(expected, abs=1e-9)
    if to_right + to_wrong:
        tested = stats.binomtest(to_wrong, to_right + to_wrong, alternative="greater").pvalue
        assert drop == pytest.approx(tested, rel=1e-9)
        tested = stats.binomtest(to_right, to_right + to_wrong, alternative="greater").pvalue
        assert rise == pytest.approx(tested, rel=1e-9)


def test_mcnemar_of_many_flips_keeps_its_tail() -> None:
    assert mcnemar(singles(100, 900, 0))[0] == pytest.approx(stats.binom.sf(899, 1000, 0.5), rel=1e-9)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_flips_of_one_prompt_turn_together(changes: list[int]) -> None:
    """Enumerated: each prompt's change with either sign."""
    rows = [(change > 0, str(place)) for place, change in enumerate(changes) for _ in range(abs(change))]
    rows += [(True, "unchanged")]
    candidate = [up for up, _ in rows]
    baseline = [not up for up in candidate[:-1]] + [True]
    drop, rise = mcnemar(Pairs.of(baseline, candidate, [cluster for _, cluster in rows]))
    sums = [
        sum(s * c for s, c in zip(signs, changes, strict=True))
        for signs in itertools.product((1, -1), repeat=len(changes))
    ]
    assert drop == pytest.approx(np.mean([total <= sum(changes) for total in sums]), abs=1e-12)
    assert rise == pytest.approx(np.mean([total >= sum(changes) for total in sums]), abs=1e-12)


# --- the bootstrap ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("to_right", "to_wrong", "same"), [(30, 60, 910), (5, 12, 400), (0, 6, 300), (200, 180, 50)])
def test_the_bootstraps_p_is_mcnemars_mid_p(to_right: int, to_wrong: int, same: int) -> None:
    flips = to_right + to_wrong
    mid_p = stats.binom.sf(to_wrong, flips, 0.5) + 0.5 * stats.binom.pmf(to_wrong, flips, 0.5)
    draws = bootstrap(number((1.0, singles(to_right, to_wrong, same)), draws=200_000), "x")
    assert tails(draws)[0] == pytest.approx(mid_p, abs=0.004)


def test_the_bootstraps_interval_agrees_with_scipys() -> None:
    flips = np.repeat([1, -1, 0], [60, 110, 830])
    expected = stats.bootstrap((flips,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    found = np.quantile(bootstrap(number((1.0, singles(60, 110, 830)), draws=100_000), "x"), [0.025, 0.975])
    assert found == pytest.approx([expected.low, expected.high], abs=0.0007)  # Its width is 0.05.


def test_the_bootstrap_of_two_strata_agrees_with_scipys() -> None:
    one, other = np.repeat([1, -1, 0], [20, 30, 150]), np.repeat([1, -1, 0], [10, 40, 350])

    def weighted(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return 0.7 * x.mean(axis=axis) + 0.3 * y.mean(axis=axis)  # type: ignore[no-any-return]

    expected = stats.bootstrap((one, other), weighted, n_resamples=20_000, method="percentile", rng=1)
    parts = number((0.7, singles(20, 30, 150)), (0.3, singles(10, 40, 350)), draws=100_000)
    found = np.quantile(bootstrap(parts, "x"), [0.025, 0.975])
    assert found == pytest.approx(list(expected.confidence_interval), abs=0.0015)  # Its width is 0.10.


def test_prompts_that_flip_as_one_carry_as_much_as_one_example_each() -> None:
    clusters = [str(row // 3) for row in range(900)]
    flips = np.repeat(np.repeat([1, -1, 0], [20, 35, 245]), 3)
    baseline, candidate = flips == -1, flips == 1
    together = bootstrap(number((1.0, Pairs.of(list(baseline), list(candidate), clusters))), "x")
    few = bootstrap(number((1.0, singles(20, 35, 245))), "x")
    assert together.std() == pytest.approx(few.std(), rel=0.03)
    assert together.mean() == pytest.approx(few.mean(), abs=1e-9)


def test_a_pseudo_cluster_flips_as_the_clusters_do() -> None:
    """Two prompts of three examples, flipped whole, say no more than two examples: the interval is as wide."""
    flips = np.repeat([1, 0], [2, 98]).repeat(3)
    together = Pairs.of(list(flips == 1), [False] * 300, [str(row // 3) for row in range(300)])
    few = bootstrap(number((1.0, singles(0, 2, 98)), draws=50_000), "x")
    assert bootstrap(number((1.0, together), draws=50_000), "x").std() == pytest.approx(few.std(), rel=0.03)


@pytest.mark.parametrize("counts", [(3, 5, 4), (1, 2, 17)])
def test_the_spread_of_few_examples_is_not_too_small(counts: tuple[int, int, int]) -> None:
    """Dirichlet(b + 1, c + 1, rest), times what makes a variance unbiased: (n + 1) / (n - 1)."""
    right, wrong, same = counts
    covariance = stats.dirichlet([right + 1, wrong + 1, same]).cov()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    n = sum(counts)
    draws = bootstrap(number((1.0, singles(*counts)), draws=200_000), "x")
    assert draws.var() == pytest.approx(variance * (n + 1) / (n - 1), rel=0.02)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 40), st.floats(0.1, 1)), min_size=1, max_size=4
    )
)
@settings(max_examples=40, deadline=None)
def test_an_interval_is_no_point_and_holds_the_difference(rows: list[tuple[int, int, int, float]]) -> None:
    total = sum(weight for *_, weight in rows)
    parts = number(*((weight / total, singles(*counts)) for *counts, weight in rows), draws=2_000)
    low, high = np.quantile(bootstrap(parts, "x"), [0.025, 0.975])
    assert low < high
    assert -1 <= low <= difference(parts) <= high <= 1


def test_draws_depend_on_the_seed_alone() -> None:
    assert np.array_equal(
        bootstrap(number((1.0, singles(3, 4, 50))), "a"), bootstrap(number((1.0, singles(3, 4, 50))), "a")
    )
    assert not np.array_equal(
        bootstrap(number((1.0, singles(3, 4, 50))), "a"), bootstrap(number((1.0, singles(3, 4, 50))), "b")
    )


def test_tails_count_the_draws_on_the_other_side() -> None:
    draws = np.array([-0.3, -0.2, -0.1, 0.1])
    assert tails(draws) == (2 / 5, 4 / 5)
    assert tails(draws, -0.15) == (3 / 5, 3 / 5)
    assert tails(np.full(99, -1.0))[0] == 0.01  # Never 0.


# --- what the data could have shown -----------------------------------------------------------------------------


def exact_power(n: int, discordance: float, drop: float, alpha: float) -> float:
    """The power of McNemar's exact one-sided test: over all counts of flips, and of those to wrong."""
    flips = np.arange(n + 1)
    needed = stats.binom.isf(alpha, flips, 0.5) + 1  # The smallest count whose chance to be reached is at most alpha.
    to_wrong = (discordance + drop) / (2 * discordance)
    return float(stats.binom.pmf(flips, n, discordance) @ stats.binom.sf(needed - 1, flips, to_wrong))


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize(("n", "discordance"), [(3000, 0.06), (3000, 0.3), (400, 0.1), (150, 0.2), (60, 0.5)])
def test_the_smallest_detectable_drop_is_found_four_times_in_five(n: int, discordance: float, alpha: float) -> None:
    least = smallest_detectable(Sample(n, discordance), alpha)
    assert least is not None
    assert 0.78 <= exact_power(n, discordance, least, alpha) <= 0.88
    assert exact_power(n, discordance, 0.8 * least, alpha) < 0.75


@pytest.mark.parametrize("n", [100, 3000])
def test_where_nothing_flipped_a_drop_needs_a_handful_of_flips(n: int) -> None:
    least = smallest_detectable(Sample(n, 0.0), 0.05)
    assert least is not None
    assert 5 < least * n < 9  # Five flips the same way are the fewest with p below 5%.
    assert exact_power(n, least, least, 0.05) >= 0.8


@pytest.mark.parametrize(("n", "alpha"), [(1, 0.05), (4, 0.05), (6, 0.01)])
def test_a_handful_of_examples_can_show_nothing(n: int, alpha: float) -> None:
    assert smallest_detectable(Sample(n, 1.0), alpha) is None


def test_power_grows_with_the_drop() -> None:
    powers = [power(Sample(500, 0.1), drop, 0.05) for drop in np.linspace(0, 1, 50)]
    assert powers == sorted(powers)
    assert powers[0] <= 0.05
    assert powers[-1] == 1


def test_a_sample_of_one_subset_is_what_it_is() -> None:
    sample = Sample.of(number((1.0, singles(7, 9, 84))))
    assert [sample.size, sample.discordance] == pytest.approx([100, 0.16])


def test_a_sample_is_smaller_where_weights_differ_or_prompts_repeat() -> None:
    # By hand: 1 / (0.5² / 100 + 0.5² / 300) = 300; the flips' variance 0.25 (10 / 100² + 30 / 300²), times 300.
    sample = Sample.of(number((0.5, singles(5, 5, 90)), (0.5, singles(15, 15, 270))))
    assert [sample.size, sample.discordance] == pytest.approx([300, 0.1])
    twice = Pairs.of([True] * 100, [False] * 10 + [True] * 90, [str(row // 2) for row in range(100)])
    assert Sample.of(number((1.0, twice))).size == pytest.approx(50)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_holm_agrees_with_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]), abs=1e-12)


def test_holm_of_nothing() -> None:
    assert holm([]) == []

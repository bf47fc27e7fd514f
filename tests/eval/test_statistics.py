from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rmeval.eval.statistics import Clusters, bootstrap_subset, interval, weighted_mean, wilson


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(case: tuple[int, int]) -> None:
    right, n = case
    expected = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("right", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_proportion(right: int, n: int) -> None:
    with pytest.raises(ValueError, match="need 0 <= right <= n"):
        wilson(right, n)


def singles(right: int, n: int) -> Clusters:
    return Clusters.of([i < right for i in range(n)], [str(i) for i in range(n)])


@pytest.mark.parametrize(("right", "n"), [(90, 100), (50, 100), (3, 8)])
def test_unclustered_draws_are_jeffreys_shifted_to_the_observed_share(right: int, n: int) -> None:
    draws = bootstrap_subset("x", singles(right, n), seed=0, draws=200_000)
    beta = stats.beta(right + 0.5, n - right + 0.5)
    shift = right / n - beta.mean()
    wanted = beta.ppf([0.025, 0.25, 0.75, 0.975]) + shift
    assert np.quantile(draws, [0.025, 0.25, 0.75, 0.975]) == pytest.approx(wanted, abs=0.002)
    assert draws.mean() == pytest.approx(right / n, abs=1e-12)


def test_clusters_widen_the_interval_as_fewer_independent_prompts_would() -> None:
    # 25 prompts whose four examples always turn out alike carry as much as 25 examples.
    right = [i // 4 < 20 for i in range(100)]
    clustered = bootstrap_subset("x", Clusters.of(right, [str(i // 4) for i in range(100)]), 0, 100_000)
    few = bootstrap_subset("x", singles(20, 25), 0, 100_000)
    many = bootstrap_subset("x", singles(80, 100), 0, 100_000)
    assert clustered.std() == pytest.approx(few.std(), rel=0.02)
    assert clustered.std() > 1.9 * many.std()


def test_a_perfect_subset_has_an_interval() -> None:
    estimate = interval(1.0, bootstrap_subset("x", singles(100, 100), 0))
    assert estimate.high == 1.0
    assert 0.95 < estimate.low < 0.99


def test_draws_depend_on_seed_and_name_alone() -> None:
    draws = bootstrap_subset("x", singles(5, 10), 0)
    assert np.array_equal(draws, bootstrap_subset("x", singles(5, 10), 0))
    assert not np.array_equal(draws, bootstrap_subset("x", singles(5, 10), 1))
    assert not np.array_equal(draws, bootstrap_subset("y", singles(5, 10), 0))


def test_clusters_sum_by_name() -> None:
    clusters = Clusters.of([True, False, True], ["b", "a", "b"])
    assert clusters.right.tolist() == [2, 0]
    assert clusters.size.tolist() == [2, 1]


def test_weighted_mean_leaves_missing_parts_out_of_both_sums() -> None:
    assert weighted_mean({"a": 1.0, "b": 0.0, "c": 0.3}, {"a": 3, "b": 1, "missing": 100}) == 0.75
    assert weighted_mean({}, {"a": 1}) is None


@given(st.floats(0, 1), st.lists(st.floats(-0.5, 1.5), min_size=2, max_size=20))
def test_an_interval_holds_its_point_within_zero_and_one(point: float, draws: list[float]) -> None:
    estimate = interval(point, np.array(draws))
    assert 0 <= estimate.low <= estimate.accuracy <= estimate.high <= 1

"""Exact tests of no change, against scipy, statsmodels and plain enumeration."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from rmeval.eval.numbers.significance import paired
from rmeval.eval.numbers.significance.paired import mcnemar, sign_flip


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_agrees_with_statsmodels_and_scipy(to_right: int, to_wrong: int) -> None:
    drop, rise = mcnemar(to_right, to_wrong)
    expected = statsmodels_mcnemar([[5, to_right], [to_wrong, 5]], exact=True).pvalue
    assert min(1.0, 2 * min(drop, rise)) == pytest.approx(expected, abs=1e-12)
    if to_right + to_wrong:
        for found, flips in ((drop, to_wrong), (rise, to_right)):
            tested = stats.binomtest(flips, to_right + to_wrong, alternative="greater").pvalue
            assert found == pytest.approx(tested, abs=1e-12)


def test_nothing_flipped() -> None:
    assert mcnemar(0, 0) == sign_flip({}) == sign_flip({Fraction(0): 7}) == (1.0, 1.0)


CHANGES = st.lists(st.fractions(-2, 2, max_denominator=12), min_size=1, max_size=9)


def enumerated(changes: list[Fraction], slack: Fraction = Fraction(0)) -> tuple[float, float]:
    """Each change with either sign; sums that fall short of the observed one by up to ``slack`` count as well."""
    sums = [
        sum(sign * change for sign, change in zip(each, changes, strict=True))
        for each in itertools.product((1, -1), repeat=len(changes))
    ]
    observed = sum(changes)
    drop, rise = ([each <= observed + slack for each in sums], [each >= observed - slack for each in sums])
    return float(np.mean(drop)), float(np.mean(rise))


@given(CHANGES)
@settings(max_examples=60, deadline=None)
def test_sign_flips_agree_with_enumeration(changes: list[Fraction]) -> None:
    assert sign_flip(Counter(changes)) == pytest.approx(enumerated(changes), abs=1e-12)


@given(st.lists(st.integers(-40, 40), min_size=2, max_size=9))
@settings(max_examples=40, deadline=None)
def test_sign_flips_agree_with_scipys_permutation_test(changes: list[int]) -> None:
    """Whole numbers: scipy compares floats, and would call sums different that are the same."""
    found = sign_flip(Counter(Fraction(each) for each in changes))
    for own, alternative in zip(found, ("less", "greater"), strict=True):
        tested = stats.permutation_test(
            (np.array(changes),), np.sum, permutation_type="samples", alternative=alternative, n_resamples=np.inf
        )
        assert own == pytest.approx(tested.pvalue, abs=1e-12)


@given(CHANGES)
@example([Fraction(2), Fraction(3, 2), Fraction(3, 4), *(Fraction(1, n) for n in (5, 7, 9, 11))])  # Once went round.
@settings(max_examples=60, deadline=None)
def test_the_grid_is_never_below_what_is_exact(changes: list[Fraction]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paired, "_SUMS", 0)
        found = sign_flip(Counter(changes))
    # 256 places a change over all sums: rounding moves a sum by 1/255 of their reach at most. So few changes are
    # enumerated in truth; of these, one sum more is worth up to 1/2.
    most = enumerated(changes, sum(map(abs, changes), Fraction(0)) / 255)
    for grid, exact, upper in zip(found, enumerated(changes), most, strict=True):
        assert exact - 1e-12 <= grid <= upper + 1e-12


def test_the_grid_of_many_changes_agrees_with_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four weights that have no common measure below a hundred thousandth, 15 to 40 changes each."""
    counts = {358: (7, 11), 456: (16, 24), 740: (9, 6), 1431: (20, 14)}
    changes = {
        Fraction(sign, 4 * n): each for n, own in counts.items() for sign, each in zip((1, -1), own, strict=True)
    }
    monkeypatch.setattr(paired, "_SUMS", 10**7)
    exact = sign_flip(changes)
    monkeypatch.setattr(paired, "_SUMS", 0)
    for grid, own in zip(sign_flip(changes), exact, strict=True):
        assert own <= grid <= own + 1e-3


def test_many_flips_of_two_sizes_are_nearly_normal() -> None:
    changes = {Fraction(1, 3): 1_100, Fraction(-1, 3): 1_200, Fraction(1, 7): 800, Fraction(-1, 7): 700}
    total = float(sum(change * count for change, count in changes.items()))
    spread = float(sum(change**2 * count for change, count in changes.items())) ** 0.5
    assert sign_flip(changes)[0] == pytest.approx(stats.norm.cdf(total / spread), abs=0.003)


@given(st.lists(st.floats(-1, 1).filter(bool), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_any_weights_do(changes: list[float]) -> None:
    """Floats are fractions with huge denominators; the two tails hold the observed sum both."""
    drop, rise = sign_flip(Counter(map(Fraction, changes)))
    assert drop + rise + 1e-9 >= 1
    assert 0 < drop <= 1
    assert 0 < rise <= 1

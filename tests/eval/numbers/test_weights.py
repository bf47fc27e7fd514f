"""What a weight table makes of subsets, by hand."""

from __future__ import annotations

from fractions import Fraction

from rmeval.eval.numbers.weights import overall_mean, shares, weighted_mean
from rmeval.eval.suites.base import Section, Suite

TABLE = {"one": Section(1, {"a": 3, "b": 1, "gone": 9}), "two": Section(3, {"c": 1}), "empty": Section(5, {"gone": 1})}
SUITE = Suite("s", "S", "s", weights={"t": TABLE})


def test_weighted_mean_leaves_missing_parts_out_of_both_sums() -> None:
    assert weighted_mean({"a": 1.0, "b": 0.0, "c": 0.3}, {"a": 3, "b": 1, "missing": 100}) == 0.75
    assert weighted_mean({}, {"a": 1}) is None


def test_each_subsets_part_by_hand() -> None:
    """Of section one a has 3/4 and b 1/4; the section itself counts 1/4, for that without rows has no say."""
    sections, overall = shares(SUITE, "t", {"a": 10, "b": 10, "c": 10})
    assert sections == {"one": {"a": Fraction(3, 4), "b": Fraction(1, 4)}, "two": {"c": 1}}
    assert overall == {"a": Fraction(3, 16), "b": Fraction(1, 16), "c": Fraction(3, 4)}


def test_the_mean_is_the_sum_of_the_parts() -> None:
    accuracy = {"a": 0.5, "b": 1.0, "c": 0.25}
    sizes = dict.fromkeys(accuracy, 10.0)
    _, overall = shares(SUITE, "t", sizes)
    by_parts = sum(float(part) * accuracy[name] for name, part in overall.items())
    assert overall_mean(SUITE, TABLE, accuracy, sizes) == by_parts == 0.34375
    assert overall_mean(SUITE, TABLE, {"gone": 1.0}, {"gone": 1.0}) == 1.0
    assert overall_mean(SUITE, TABLE, {}, {}) is None


def test_without_a_table_each_example_counts_alike() -> None:
    plain = Suite("p", "P", "p")
    assert shares(plain, None, {"a": 3, "b": 1}) == ({}, {"a": Fraction(3, 4), "b": Fraction(1, 4)})
    assert overall_mean(plain, {}, {"a": 1.0, "b": 0.0}, {"a": 3, "b": 1}) == 0.75

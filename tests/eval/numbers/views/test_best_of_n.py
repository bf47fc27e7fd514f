"""Best of n against all subsets of the answers, counted one by one; and by hand."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval import evaluate
from rmeval.eval.numbers.metrics import compute_results
from rmeval.eval.numbers.views.best_of_n import BestOfN, best_of_n, picked
from rmeval.eval.suites import get_suite
from rmeval.records import scored_examples
from rmeval.types import ScoredExample

PAIRS, REWARDBENCH2 = get_suite("pairs"), get_suite("rewardbench2")


def counted(right: list[float], wrong: list[float], n: int) -> Fraction:
    """Every subset of n answers, one after the other; of k with the highest score each gets 1/k."""
    answers = [(score, True) for score in right] + [(score, False) for score in wrong]
    shares = []
    for drawn in combinations(answers, n):
        best = [is_right for score, is_right in drawn if score == max(score for score, _ in drawn)]
        shares.append(Fraction(sum(best), len(best)))
    return sum(shares, Fraction(0)) / len(shares)


SCORES = st.lists(st.sampled_from([-1.5, 0.0, 0.25, 1.0, 3.0]), min_size=1, max_size=5)


@settings(max_examples=200, deadline=None)
@given(SCORES, SCORES)
def test_all_subsets_are_counted(right: list[float], wrong: list[float]) -> None:
    for n in range(1, len(right) + len(wrong) + 1):
        assert picked(right, wrong, n) == pytest.approx(float(counted(right, wrong, n)), abs=1e-12)


@pytest.mark.parametrize(
    ("right", "wrong", "n", "expected"),
    [
        ([2], [1, 0], 2, 2 / 3),  # Of {2,1}, {2,0}, {1,0} two hold the right one, and it wins.
        ([1], [1, 1], 3, 1 / 3),
        ([1], [1, 1], 2, 1 / 3),  # In two of three subsets, half of the pick.
        ([1, 1], [1, 0], 2, 2 / 3),  # 1 of both right ones, ½ and 1 of each with a wrong one, 0 of both wrong ones.
        ([0], [1, 1], 3, 0.0),
        ([5, 4], [3], 1, 2 / 3),
    ],
)
def test_by_hand(right: list[float], wrong: list[float], n: int, expected: float) -> None:
    assert picked(right, wrong, n) == pytest.approx(expected, abs=1e-15)


def test_rm_at_8_of_64_by_the_ranks() -> None:
    """Without ties the pick of 8 out of 64 is the answer of rank i (0 the lowest) in C(i, 7) of C(64, 8) subsets."""
    source = np.random.default_rng(0)
    scores = source.permutation(64).astype(float)
    is_right = source.random(64) < 0.4
    expected = sum(Fraction(math.comb(int(rank), 7), math.comb(64, 8)) for rank in scores[is_right])
    assert picked(scores[is_right].tolist(), scores[~is_right].tolist(), 8) == pytest.approx(float(expected), abs=1e-12)
    # What the benchmark samples comes near it.
    draws = [source.choice(64, 8, replace=False) for _ in range(4000)]
    sampled = np.mean([is_right[each[scores[each].argmax()]] for each in draws])
    assert sampled == pytest.approx(float(expected), abs=4 * 0.5 / 4000**0.5)


def example(name: str, right: list[float], wrong: list[float], **more: Any) -> ScoredExample:
    fields = {"subset": "all", "prompt_hash": name, **more}
    return ScoredExample(
        name, chosen=tuple(right), rejected=tuple(wrong), chosen_chars=(1,) * len(right),
        rejected_chars=(1,) * len(wrong), **fields,
    )  # fmt: skip


def curve(*examples: ScoredExample) -> dict[int, BestOfN]:
    return {point.n: point for point in best_of_n(PAIRS, None, examples)}


def test_the_curve_by_hand() -> None:
    """One right of four above all, one right of three below all: 1 and 1/3, 0 and 1/3."""
    found = curve(example("a", [9], [1, 2, 3]), example("b", [0], [1, 2]))
    assert list(found) == [1, 2, 3, 4]
    assert [found[n].examples for n in found] == [2, 2, 2, 1]
    assert [found[n].accuracy for n in found] == pytest.approx(
        [(1 / 4 + 1 / 3) / 2, (1 / 2 + 0) / 2, (3 / 4 + 0) / 2, 1]
    )
    assert [found[n].random for n in found] == pytest.approx([7 / 24, 7 / 24, 7 / 24, 1 / 4])
    assert [found[n].oracle for n in found] == pytest.approx([7 / 24, (1 / 2 + 2 / 3) / 2, (3 / 4 + 1) / 2, 1])
    assert all(point.low < point.accuracy <= point.high for point in found.values())


def test_what_cannot_be_picked_from() -> None:
    """An invalid example is left out; an unparsed one is right only where no wrong answer is drawn."""
    good = example("a", [9], [1, 2])
    assert curve(good, example("b", [math.nan], [1, 2]), example("c", [1], [math.inf, 2])) == curve(good)
    found = curve(example("d", [9], [1, 2], unparsed=True), example("e", [9, 8], [1], unparsed=True))
    assert found[2].accuracy == pytest.approx((0 + 1 / 3) / 2)
    assert found[3].accuracy == 0
    assert found[1].accuracy == found[1].random == 0.5


def test_pairs_have_no_curve() -> None:
    assert best_of_n(PAIRS, None, [example("a", [1], [0])]) == ()
    assert best_of_n(PAIRS, None, [example("a", [math.nan], [0, 1])]) == ()
    assert best_of_n(PAIRS, None, []) == ()


@pytest.mark.parametrize(
    ("answers", "sizes"),
    [(3, [1, 2, 3]), (10, [*range(1, 9), 10]), (32, [*range(1, 9), 16, 32]), (64, [*range(1, 9), 16, 32, 64])],
)
def test_which_n_have_a_point(answers: int, sizes: list[int]) -> None:
    assert list(curve(example("a", [0.5], list(map(float, range(answers - 1)))))) == sizes


def test_the_most_usual_number_of_answers_has_a_point() -> None:
    usual = [example(f"{place}", [1.0], [0.0] * 9) for place in range(3)]
    assert list(curve(*usual, example("most", [1.0], [0.0] * 19))) == [*range(1, 9), 10, 16, 20]


def test_prompts_that_repeat_make_the_interval_wider() -> None:
    apart = [example(f"{i}", [9 * (i % 2)], [1, 2, 3]) for i in range(40)]
    together = [example(f"{i}", [9 * (i % 2)], [1, 2, 3], prompt_hash=f"{i % 10}") for i in range(40)]
    first, second = curve(*apart)[4], curve(*together)[4]
    assert first.accuracy == second.accuracy == 0.5
    assert second.high - second.low > 1.3 * (first.high - first.low)


def test_subsets_weigh_what_they_weigh_in_the_overall_number() -> None:
    """Best of four at n = 4: RewardBench 2's own credits, ties among them, so that its numbers come out."""
    source = np.random.default_rng(1)
    scored = [
        example(f"{name} {i}", source.integers(0, 4, 1).tolist(), source.integers(0, 4, 3).tolist(), subset=name)
        for name, count in (("Math", 30), ("Focus", 7), ("Safety", 12))
        for i in range(count)
    ]
    own = compute_results(REWARDBENCH2, "equal", scored).overall
    last = best_of_n(REWARDBENCH2, "equal", scored)[-1]
    assert own is not None
    assert (last.n, last.examples) == (4, 49)
    assert (last.accuracy, last.low, last.high) == pytest.approx((own.accuracy, own.low, own.high))
    assert last.random == pytest.approx(0.25)


@pytest.mark.parametrize("line", ["longest", "random"])
def test_real_problems_with_ten_answers(line: str, shared_data: Path) -> None:
    """RewardMATH's: one right answer and nine wrong ones; every subset of the scores in the run's table is counted."""
    steps = json.loads((shared_data / "suites" / "rewardmath-two-problems.json").read_text())
    rows: dict[str, dict[str, Any]] = {}
    for each in steps:
        row = rows.setdefault(each["problem"], {"prompt": each["problem"], "chosen": [], "rejected": []})
        row[each["solution_type"]].append("\n".join(each["eval_solution"]))
    assert [(len(row["chosen"]), len(row["rejected"])) for row in rows.values()] == [(1, 9)] * 2
    run = evaluate(f"baseline:{line}", "pairs", dataset=list(rows.values()))
    scores = [run.scores.score[start : start + 10].tolist() for start in (0, 10)]
    found = best_of_n(PAIRS, None, scored_examples(run))
    assert [point.n for point in found] == [*range(1, 9), 10]
    for point in found:
        expected = sum(counted(own[:1], own[1:], point.n) for own in scores) / 2
        assert point.accuracy == pytest.approx(float(expected), abs=1e-12)
        assert (point.random, point.oracle) == pytest.approx((0.1, point.n / 10))

"""Accuracy by which answer is the longer one: groups by hand, and those of real rows recomputed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from scipy.stats import beta

from rmeval import RunRecord, evaluate
from rmeval.eval.numbers.views.lengths import LengthGroup, by_length, right_is
from rmeval.eval.suites import get_suite
from rmeval.records import scored_examples
from rmeval.types import ScoredExample

PAIRS = get_suite("pairs")


def example(
    right: tuple[int, ...], wrong: tuple[int, ...], margin: float = 1.0, prompt: str = "", unparsed: bool = False
) -> ScoredExample:
    name = prompt or f"{right} {wrong} {margin}"
    scores = (margin,) * len(right), (0.0,) * len(wrong)
    return ScoredExample(name, "all", name, *scores, right, wrong, unparsed=unparsed)


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ((100,), (90,), "similar"),  # A tenth of the longer one exactly.
        ((100,), (89,), "longer"),
        ((90,), (100,), "similar"),
        ((89,), (100,), "shorter"),
        ((0,), (0,), "similar"),
        ((0,), (1,), "shorter"),
        ((50, 100), (75,), "similar"),  # Means of 75 and 75, though neither right answer is like the wrong one.
        ((10, 20, 30), (19, 26), "shorter"),  # 20 and 22.5.
        ((10, 20, 30), (18, 19), "similar"),  # 20 and 18.5.
        ((7,), (1, 1, 17), "similar"),  # 7 and 19/3, two thirds apart: 0.7 is a tenth.
        ((7,), (1, 1, 16), "longer"),  # 7 and 6.
    ],
)
def test_what_the_right_answer_is(right: tuple[int, ...], wrong: tuple[int, ...], expected: str) -> None:
    assert right_is(example(right, wrong)) == expected


def test_groups_by_hand() -> None:
    """A tie has no credit, an unparsed verdict is wrong, an invalid example is in no group."""
    found = by_length(
        PAIRS,
        [
            example((9,), (1,), 1.0, "a"),
            example((9,), (1,), -1.0, "b"),
            example((9,), (1,), 0.0, "c"),
            example((9,), (1,), 1.0, "d", unparsed=True),
            example((1,), (9,), 1.0, "e"),
            example((1,), (9,), math.nan, "f"),
        ],
    )
    assert list(found) == ["shorter", "similar", "longer"]
    assert (found["longer"].n, found["longer"].accuracy) == (4, 0.25)
    # One of four: Clopper and Pearson, of prompts that do not repeat.
    low, high = beta.ppf(0.025, 1, 4), beta.ppf(0.975, 2, 3)
    assert (found["longer"].low, found["longer"].high) == pytest.approx((low, high))
    assert (found["shorter"].n, found["shorter"].accuracy) == (1, 1.0)
    assert found["similar"] == LengthGroup(0, None, None, None)


def test_prompts_that_repeat_make_the_interval_wider() -> None:
    apart = by_length(PAIRS, [example((9,), (1,), (-1) ** (i // 4), f"{i}") for i in range(40)])["longer"]
    together = by_length(PAIRS, [example((9,), (1,), (-1) ** (i // 4), f"{i // 4}") for i in range(40)])["longer"]
    assert apart.accuracy == together.accuracy == 0.5
    assert None not in (apart.low, apart.high, together.low, together.high)
    assert together.high - together.low > 1.3 * (apart.high - apart.low)  # type: ignore[operator]


def groups(run: RunRecord, suite: str) -> dict[str, tuple[int, float | None]]:
    found = by_length(get_suite(suite), scored_examples(run))
    return {name: (each.n, each.accuracy) for name, each in found.items()}


@pytest.mark.parametrize(("line", "longer"), [("longest", 1.0), ("shortest", 0.0)])
def test_a_model_that_goes_by_length_alone(line: str, longer: float) -> None:
    found = groups(evaluate(f"baseline:{line}", "mini"), "mini")
    assert sum(n for n, _ in found.values()) == 256
    assert found["longer"][1] == longer
    assert found["shorter"][1] == 1 - longer


def test_real_rows(shared_data: Path) -> None:
    """RM-Bench's pairs, recomputed from the run's tables as pandas has them."""
    run = evaluate("baseline:random", "rm-bench", dataset=str(shared_data / "suites" / "rm-bench-chat.json"))
    scores = run.scores.pivot(index="example_id", columns="role", values="score")
    right = (scores.chosen > scores.rejected).reindex(run.examples.example_id).to_numpy()
    chosen, rejected = (run.examples.completion_chars.str[place].to_numpy() for place in (0, 1))
    near = abs(chosen - rejected) <= 0.1 * chosen.clip(min=rejected)
    for name, own in (
        ("similar", near),
        ("longer", ~near & (chosen > rejected)),
        ("shorter", ~near & (chosen < rejected)),
    ):
        n, accuracy = groups(run, "rm-bench")[name]
        assert n == own.sum()
        assert accuracy == pytest.approx(right[own].mean())

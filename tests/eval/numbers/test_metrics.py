from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import example as also
from hypothesis import given
from hypothesis import strategies as st

from rmeval.eval.numbers.metrics import compute_results
from rmeval.eval.numbers.reference_lines import REFERENCE_LINES
from rmeval.eval.numbers.weights import weighted_mean
from rmeval.eval.suites import get_suite
from rmeval.eval.suites.credit_rules import all_beat_all
from rmeval.run_info import Results
from rmeval.types import ScoredExample

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("chosen", "rejected", "kind", "margin"),
    [
        ([2.0], [1.0], "right", 1.0),
        ([1.0], [2.0], "wrong", -1.0),
        ([1.0], [1.0], "tie", 0.0),
        ([0.0], [-0.0], "tie", 0.0),
        ([2.0, 5.0], [1.0, 0.5], "right", 1.0),
        ([2.0, 5.0], [3.0, 0.5], "wrong", -1.0),
        ([2.0, 5.0], [2.0, 0.5], "tie", 0.0),
        ([NAN], [1.0], "invalid", NAN),
        ([1.0], [INF], "invalid", NAN),
        ([-INF], [1.0], "invalid", NAN),
    ],
)
def test_outcome(chosen: list[float], rejected: list[float], kind: str, margin: float) -> None:
    judged = all_beat_all(chosen, rejected)
    assert judged.kind == kind
    assert judged.margin == pytest.approx(margin, nan_ok=True)


def example(
    name: str, subset: str, chosen: float, rejected: float, *, chars: tuple[int, int] = (1, 1), cut: bool = False
) -> ScoredExample:
    return ScoredExample(name, subset, name, (chosen,), (rejected,), (chars[0],), (chars[1],), cut)


def test_results_worked_out_by_hand() -> None:
    """Two subsets of Chat and one of Safety; weights 100 and 95 in Chat."""
    scored = [
        example("a", "alpacaeval-easy", 1, 0, chars=(5, 3)),
        example("b", "alpacaeval-easy", 0, 1, chars=(3, 5), cut=True),
        example("c", "alpacaeval-length", 1, 0, chars=(3, 5)),
        example("d", "alpacaeval-length", 2, 2, chars=(3, 3)),
        example("e", "alpacaeval-length", NAN, 2, chars=(9, 3)),
        example("f", "donotanswer", 3, 1, chars=(1, 2)),
        example("g", "of-my-own", 0, 1),
    ]
    results = compute_results(get_suite("rewardbench"), "today", scored)
    length = results.subsets["alpacaeval-length"]
    assert (length.n, length.right, length.ties, length.invalid, length.expected) == (2, 1, 1, 1, 95)
    assert (length.accuracy, length.mean_margin) == (0.5, 0.5)
    assert results.subsets["alpacaeval-easy"].truncated == 1
    assert results.subsets["of-my-own"].accuracy == 0
    assert results.sections.keys() == {"Chat", "Safety"}
    assert results.sections["Chat"].accuracy == pytest.approx((0.5 * 100 + 0.5 * 95) / 195)
    assert results.overall is not None
    assert results.overall.accuracy == pytest.approx((0.5 + 1) / 2)
    longest = results.reference_lines["longest"]
    assert longest.subsets["alpacaeval-easy"] == 0.5
    assert longest.subsets["alpacaeval-length"] == pytest.approx(1 / 3)
    assert longest.sections["Chat"] == pytest.approx((0.5 * 100 + 95 / 3) / 195)


def test_a_subset_without_valid_scores_has_no_accuracy_and_no_part_in_its_section() -> None:
    scored = [example("a", "alpacaeval-easy", NAN, 0), example("b", "alpacaeval-hard", 1, 0)]
    results = compute_results(get_suite("rewardbench"), "today", scored)
    assert results.subsets["alpacaeval-easy"].accuracy is None
    assert results.subsets["alpacaeval-easy"].n == 0
    assert results.sections["Chat"].accuracy == 1.0


def test_no_known_subset_no_overall_number() -> None:
    results = compute_results(get_suite("rewardbench"), "today", [example("a", "of-my-own", 1, 0)])
    assert results.overall is None
    assert results.sections == {}


def test_pairs_count_every_example_alike() -> None:
    scored = [example("a", "x", 1, 0), example("b", "y", 0, 1), example("c", "y", 0, 1), example("d", "y", 1, 0)]
    overall = compute_results(get_suite("pairs"), None, scored).overall
    assert overall is not None
    assert overall.accuracy == 0.5
    assert overall.low < 0.5 < overall.high


@also([("x", 0.0, 1.7976931348623157e308)] * 3)  # Their sum is beyond what a float can hold, on the way.
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.floats(), st.floats()), min_size=1, max_size=40))
def test_outcomes_add_up_whatever_the_scores(rows: list[tuple[str, float, float]]) -> None:
    scored = [example(str(i), subset, c, r) for i, (subset, c, r) in enumerate(rows)]
    results = compute_results(get_suite("pairs"), None, scored)
    assert sum(item.n + item.invalid for item in results.subsets.values()) == len(rows)
    for item in results.subsets.values():
        assert item.right + item.ties <= item.n
        if item.accuracy is not None and item.low is not None and item.high is not None:
            assert 0 <= item.low <= item.accuracy <= item.high <= 1


def published(shared_data: Path, *names: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for name in names:
        content = json.loads((shared_data / "reference-results" / name).read_text())
        values |= {key: value for key, value in content.items() if isinstance(value, float)}
    return values


def recomputed(values: dict[str, float], weights: str) -> tuple[dict[str, float], float]:
    table = get_suite("rewardbench").sections(weights)
    sections = {name: weighted_mean(values, section.subsets) for name, section in table.items()}
    present = {name: value for name, value in sections.items() if value is not None}
    overall = weighted_mean(present, {name: table[name].weight for name in present})
    assert overall is not None
    return {name: round(100 * value, 2) for name, value in present.items()}, 100 * overall


def test_published_rm_mistral_7b_of_may_2024(shared_data: Path) -> None:
    values = published(shared_data, "RM-Mistral-7B.eval-set.30dd245.json", "RM-Mistral-7B.pref-sets.a1950b3.json")
    sections, overall = recomputed(values, "2024-05")
    assert sections == {"Chat": 96.93, "Chat Hard": 58.11, "Safety": 87.14, "Reasoning": 76.99, "Prior Sets": 75.3}
    assert round(overall, 1) == 79.3
    assert recomputed(values, "today")[0]["Safety"] == 86.35


def test_published_rm_mistral_7b_of_today(shared_data: Path) -> None:
    sections, overall = recomputed(published(shared_data, "RM-Mistral-7B.eval-set.3345ba1.json"), "today")
    assert sections == {"Chat": 96.65, "Chat Hard": 60.53, "Safety": 87.03, "Reasoning": 77.36}
    assert round(overall, 2) == 80.39


def test_published_tulu_needs_the_old_weights(shared_data: Path) -> None:
    values = published(shared_data, "tulu-2-dpo-13b.eval-set.78a0802.json")
    assert recomputed(values, "2024-05")[0]["Safety"] == 78.16


def from_accuracies(values: dict[str, float]) -> Results:
    """Build example-level scores that have these accuracies, and compute the results from those."""
    suite = get_suite("rewardbench")
    scored = []
    for subset, n in suite.expected.items():
        right = round(values[subset] * n)
        scored += [example(f"{subset}/{i}", subset, float(i < right), 0.5) for i in range(n)]
    return compute_results(suite, "2024-05", scored)


def test_the_published_sections_come_out_of_example_scores_too(shared_data: Path) -> None:
    results = from_accuracies(published(shared_data, "RM-Mistral-7B.eval-set.30dd245.json"))
    assert round(100 * results.sections["Safety"].accuracy, 2) == 87.14
    assert round(100 * results.sections["Reasoning"].accuracy, 2) == 76.99
    assert results.overall is not None
    assert results.overall.low < results.overall.accuracy < results.overall.high


def test_rulers_are_what_the_table_says() -> None:
    assert REFERENCE_LINES["longest"](0, "a", 0, 7) == 7
    assert REFERENCE_LINES["shortest"](0, "a", 0, 7) == -7
    # By hand: printf '0\037a\0371' | sha256sum | cut -c1-16
    assert REFERENCE_LINES["random"](0, "a", 1, 7) == 0x474004334C6ECB7A / 2**64

"""Statistics of a mixture, collected pair by pair."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data_prep.output.statistics import DIFFERENCE_EDGES, GAP_EDGES, LENGTH_EDGES, StatisticsBuilder, preview
from rmeval.data_prep.output.statistics_schema import PREVIEW_CHARS, PairStatistics, Preview
from rmeval.types import Message


def named(name: str) -> Callable[[], Preview]:
    return lambda: preview((Message("user", name),), (Message("assistant", "c"),), (Message("assistant", "r"),))


def built(pairs: list[tuple[int, int, int]], *, seed: int = 0, split: str = "train") -> PairStatistics:
    builder = StatisticsBuilder(seed)
    for place, (prompt, chosen, rejected) in enumerate(pairs):
        builder.add("a", split, prompt, chosen, rejected, None, None, named(str(place)))
    return builder.to_json()


def test_three_pairs_by_hand() -> None:
    (source,) = built([(9, 200, 100), (10, 50, 60), (11, 7, 7)])["sources"]
    assert (source["train"], source["test"], source["share"]) == (3, 0, 1.0)
    assert (source["longer_chosen"], source["shorter_chosen"], source["equal_length"]) == (1, 1, 1)
    prompt = source["prompt_chars"]
    assert (prompt["total"], prompt["sum"]) == (3, 30)
    assert prompt["counts"][:2] == [1, 2]  # 9 is below the first edge, 10; the others are between 10 and 12.
    difference = source["difference_chars"]
    assert difference["sum"] == 90
    found = {
        (difference["edges"][place - 1], difference["edges"][place]): number
        for place, number in enumerate(difference["counts"])
        if number
    }
    assert found == {(99.5, 159.5): 1, (-15.5, -9.5): 1, (-0.5, 0.5): 1}
    assert source["score_gap"]["total"] == 0


def test_bins_of_differences_are_symmetric_and_hold_no_whole_number_on_an_edge() -> None:
    assert tuple(-edge for edge in reversed(DIFFERENCE_EDGES)) == DIFFERENCE_EDGES
    assert not any(float(edge).is_integer() for edge in DIFFERENCE_EDGES)
    for edges in (DIFFERENCE_EDGES, LENGTH_EDGES, GAP_EDGES):
        assert list(edges) == sorted(set(edges))


def test_shares_are_of_the_training_pairs() -> None:
    builder = StatisticsBuilder(0)
    for source, split, number in (("a", "train", 3), ("b", "train", 1), ("b", "test", 5)):
        for _ in range(number):
            builder.add(source, split, 1, 2, 1, None, None, named("x"))
    a, b = builder.to_json()["sources"]
    assert (a["name"], a["share"], b["share"]) == ("a", 0.75, 0.25)
    assert (b["train"], b["test"], b["longer_chosen"], b["chosen_chars"]["total"]) == (1, 5, 1, 1)


def test_only_test_pairs() -> None:
    (source,) = built([(1, 2, 3)], split="test")["sources"]
    assert (source["train"], source["test"], source["share"], source["examples"]) == (0, 1, 0.0, [])


def test_another_split_is_an_error() -> None:
    with pytest.raises(ValueError, match="'validation'"):
        built([(1, 2, 3)], split="validation")


@pytest.mark.parametrize("scores", [(None, 1.0), (1.0, None), (math.inf, 1.0), (math.nan, 1.0)])
def test_a_gap_needs_two_finite_scores(scores: tuple[float | None, float | None]) -> None:
    builder = StatisticsBuilder(0)
    builder.add("a", "train", 1, 1, 1, *scores, named("x"))
    builder.add("a", "train", 1, 1, 1, 4.0, 1.5, named("x"))
    gaps = builder.to_json()["sources"][0]["score_gap"]
    assert (gaps["total"], gaps["sum"]) == (1, 2.5)
    assert gaps["counts"][bisect_right(GAP_EDGES, 2.5)] == 1


def test_examples_are_drawn_by_seed_and_made_only_where_kept() -> None:
    made: list[int] = []

    def making(place: int) -> Callable[[], Preview]:
        def make() -> Preview:
            made.append(place)
            return named(str(place))()

        return make

    def run(seed: int) -> list[str]:
        builder = StatisticsBuilder(seed, examples_per_source=3)
        made.clear()
        for place in range(1_000):
            builder.add("a", "train", 1, 1, 1, None, None, making(place))
        return [each["prompt"][0]["content"] for each in builder.to_json()["sources"][0]["examples"]]

    first = run(1)
    hashes = {place: sha256(f"1\x1fa\x1f{place}".encode()).digest()[:8] for place in range(1_000)}
    assert first == [str(place) for place in sorted(hashes, key=hashes.__getitem__)[:3]]
    assert len(made) < 60  # About 3 (1 + ln(1000 / 3)) = 20 of 1,000.
    assert run(1) == first
    assert run(2) != first


def test_fewer_pairs_than_examples_wanted() -> None:
    (source,) = built([(1, 1, 1)])["sources"]
    assert len(source["examples"]) == 1
    builder = StatisticsBuilder(0, examples_per_source=0)
    builder.add("a", "train", 1, 1, 1, None, None, named("x"))
    assert builder.to_json()["sources"][0]["examples"] == []


def test_sources_that_interleave_change_nothing_but_their_order() -> None:
    pairs = [(source, place) for place in range(50) for source in ("a", "b")]
    results = []
    for order in (pairs, sorted(pairs)):
        builder = StatisticsBuilder(5)
        for source, place in order:
            builder.add(source, "train", place, place * 2, place, None, None, named(f"{source}{place}"))
        results.append({each["name"]: each for each in builder.to_json()["sources"]})
    assert results[0] == results[1]


def test_a_preview_is_cut_and_says_how_long_the_text_was() -> None:
    found = preview((Message("user", "x" * (PREVIEW_CHARS + 5)),), (), (), math.nan, 2.0)
    assert found["prompt"] == [{"role": "user", "content": "x" * PREVIEW_CHARS, "chars": PREVIEW_CHARS + 5}]
    assert (found["chosen_score"], found["rejected_score"]) == (None, 2.0)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=40))
def test_nothing_is_lost(pairs: list[tuple[int, int, int]]) -> None:
    found = json.loads(json.dumps(built(pairs), allow_nan=False))
    if not pairs:
        assert found["sources"] == []
        return
    (source,) = found["sources"]
    for key, values in {
        "prompt_chars": [p for p, _, _ in pairs],
        "difference_chars": [c - r for _, c, r in pairs],
    }.items():
        histogram = source[key]
        assert histogram["total"] == sum(histogram["counts"]) == len(pairs)
        assert histogram["sum"] == sum(values)
        assert len(histogram["counts"]) == len(histogram["edges"]) + 1
    assert source["longer_chosen"] == sum(c > r for _, c, r in pairs)
    assert source["longer_chosen"] + source["shorter_chosen"] + source["equal_length"] == len(pairs)

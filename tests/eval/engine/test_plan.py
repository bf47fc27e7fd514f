"""The planner loses no token, computes none twice within a pack, and depends on nothing but the set."""

from __future__ import annotations

import random
import resource
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.eval.engine.plan import Ids, Pack, Plan, make_plan

SEQUENCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=30)


def arrays(sequences: list[list[int]]) -> list[Ids]:
    return [np.array(ids, dtype=np.int32) for ids in sequences]


def packs(plan: Plan, budget: int, batch_size: int | None = None) -> list[tuple[int, Pack]]:
    found, first = [], 0
    while first < len(plan.lengths):
        last = plan.next_cut(first, budget, batch_size)
        found.append((first, plan.pack(first, last)))
        first = last
    return found


@given(SEQUENCES, st.integers(1, 60), st.booleans())
def test_every_sequence_is_the_path_of_its_segment(sequences: list[list[int]], budget: int, shared: bool) -> None:
    plan = make_plan(arrays(sequences), share_prefixes=shared)
    spelled: list[list[int]] = []
    for _, pack in packs(plan, budget):
        for segment in pack.segments:
            rows = [row for start, stop in segment.path for row in range(start, stop)]
            assert rows[-1] == segment.stop - 1
            assert pack.positions[rows].tolist() == list(range(len(rows)))
            spelled.append(pack.ids[rows].tolist())
        assert [s.start for s in pack.segments] == [0, *(s.stop for s in pack.segments[:-1])]
        assert pack.last_rows.tolist() == [s.stop - 1 for s in pack.segments]
    assert [spelled[place] for place in plan.source.tolist()] == sequences
    assert len(spelled) == len({tuple(ids) for ids in sequences})


@given(SEQUENCES)
def test_one_boundless_pack_computes_each_beginning_once(sequences: list[list[int]]) -> None:
    plan = make_plan(arrays(sequences), share_prefixes=True)
    beginnings = {tuple(ids[:length]) for ids in sequences for length in range(1, len(ids) + 1)}
    ((_, pack),) = packs(plan, 10**9)
    assert plan.distinct_tokens == len(pack.ids) == len(beginnings)
    assert plan.given_tokens == sum(map(len, sequences))


@given(SEQUENCES)
def test_a_row_sees_exactly_the_rows_before_it_in_a_sequence(sequences: list[list[int]]) -> None:
    """The rule that FlexAttention's mask is made of, against the paths that the loop over segments follows."""
    ((_, pack),) = packs(make_plan(arrays(sequences), share_prefixes=True), 10**9)
    rows = len(pack.ids)
    expected = np.zeros((rows, rows), dtype=bool)
    for segment in pack.segments:
        path = [row for start, stop in segment.path for row in range(start, stop)]
        for place, row in enumerate(path):
            expected[row, path[: place + 1]] = True
    query, key = np.indices((rows, rows))
    assert ((key <= query) & (query < pack.row_ends()[key])).tolist() == expected.tolist()


@given(SEQUENCES, st.randoms(use_true_random=False))
def test_the_order_given_does_not_matter(sequences: list[list[int]], chance: random.Random) -> None:
    shuffled = chance.sample(sequences, len(sequences))
    first, second = (packs(make_plan(arrays(some), share_prefixes=True), 20) for some in (sequences, shuffled))
    assert [pack.segments for _, pack in first] == [pack.segments for _, pack in second]
    assert [pack.ids.tolist() for _, pack in first] == [pack.ids.tolist() for _, pack in second]


@given(SEQUENCES, st.integers(1, 60), st.one_of(st.none(), st.integers(1, 5)), st.booleans())
def test_packs_keep_to_their_limits(sequences: list[list[int]], budget: int, size: int | None, shared: bool) -> None:
    plan = make_plan(arrays(sequences), share_prefixes=shared)
    for first, pack in packs(plan, budget, size):
        longest = int(plan.lengths[first : first + len(pack.segments)].max())
        if size is not None:
            assert len(pack.segments) <= size
        elif len(pack.segments) > 1:
            assert (len(pack.ids) if shared else longest * len(pack.segments)) <= budget


def test_padded_batches_begin_with_the_longest() -> None:
    plan = make_plan(arrays([[1], [1, 2, 3], [1, 2], [1, 2, 3]]), share_prefixes=False)
    assert plan.lengths.tolist() == [3, 2, 1]
    assert plan.source.tolist() == [2, 0, 1, 0]


def test_a_cut_prefers_the_place_where_little_is_shared() -> None:
    families = [[family] * 10 + [answer] for family in (1, 2, 3) for answer in (7, 8)]
    plan = make_plan(arrays(families), share_prefixes=True)
    assert [first for first, _ in packs(plan, 15)] == [0, 2, 4]


def test_six_pairs_of_four_answers_need_four_scores() -> None:
    answers = [[1, 2, 3, 10 + i] for i in range(4)]
    pairs = [answers[i] for a in range(4) for b in range(a + 1, 4) for i in (a, b)]
    plan = make_plan(arrays(pairs), share_prefixes=True)
    assert (len(pairs), len(plan.lengths)) == (12, 4)
    assert (plan.given_tokens, plan.distinct_tokens) == (48, 7)


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="sequence 1 has no token"):
        make_plan(arrays([[1], []]), share_prefixes=True)


@pytest.mark.alone
@pytest.mark.slow
def test_200_000_sequences_of_300_tokens_take_a_minute_and_two_gigabytes_at_most() -> None:
    generator = np.random.default_rng(0)
    prompts = generator.integers(0, 50_000, (50_000, 150), dtype=np.int32)
    sequences = [
        np.concatenate([prompts[i // 4], generator.integers(0, 50_000, 150, dtype=np.int32)]) for i in range(200_000)
    ]
    start = time.perf_counter()
    plan = make_plan(sequences, share_prefixes=True)
    rows = sum(len(pack.ids) for _, pack in packs(plan, 2048))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"planned {rows:,} rows in {seconds:.1f} s, peak {peak:.2f} GiB with the input", file=sys.stderr)
    assert seconds < 60
    assert peak < 2

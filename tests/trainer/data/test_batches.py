from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rmeval.errors import DataError
from rmeval.trainer.data.batches import PairBatches


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    devices, each, rounds = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    pairs = draw(st.integers(1, 80))
    assume(pairs >= devices)
    lengths = draw(st.lists(st.integers(1, 50), min_size=2 * pairs, max_size=2 * pairs))
    return {
        "lengths": np.array(lengths, dtype=np.int64).reshape(pairs, 2),
        "global_batch_size": devices * each * rounds,
        "batch_size": each,
        "devices": devices,
        "seed": draw(st.integers(0, 5)),
    }


@given(plan=plans(), epoch=st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_an_epoch_has_every_pair_once_and_every_device_as_many_batches(plan: dict[str, Any], epoch: int) -> None:
    batches = PairBatches(**plan)
    batches.set_epoch(epoch)
    found = list(batches)
    assert sorted(place for batch in found for place in batch) == list(range(len(plan["lengths"])))
    assert len(found) == len(batches)
    assert len(found) % plan["devices"] == 0
    assert all(found)
    assert max(map(len, found)) <= plan["batch_size"] + 1


@given(plan=plans(), epoch=st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_the_order_is_that_of_seed_and_epoch(plan: dict[str, Any], epoch: int) -> None:
    one, other = PairBatches(**plan), PairBatches(**plan)
    list(one)  # What was drawn before does not matter.
    one.set_epoch(epoch)
    other.set_epoch(epoch)
    assert list(one) == list(other)


@given(plan=plans())
@settings(max_examples=50, deadline=None)
def test_steps_are_whole_but_for_the_last(plan: dict[str, Any]) -> None:
    sizes = [sum(map(len, step)) for step in PairBatches(**plan).steps()]
    assert set(sizes[:-1]) <= {plan["global_batch_size"]}
    assert plan["devices"] <= sizes[-1] < plan["global_batch_size"] + plan["devices"]


def plan_of(devices: int, pairs: int = 100) -> PairBatches:
    lengths = np.random.default_rng(0).integers(1, 500, (pairs, 2))
    return PairBatches(lengths, global_batch_size=16, batch_size=2, devices=devices, seed=1)


def test_any_number_of_devices_makes_the_same_steps() -> None:
    one, two, four, eight = (
        [sorted(place for batch in step for place in batch) for step in plan_of(devices).steps()]
        for devices in (1, 2, 4, 8)
    )
    assert one == two == four
    # Four pairs are left over at the end, too few for eight devices: they join the step before.
    assert [len(step) for step in one] == [16] * 6 + [4]
    assert eight == [*one[:5], sorted(one[5] + one[6])]


def test_epochs_differ_and_so_do_seeds() -> None:
    batches = plan_of(1)
    first = list(batches)
    batches.set_epoch(1)
    assert list(batches) != first
    assert list(batches) != list(
        PairBatches(batches._cost[:, None], global_batch_size=16, batch_size=2, devices=1, seed=2)
    )


def test_a_step_is_a_random_draw_whatever_the_lengths() -> None:
    """Its mean length scatters as that of a random draw does; sorting beyond the step would make it scatter wider."""
    lengths = np.repeat(np.arange(1, 3201)[:, None], 2, axis=1)
    batches = PairBatches(lengths, global_batch_size=32, batch_size=4, devices=1, seed=0)
    means = [np.mean([lengths[place, 0] for batch in step for place in batch]) for step in batches.steps()]
    expected = lengths[:, 0].std() / np.sqrt(32)
    assert 0.7 * expected < np.std(means) < 1.3 * expected


def test_batches_within_a_step_go_from_long_to_short() -> None:
    batches = plan_of(2)
    for step in batches.steps():
        longest = [max(batches._cost[place] for place in batch) for batch in step]
        assert longest == sorted(longest, reverse=True)


def test_padded_tokens_are_those_of_the_batches_by_hand() -> None:
    # One step of two batches: the pairs that cost 9 and 8, then 3 and 1.
    lengths = np.array([[9, 2], [1, 1], [4, 8], [3, 3]])
    batches = PairBatches(lengths, global_batch_size=4, batch_size=2, devices=1, seed=0)
    assert batches.padded_tokens() == 2 * 2 * 9 + 2 * 2 * 3
    assert list(batches) == [[0, 2], [3, 1]]


def test_fewer_pairs_than_devices_are_refused() -> None:
    with pytest.raises(DataError, match="3 pairs cannot be shared among 4 devices"):
        PairBatches(np.ones((3, 2), dtype=np.int64), global_batch_size=4, batch_size=1, devices=4, seed=0)

"""The loop over segments against attention written out in float64, one sequence at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from rmeval.eval.engine.kernels import segments
from rmeval.eval.engine.kernels.layout import Layout, in_flight
from rmeval.eval.engine.plan import Pack, make_plan

HEADS, KEY_HEADS, SIZE, SCALE = 4, 2, 16, 0.2


class States(NamedTuple):
    query: Tensor
    key: Tensor
    value: Tensor


def pack_of(*shared: tuple[int, tuple[int, ...]]) -> Pack:
    """One pack of trees: a beginning of so many tokens, and what follows it in each sequence."""
    generator = np.random.default_rng(0)

    def draw(length: int) -> list[int]:
        return [int(token) for token in generator.integers(3, 5000, length)]

    rows = []
    for beginning, follow in shared:
        same = draw(beginning)
        rows += [np.array(same + draw(length), dtype=np.int32) for length in follow]
    plan = make_plan(rows, share_prefixes=True)
    return plan.pack(0, len(plan.lengths))


def states_of(pack: Pack) -> States:
    """Random states that bfloat16 holds exactly, in the strides that modelling code hands on."""
    torch.manual_seed(0)
    heads = (HEADS, KEY_HEADS, KEY_HEADS)
    drawn = [torch.randn(1, len(pack.ids), count, SIZE).bfloat16().float().transpose(1, 2) for count in heads]
    return States(drawn[0] * 4, drawn[1], drawn[2])


def layout_of(pack: Pack, *, low: bool) -> Layout:
    dtype = torch.bfloat16 if low else torch.float32
    with in_flight(pack, dtype=dtype, device=torch.device("cpu"), flex=False) as layout:
        return layout


def written_out(pack: Pack, states: States, window: int | None, softcap: float | None) -> Tensor:
    """Every query of every sequence by the definition, in float64."""
    query, key, value = (part[0].double() for part in states)
    result = torch.full((len(pack.ids), HEADS, SIZE), math.nan, dtype=torch.float64)
    for segment in pack.segments:
        rows = torch.tensor([row for start, stop in segment.path for row in range(start, stop)])
        for place in range(len(rows)):
            seen = rows[0 if window is None else max(0, place - window + 1) : place + 1]
            for head in range(HEADS):
                shared = head // (HEADS // KEY_HEADS)
                scores = key[shared, seen] @ query[head, rows[place]] * SCALE
                if softcap is not None:
                    scores = torch.tanh(scores / softcap) * softcap
                result[rows[place], head] = torch.softmax(scores, 0) @ value[shared, seen]
    return result


PACKS = {
    "one token": pack_of((1, (0,))),
    "trees": pack_of((9, (1, 40, 150)), (70, (64, 63, 1)), (0, (130, 5, 128))),
    "longer than the smallest mask": pack_of((1300, (30, 200))),
}


@pytest.mark.parametrize("window", [None, 1, 16, 100])
@pytest.mark.parametrize("name", PACKS)
def test_every_query_attends_to_its_own_past(name: str, window: int | None) -> None:
    pack = PACKS[name]
    states = states_of(pack)
    expected = written_out(pack, states, window, None)
    exact = segments.attend(layout_of(pack, low=False), *states, SCALE, window, None, False)
    assert exact.shape == (1, *expected.shape)
    assert torch.allclose(exact[0].double(), expected, rtol=0, atol=1e-5)
    rounded = states._replace(value=states.value.bfloat16())
    low = segments.attend(layout_of(pack, low=True), *rounded, SCALE, window, None, False)
    assert low.dtype == torch.bfloat16
    # Weights and result are rounded to 8 bits; a query that saw one key more or less would be off by far more.
    assert torch.allclose(low[0].double(), expected, rtol=0.01, atol=0.02)


@pytest.mark.parametrize("window", [None, 40])
@pytest.mark.parametrize("low", [False, True])
def test_only_the_last_rows(low: bool, window: int | None) -> None:
    pack = PACKS["trees"]
    states = states_of(pack)
    layout = layout_of(pack, low=low)
    whole = segments.attend(layout, *states, SCALE, window, None, False)
    last = segments.attend(layout, *states, SCALE, window, None, True)
    rows = pack.last_rows
    assert torch.allclose(last[0, rows].float(), whole[0, rows].float(), rtol=0.01, atol=0.01)
    others = np.setdiff1d(np.arange(len(pack.ids)), rows)
    assert last[0, others].abs().max() == 0


@pytest.mark.parametrize("low", [False, True])
def test_a_soft_cap(low: bool) -> None:
    """The fused kernel knows none: the cap is honoured by the other way, whatever was asked for."""
    pack = PACKS["trees"]
    states = states_of(pack)
    found = segments.attend(layout_of(pack, low=low), *states, SCALE, 16, 1.5, False)
    assert torch.allclose(found[0].double(), written_out(pack, states, 16, 1.5), rtol=0, atol=1e-5)
    assert not torch.allclose(found[0].double(), written_out(pack, states, 16, None), rtol=0, atol=1e-2)


@pytest.mark.parametrize("low", [False, True])
def test_what_is_not_a_number_stays_in_its_sequence(low: bool) -> None:
    pack = pack_of((0, (40, 70, 200)))
    states = states_of(pack)
    broken = pack.segments[1]
    for part in states:
        part[:, :, broken.start : broken.stop] = math.nan
    found = segments.attend(layout_of(pack, low=low), *states, SCALE, None, None, False)[0]
    mine = np.arange(broken.start, broken.stop)
    assert found[mine].isnan().all()
    assert found[np.setdiff1d(np.arange(len(pack.ids)), mine)].isfinite().all()


@pytest.mark.parametrize("low", [False, True])
def test_a_block_is_one_fused_kernel(low: bool) -> None:
    pack = PACKS["trees"]
    with torch.profiler.profile() as profile:
        segments.attend(layout_of(pack, low=low), *states_of(pack), SCALE, None, None, False)
    names = {event.key for event in profile.key_averages()}
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in names
    assert not names & {"aten::softmax", "aten::bmm"}

"""FlexAttention's masks, its few sizes, what is compiled for them, and when packs are not worth that."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rmeval.eval.engine.execute import execute
from rmeval.eval.engine.kernels import flex
from rmeval.eval.engine.kernels.flex import BLOCK, block_mask, kernels_made, padded_rows, pays
from rmeval.eval.engine.kernels.layout import in_flight
from rmeval.eval.engine.packed import PackedExecutor, Values
from rmeval.eval.engine.plain import PlainExecutor
from rmeval.eval.engine.plan import Ids, Pack, make_plan
from rmeval.eval.engine.precision import Precision, lower
from tests.eval.engine.test_packed import build, one_at_a_time, sequences, worst
from tests.eval.engine.test_ways import codes, encoded, engine


def longer() -> list[Ids]:
    """Sequences of more than 2,048 distinct tokens in all."""
    drawn = np.random.default_rng(1).integers(3, 260, (8, 300), dtype=np.int32)
    return [*sequences(), *drawn]


# --- sizes ------------------------------------------------------------------------------------------------------


@given(st.integers(1, 131_072))
def test_a_pack_attends_with_one_of_few_sizes_little_of_which_is_padding(rows: int) -> None:
    size = padded_rows(rows)
    assert size in (2048, 8192, 32768, 131072)
    assert size >= rows
    assert size == 2048 or (size - rows) / size < 0.75


def test_sizes_by_hand() -> None:
    assert [padded_rows(rows) for rows in (1, 2048, 2049, 8192, 8193, 32768, 32769)] == [
        *(2048, 2048, 8192, 8192, 32768, 32768, 131072)
    ]


# --- masks ------------------------------------------------------------------------------------------------------


def seen(pack: Pack, window: int | None, size: int) -> NDArray[np.bool_]:
    """Which row sees which, by the sequences themselves: each row what is before it in its sequence."""
    found = np.zeros((size, size), dtype=bool)
    for segment in pack.segments:
        path = np.concatenate([np.arange(start, stop) for start, stop in segment.path])
        for place, row in enumerate(path.tolist()):
            first = 0 if window is None else max(0, place - window + 1)
            found[row, path[first : place + 1]] = True
    return found


@pytest.mark.parametrize("window", [None, 16, 200])
@pytest.mark.parametrize("count", [5, 16, 24])
def test_blocks_hold_all_that_is_seen_and_whole_ones_nothing_hidden(count: int, window: int | None) -> None:
    plan = make_plan(longer()[:count], share_prefixes=True)
    pack = plan.pack(0, len(plan.lengths))
    size = 2048 if len(pack.ids) <= 2048 else 8192
    with in_flight(pack, dtype=torch.float32, device=torch.device("cpu"), flex=True) as layout:
        mask = block_mask(layout, window, size)
    truth = seen(pack, window, size)
    rows = torch.arange(size)
    assert (mask.mask_mod(0, 0, rows[:, None], rows[None]).numpy() == truth).all()
    blocks = truth.reshape(size // BLOCK, BLOCK, size // BLOCK, BLOCK).transpose(0, 2, 1, 3)
    some, every = blocks.any((2, 3)), blocks.all((2, 3))
    partly = listed(mask.kv_num_blocks, mask.kv_indices)
    wholly = listed(mask.full_kv_num_blocks, mask.full_kv_indices)
    assert not (partly & wholly).any()
    assert (some <= (partly | wholly)).all()
    assert (wholly <= every).all()
    if window is None:
        assert (some == (partly | wholly)).all()
        assert (every == wholly).all()


def listed(counts: torch.Tensor, places: torch.Tensor) -> NDArray[np.bool_]:
    """Turn a block mask's lists into a matrix."""
    found = np.zeros(places.shape[2:], dtype=bool)
    for row, count in enumerate(counts[0, 0].tolist()):
        found[row, places[0, 0, row, :count].numpy()] = True
    return found


# --- what is compiled -------------------------------------------------------------------------------------------


def test_packs_of_any_length_share_a_compiled_kernel() -> None:
    """On a CPU it is a kernel in C++, of the same blocks and paddings as that of CUDA."""
    torch._dynamo.reset()
    rows = longer()
    expected = one_at_a_time(build("llama"), rows)
    executor = PackedExecutor(build("llama"), Precision(torch.float32), flex=True, compile_flex=True)
    plan = make_plan(rows, share_prefixes=True)
    before = kernels_made().kernels
    for budget in (300, 700, 2000):  # Packs of a dozen lengths.
        assert worst(execute(plan, executor, budget=budget).values, expected) <= 1e-5
    assert kernels_made().kernels - before == 1
    assert worst(execute(plan, executor, budget=100_000).values, expected) <= 1e-5
    assert kernels_made().kernels - before == 2


def test_a_kind_of_layer_has_a_kernel_of_its_own() -> None:
    torch._dynamo.reset()
    rows = sequences()
    executor = PackedExecutor(build("gemma2"), Precision(torch.float32), flex=True, compile_flex=True)
    before = kernels_made().kernels
    for budget in (100, 700):
        found = execute(make_plan(rows, share_prefixes=True), executor, budget=budget).values
        assert worst(found, one_at_a_time(build("gemma2"), rows)) <= 1e-5
    assert kernels_made().kernels - before == 2  # With a window and without.


def test_attention_is_compiled_inside_compiled_layers_as_well() -> None:
    rows = sequences()
    executor = PackedExecutor(build("llama"), Precision(torch.float32), flex=True, compile_flex=True)
    executor.compile(on=True)
    for budget in (300, 700):
        found = execute(make_plan(rows, share_prefixes=True), executor, budget=budget).values
        assert worst(found, one_at_a_time(build("llama"), rows)) <= 1e-5


# --- when it pays -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("saved", "weights", "kinds", "precisions", "expected"),
    [
        (600_000, 7e9, 1, 2, True),  # 42 s saved, four kernels of 6 s.
        (600_000, 7e9, 2, 2, False),  # Eight.
        (300_000, 7e9, 1, 2, False),
        (300_000, 7e9, 1, 1, True),  # 21 s saved, two kernels.
        (600_000, 135e6, 1, 2, False),
        (0, 70e9, 1, 1, False),
    ],
)
def test_it_pays_where_more_is_saved_than_compiling_takes(
    saved: int, weights: float, kinds: int, precisions: int, expected: bool
) -> None:
    assert pays(saved_tokens=saved, flops=2 * weights, kinds=kinds, precisions=precisions) is expected


def test_small_work_is_left_to_padded_batches() -> None:
    rows = sequences()
    model = build("llama")
    before = kernels_made().kernels
    made, audit = engine(model, lower(model, torch.bfloat16), flex=True)
    expected = one_at_a_time(build("llama"), rows)
    assert worst(made.rescore(encoded(rows)).values, expected) <= 1e-5
    assert made.path == "packed"  # What scored some again is not what scores a run.
    made.score(encoded(rows))
    plan = make_plan(rows, share_prefixes=True)
    saved = int(plan.lengths.sum()) - plan.distinct_tokens
    assert saved > 0
    why = f"packs would save {saved:,} tokens, and compiling their attention would take longer"
    assert (made.path, made.why_plain, codes(audit)) == ("plain", why, [])
    assert kernels_made().kernels == before


def test_large_work_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flex, "_KERNEL_SECONDS", 1e-9)
    made, audit = engine(build("llama"), flex=True)
    rows = sequences()
    assert worst(made.score(encoded(rows)).values, one_at_a_time(build("llama"), rows)) <= 1e-5
    assert (made.path, made.why_plain, codes(audit)) == ("packed", None, [])


def test_padded_batches_that_are_wrong_are_left_and_packs_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    score = PlainExecutor.score

    def wrong(self: PlainExecutor, pack: Pack) -> Values:
        return score(self, pack) + self.pads

    monkeypatch.setattr(PlainExecutor, "score", wrong)
    made, audit = engine(build("llama"), flex=True)
    rows = sequences()
    assert worst(made.score(encoded(rows)).values, one_at_a_time(build("llama"), rows)) <= 1e-5
    assert (made.path, codes(audit)) == ("plain-single", ["one-at-a-time"])
    monkeypatch.setattr(flex, "_KERNEL_SECONDS", 1e-9)
    made.score(encoded(rows))
    assert made.path == "packed"

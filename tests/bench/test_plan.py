from __future__ import annotations

from typing import Any

import pytest

from rmeval.bench.plan import (
    ITEM_BYTES,
    TOTAL_SECONDS,
    Sweep,
    cell_seconds,
    is_long,
    make_plan,
    total_seconds,
)
from rmeval.bench_info import Cell, Setting
from rmeval.errors import UsageError
from tests.support.benching import SHAPE

RATES = {"float32": 1e12, "bfloat16": 2e12}


def test_names_say_what_a_cell_is() -> None:
    assert Cell(Setting("bfloat16"), 8, 512).name == "bfloat16-8x512"
    assert Cell(Setting("float32", "sdpa", "on"), 1, None).name == "float32-sdpa-compiled-1xrows"
    assert Cell(Setting("float32"), 1, 512).group == "512 tokens"


def test_cells_go_from_float32_on_and_from_small_batches_on() -> None:
    sweep = Sweep("m", batch_sizes=(4, 1), dtypes=("bfloat16", "float32"), lengths=(8, 16), attention=("auto", "sdpa"))
    names = [cell.name for cell in sweep.cells]
    assert names[:4] == ["float32-1x8", "float32-4x8", "float32-1x16", "float32-4x16"]
    assert names[4] == "float32-sdpa-1x8"
    assert len(names) == len(set(names)) == 16


def test_a_data_set_takes_the_place_of_lengths() -> None:
    assert [cell.length for cell in Sweep("m", batch_sizes=(1, 2), dtypes=("float32",), dataset="d").cells] == [
        None
    ] * 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dtypes": ("float23",)}, "unknown dtype 'float23'; did you mean 'float32'?"),
        ({"batch_sizes": (0,)}, "--batch-sizes must be at least 1, not 0"),
        ({"lengths": (-1,)}, "--lengths must be at least 1, not -1"),
        ({"lengths": ()}, "--lengths is empty"),
        ({"batch_sizes": (2, 2)}, "--batch-sizes names the same value twice: 2,2"),
        ({"compile": ("auto",)}, "--compile is on, off or both"),
        ({"against": "vllm"}, "--against takes pipeline"),
        ({"max_time": 0.0}, "--max-time must be seconds above 0"),
        ({"max_time": float("nan")}, "--max-time must be seconds above 0"),
        ({"random_weights": True, "dataset": "mini"}, "random weights are timed on random tokens"),
        ({"model": "config:x", "against": "pipeline"}, "random weights are timed on random tokens"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Sweep(**{"model": "m", **given})
    assert said in str(caught.value)


def test_a_length_over_the_models_limit_is_left_out() -> None:
    plan = make_plan(Sweep("m", batch_sizes=(1,), dtypes=("float32",), lengths=(64, 65)), SHAPE, RATES, {})
    assert [each.reason for each in plan] == [None, "the model takes 64 tokens, not 65"]


def test_a_dtype_that_cannot_be_run_says_why() -> None:
    plan = make_plan(Sweep("m", (1,), ("float32", "int8"), (8,)), SHAPE, RATES, {"int8": "no torchao"})
    assert {each.cell.name: each.reason for each in plan} == {"float32-1x8": None, "int8-1x8": "no torchao"}


def test_only_the_engines_own_layers_are_compiled() -> None:
    sweep = Sweep("m", (1,), ("float32",), (8,), attention=("auto", "eager"), compile=("off", "on"))
    reasons = {each.cell.setting.name: each.reason for each in make_plan(sweep, SHAPE, RATES, {})}
    assert [name for name, reason in reasons.items() if reason is not None] == ["float32-eager-compiled"]


def test_what_cannot_fit_is_left_out() -> None:
    # 1000 float32 weights, and 4 bytes for twice 8 and once 16 numbers of each of 10 tokens.
    assert SHAPE.least_bytes(ITEM_BYTES["float32"], 10) == 4000 + 10 * 4 * 32
    sweep = Sweep("m", (1,), ("float32",), (10,))
    assert make_plan(sweep, SHAPE, RATES, {}, free_bytes=5280)[0].reason is None
    reason = make_plan(sweep, SHAPE, RATES, {}, free_bytes=5279)[0].reason
    assert reason is not None
    assert reason.startswith("does not fit")


def test_a_request_is_estimated_by_the_matrix_rate() -> None:
    # 2 * 1000 a token, and 4 a pair of 10 * 11 / 2; at 0.4 of 1e6 a second; 5 ms beside.
    plan = make_plan(Sweep("m", (2,), ("float32",), (10,)), SHAPE, {"float32": 1e6}, {})
    assert plan[0].request_seconds == pytest.approx(2 * (20_000 + 220) / 0.4e6 + 0.005)


def test_a_request_that_takes_far_longer_than_a_cell_is_not_started() -> None:
    plan = make_plan(Sweep("m", (1, 64), ("float32",), (10,), max_time=0.02), SHAPE, {"float32": 1e6}, {})
    assert plan[0].reason is None
    assert plan[1].reason is not None
    # (64 * 20,220 / 0.4e6) s + 5 ms = 3.24 s, a quarter of which is 0.81 s.
    assert plan[1].reason == "one request would take about 3.2 s; --max-time 0.9 or more measures it"
    enough = make_plan(Sweep("m", (64,), ("float32",), (10,), max_time=0.9), SHAPE, {"float32": 1e6}, {})
    assert enough[0].reason is None


def test_an_unknown_rate_is_no_reason() -> None:
    plan = make_plan(Sweep("m", (1,), ("float32",), (10,)), SHAPE, {}, {})
    assert (plan[0].request_seconds, plan[0].seconds, plan[0].reason) == (None, None, None)


def test_long_requests_get_few_rounds() -> None:
    assert not is_long(1.0, 20.0)
    assert is_long(4.0, 20.0)
    assert cell_seconds(4.0, 20.0) == 4 * (2 + 5)
    assert cell_seconds(30.0, 20.0) == 30 * (2 + 1)
    assert cell_seconds(1.0, 20.0) == 20 + 6


def test_the_default_sweep_is_cut_to_ten_minutes_and_the_longest_cells_go_first() -> None:
    sweep = Sweep("m", lengths=(64,), bounded=True)
    slow = dict.fromkeys(sweep.dtypes, 1e5)
    plan = make_plan(sweep, SHAPE, slow, {})
    assert total_seconds(plan, sweep.max_time) <= TOTAL_SECONDS
    kept = [each.seconds or 0 for each in plan if each.reason is None]
    cut = [each.seconds or 0 for each in plan if each.reason is not None and "ten minutes" in each.reason]
    assert kept
    assert cut
    assert max(kept) <= min(cut)
    # Named outright, they are all measured.
    asked = make_plan(Sweep("m", lengths=(64,)), SHAPE, slow, {})
    assert sum(each.reason is None for each in asked) > len(kept)


def test_finished_cells_are_not_counted_again() -> None:
    sweep = Sweep("m", (1, 2), ("float32",), (10,))
    plan = make_plan(sweep, SHAPE, RATES, {})
    assert total_seconds(plan, 20.0, {"float32-1x10", "float32-2x10"}) == 0
    assert 0 < total_seconds(plan, 20.0, {"float32-1x10"}) < total_seconds(plan, 20.0)

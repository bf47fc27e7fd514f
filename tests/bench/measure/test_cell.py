from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rmeval.bench.measure.ceiling import Ceiling
from rmeval.bench.measure.cell import WarmCell, best_cells, complete, measured_row, percentile, spread, useful_flops
from rmeval.bench.plan import Sweep
from rmeval.bench.subjects.model import ModelSubjects
from rmeval.bench.subjects.rows import RequestRow, Texts, made_up_rows
from rmeval.bench_info import Cell, FidelityInfo, Setting
from rmeval.data_prep.text.encode import Encoded
from tests.support.benching import SHAPE, Sleeper, measured

CPU = torch.device("cpu")


def prepare(cell: Cell, subject: Sleeper, max_time: float = 10.0, *, fresh: bool = True) -> WarmCell:
    rows = subject.rows(cell.batch_size, cell.length)
    return WarmCell.make(cell, subject, rows, device=CPU, load_seconds=1.5, fresh=fresh, max_time=max_time)


def test_percentiles_and_spread_by_hand() -> None:
    times = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert percentile(times, 95) == pytest.approx(4.8)
    assert spread(times) == pytest.approx((4 - 2) / 3)
    assert spread([1.0]) is None


def test_a_row_by_hand() -> None:
    prepared = prepare(Cell(Setting("bfloat16"), 4, 16), Sleeper(0.0))
    row = measured_row(prepared, [0.25, 0.5, 1.0], SHAPE)
    assert (row["name"], row["status"], row["path"], row["rounds"]) == ("bfloat16-4x16", "measured", "asleep", 3)
    assert (row["p50"], row["p99"]) == (0.5, None)
    assert (row["completions_per_second"], row["pairs_per_second"]) == (8.0, 4.0)
    assert (row["tokens_per_second"], row["padding_share"]) == (128.0, 0.5)  # The sleeper pads to twice its tokens.
    assert row["load_seconds"] == 1.5
    assert row["bytes"] == 2 * 1000
    assert measured_row(prepared, [0.5] * 99, SHAPE)["p99"] is None
    assert measured_row(prepared, [0.5] * 100, SHAPE)["p99"] == 0.5


def test_a_share_of_the_roof_by_hand() -> None:
    # 1e9 operations in 0.5 s on a machine of 1e10/s; its rate fell by a fifth meanwhile, more than the rounds' spread.
    fidelity: FidelityInfo = {
        "set": "mini", "scores": 18, "drift_max": 0.1, "drift_mean": 0.1, "decisions": 9, "flips": 3,
        "rank_correlation": 0.9,
    }  # fmt: skip
    row = complete(measured(), Ceiling({"float32": [1e10, 8e9]}, [1e9]), fidelity)
    assert row["mfu"] == pytest.approx(0.2)
    assert (row["roof_seconds"], row["share_of_roof"], row["bound"]) == (0.1, 0.2, "arithmetic")
    assert row["noise"] == pytest.approx(0.2)
    assert (row["flips"], row["decisions"]) == (3, 9)
    assert "set" not in row
    # A matrix rate of 1e13 leaves the memory to bind: 1e6 bytes at 1e7/s.
    row = complete(measured(), Ceiling({"float32": [1e13]}, [1e7]), None)
    assert (row["roof_seconds"], row["share_of_roof"], row["bound"]) == (0.1, 0.2, "memory")
    assert row["noise"] == 0.02
    assert row["mfu"] == pytest.approx(2e-4)


def test_noise_holds_what_another_look_and_the_fastest_round_saw() -> None:
    still = Ceiling({"float32": [1e10]}, [1e9])
    assert measured()["p50"] == 0.5
    assert complete(measured() | {"again": 0.55}, still, None)["noise"] == pytest.approx(0.1)
    assert complete(measured() | {"again": 0.45}, still, None)["noise"] == pytest.approx(1 / 9)
    assert complete(measured() | {"fastest": 0.4}, still, None)["noise"] == pytest.approx(0.25)
    assert complete(measured() | {"again": 0.505}, still, None)["noise"] == 0.02  # The rounds' spread is more.
    assert complete(measured() | {"again": 0.55, "spread": None}, still, None)["noise"] is None


def test_a_long_first_request_is_looked_at_again_only_where_it_may_be_the_engines_check() -> None:
    cell = Cell(Setting("float32"), 1, 8)
    fast, slow, later = Sleeper(0.0), Sleeper(0.05), Sleeper(0.05)
    prepare(cell, fast, 10.0)
    assert prepare(cell, slow, 0.1).request_seconds == pytest.approx(0.05, rel=0.2)
    prepare(cell, later, 0.1, fresh=False)
    assert [len(each.calls) for each in (fast, slow, later)] == [1, 2, 1]


def test_half_the_time_is_for_the_rounds_that_p99_needs() -> None:
    prepared = prepare(Cell(Setting("float32"), 1, 8), Sleeper(0.0), 20.0)
    for request, rounds in ((0.001, 100), (1.0, 10), (3.0, 3), (9.0, 3)):
        prepared.request_seconds = request
        assert prepared.options(float)["min_rounds"] == rounds


def test_shared_tokens_ask_for_nothing_twice() -> None:
    ids = np.arange(3, 13, dtype=np.int32)
    rows = [RequestRow(Encoded(ids[:length], length - 1, truncated=False)) for length in (10, 10, 6)]
    assert useful_flops(SHAPE, rows) == SHAPE.flops([10])


def test_made_up_rows_are_exact_and_the_same_again() -> None:
    rows, again = ([row.encoded for row in made_up_rows(12, {0, 1, 2}, 3, 500) if row.encoded] for _ in range(2))
    ids = np.concatenate([each.ids for each in rows])
    assert [(len(each.ids), each.pooled) for each in rows] == [(500, 499)] * 3
    assert set(ids.tolist()) == set(range(3, 12))
    assert (ids == np.concatenate([each.ids for each in again])).all()


def test_the_fastest_that_flips_nothing() -> None:
    rows = [
        measured(),
        measured("bfloat16", 4, flips=0),
        measured("bfloat16", 8, flips=1),
        measured("int8", 16, flips=None),
        measured(length=128, flips=2),
    ]
    assert best_cells(rows) == {"64": "bfloat16-4x64"}


@pytest.fixture(scope="module")
def texts(tiny_model: Path) -> Texts:
    found = ModelSubjects(Sweep(str(tiny_model), dataset="mini"), CPU).texts
    assert found is not None
    return found


def test_a_request_of_rows_is_typical_and_the_same_again(texts: Texts) -> None:
    lengths = sorted(row.tokens for rows in texts.rows for row in rows)
    for size in (1, 2, 7, 64, 600):
        request = texts.request(size)
        assert len(request) == size
        assert [row.conversation for row in request] == [row.conversation for row in texts.request(size)]
    mean = np.mean([row.tokens for row in texts.request(64)])
    assert mean == pytest.approx(np.mean(lengths), rel=0.15)


def test_a_sample_is_a_power_of_two_within_its_tokens(texts: Texts) -> None:
    whole = sum(row.tokens for rows in texts.rows for row in rows)
    assert [len(texts.spread(whole * share).examples) for share in (0.0, 0.3, 0.6, 2.0)] == [16, 64, 128, 256]
    sample = texts.spread(whole / 3)
    assert [row.conversation.example_id for rows in sample.rows for row in rows[:1] if row.conversation] == [
        example.id for example in sample.examples
    ]


def test_a_cell_faster_than_its_roof_has_none() -> None:
    """153% of what is possible is a wrong ceiling, such as that of float16 on a CPU."""
    found = complete(measured(), Ceiling({"float32": [1e10]}, [1e12]), None)
    share = found["share_of_roof"]
    assert isinstance(share, float)
    too_low = complete(measured(), Ceiling({"float32": [1e10 * share / 1.53]}, [1e12]), None)
    assert (too_low["share_of_roof"], too_low["roof_seconds"], too_low["mfu"]) == (None, None, None)

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import datasets
import pytest

from rmeval.data_prep.pairs.columns import PAIRS, Tally, encode_units
from rmeval.data_prep.pairs.parallel import clear, make_in_parallel, quiet
from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.sources import SOURCES, Source
from rmeval.data_prep.sources.base import Dropped, Made
from rmeval.errors import RunError
from tests.support.preparing import hh_rows

SLAB = [encode_units([[row] for row in hh_rows(5, topic)]) for topic in ("soup", "bread", "jam")]


def source_that(acts: Callable[[], None]) -> Source:
    def pairs(unit: Sequence[Row]) -> Iterator[Made]:
        acts()
        yield Dropped("row", "malformed")

    return replace(SOURCES["hh-rlhf"], pairs=pairs)


@pytest.mark.parametrize("workers", [2, 3, 9])
def test_the_same_in_the_same_order_for_any_number_of_workers(tmp_path: Path, workers: int) -> None:
    alone, tally = make_in_parallel(SLAB, SOURCES["hh-rlhf"], tmp_path, 1)
    rows = alone.to_pylist()
    assert (len(rows), tally) == (15, Tally(15, 15, 15))
    # What lies there of another number of workers is not taken for ours.
    more, same = make_in_parallel(SLAB, SOURCES["hh-rlhf"], tmp_path, workers)
    assert (more.to_pylist(), same) == (rows, tally)
    fewer, less = make_in_parallel(SLAB[1:], SOURCES["hh-rlhf"], tmp_path, workers)
    assert (fewer.to_pylist(), less) == (rows[5:], Tally(10, 10, 10))
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_is_killed_is_one_line(tmp_path: Path) -> None:
    parent = os.getpid()

    def die() -> None:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(RunError, match="a worker was killed, perhaps for want of memory: go on with fewer --workers"):
        make_in_parallel(SLAB, source_that(die), tmp_path, 2)


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_without_pairs_are_counted(tmp_path: Path, workers: int) -> None:
    made, tally = make_in_parallel(SLAB, source_that(lambda: None), tmp_path, workers)
    assert (len(made), made.schema.names, tally) == (0, PAIRS.names, Tally(15, 0, 0, {"malformed": 15}))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_worker_comes_through(tmp_path: Path, workers: int) -> None:
    def fail() -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        make_in_parallel(SLAB, source_that(fail), tmp_path, workers)


def test_the_library_is_quiet_for_a_while(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    with quiet():
        make_in_parallel(SLAB, SOURCES["hh-rlhf"], tmp_path, 2)
    assert (datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()) == before
    assert capfd.readouterr() == ("", "")

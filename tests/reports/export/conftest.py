"""Runs that may be sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rmeval import RunRecord
from rmeval.records import write_run
from tests.reports.made import made_run


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """80 examples in four subsets, one of them invalid, of a file: not RewardBench, and it says so."""
    return made_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def whole(stand_in: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """The same scores under the name of the benchmark and of a model on the Hub, on disk."""
    data = replace(stand_in.info.data, dataset="allenai/reward-bench", split="filtered", revision="d" * 40)
    model = replace(stand_in.info.model, name="org/model")
    run = stand_in.with_info(partial=False, partial_reasons=(), data=data, model=model)
    return write_run(run, tmp_path_factory.mktemp("whole"))

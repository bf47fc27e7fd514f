"""What the tests of the bench have in common: a model that only sleeps, and files made by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np

from rmeval.bench.measure.cell import planned_row
from rmeval.bench.shape import Shape
from rmeval.bench.storage import SCHEMA
from rmeval.bench.subjects.model import DoesNotFitError, Subject
from rmeval.bench.subjects.rows import RequestRow, Texts, made_up_rows
from rmeval.bench_info import BenchDocument, Cell, CellRow, MeasuredRow, Setting
from rmeval.eval.engine.packed import Values
from rmeval.run_info import Accounting

SHAPE = Shape(
    architecture="Sleeper",
    parameters=1000,
    linear_weights=1000,
    heads=1,
    head_size=1,
    windows=(None,),
    causal=True,
    hidden=8,
    intermediate=16,
    vocabulary=100,
    limit=64,
)


Stop: TypeAlias = Callable[[int, Sequence[RequestRow]], BaseException | None]


class Sleeper:
    """A model and where it comes from: a request takes ``seconds``, or raises what ``stop`` says at its call."""

    path = "asleep"
    shape = SHAPE
    texts: Texts | None = None

    def __init__(self, seconds: float, stop: Stop | None = None) -> None:
        self.seconds, self.stop = seconds, stop
        self.calls: list[int] = []
        self.loaded: list[str] = []

    def rows(self, batch_size: int, length: int | None) -> list[RequestRow]:
        return made_up_rows(self.shape.vocabulary, (), batch_size, length or 8)

    def load(self, setting: Setting) -> Subject:
        self.loaded.append(setting.name)
        return self

    def request(self, rows: Sequence[RequestRow]) -> tuple[Values, Accounting]:
        self.calls.append(len(rows))
        error = self.stop(len(self.calls), rows) if self.stop else None
        if error is not None:
            raise error
        time.sleep(self.seconds)
        tokens = sum(row.tokens for row in rows)
        return np.arange(len(rows), dtype=np.float64), Accounting(tokens, tokens, tokens, 2 * tokens)


def too_large(size: int) -> Stop:
    """Let requests of ``size`` rows run out of memory."""
    return lambda _, rows: DoesNotFitError("4 conversations do not fit") if len(rows) == size else None


def measured(dtype: str = "float32", batch_size: int = 1, length: int | None = 64, **values: Any) -> MeasuredRow:
    """A cell's row with round numbers; ``values`` replace them."""
    row = planned_row(Cell(Setting(dtype), batch_size, length), "planned", None)
    numbers = {
        "status": "measured",
        "path": "packed", "rounds": 100, "fastest": 0.495, "p50": 0.5, "p95": 0.6, "p99": 0.7, "spread": 0.02,
        "noise": 0.02, "first_call_seconds": 1.5, "load_seconds": 2.0, "pairs_per_second": batch_size / 1.0,
        "completions_per_second": batch_size / 0.5, "tokens_per_second": 128.0, "distinct_tokens_per_second": 100.0,
        "tokens": 64, "distinct_tokens": 50, "padding_share": 0.0, "host_peak_bytes": 10**9, "host_peak_exact": True,
        "flops": 1e9, "bytes": 1e6, "intensity": 1000.0, "flops_per_second": 2e9, "mfu": 0.2, "roof_seconds": 0.1,
        "share_of_roof": 0.2, "bound": "arithmetic", "drift_max": 0.0, "drift_mean": 0.0, "decisions": 32, "flips": 0,
        "rank_correlation": 1.0,
    }  # fmt: skip
    return cast("MeasuredRow", {**row, **numbers, **values})


def document(*rows: CellRow, **own: Any) -> BenchDocument:
    """The content of a ``bench.json`` with these cells."""
    content = {
        "benchmarks": [],
        "rmeval": {
            "schema_version": SCHEMA,
            "created": "2026-01-02T03:04:05+00:00",
            "sweep": {"model": "org/model"},
            "complete": True,
            "device": "cpu",
            "environment": {"cpu": "A CPU", "torch": "2"},
            "cells": list(rows),
            "fidelity": {},
            "against": [],
            "best": {},
            "ceiling": {"rates": {"float32": [1e10]}, "bandwidth": [1e9]},
            **own,
        },
    }
    return cast("BenchDocument", content)

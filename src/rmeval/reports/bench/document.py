"""What the page and the tables of a bench read: the content of ``bench.json``, whose keys are in ``docs/bench.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

__all__ = ["BenchDocument", "BenchRecord", "CellRow", "Compared", "ComparedLine", "PlannedRow"]


class CellRow(TypedDict):
    """A cell; all but its plan is None until it is measured, and where a number is not known."""

    name: str
    dtype: str
    attention: str
    compile: str
    batch_size: int
    length: int | Literal["rows"]
    status: Literal["planned", "measured", "skipped", "does not fit"]
    reason: str | None
    path: str
    rounds: int
    p50: float
    p95: float
    p99: float | None
    noise: float | None
    first_call_seconds: float
    load_seconds: float
    pairs_per_second: float
    completions_per_second: float
    tokens_per_second: float | None
    distinct_tokens_per_second: float | None
    padding_share: float | None
    host_peak_bytes: int | None
    host_peak_exact: bool | None
    device_peak_bytes: int | None
    flops: float | None
    bytes: float | None
    mfu: float | None
    roof_seconds: float | None
    share_of_roof: float | None
    bound: str | None
    drift_max: float | None
    decisions: int | None
    flips: int | None


class CeilingDocument(TypedDict):
    """What the machine can do."""

    rates: Mapping[str, Sequence[float]]
    """Dtype -> matrix rates that were measured, in FLOP/s."""
    bandwidth: Sequence[float]


class BesideThePipeline(TypedDict):
    """A cell beside the pipeline; with a ``reason`` it was not compared, and has no numbers."""

    cell: str
    reason: NotRequired[str]
    median: NotRequired[float]
    low: NotRequired[float]
    high: NotRequired[float]
    rounds: NotRequired[int]
    verdict: NotRequired[str]


class SweepAsked(TypedDict):
    """What was asked for, as far as it is shown."""

    model: str


class BenchRecord(TypedDict):
    """The key ``rmeval``; templates read more of it than stands here."""

    created: str
    sweep: SweepAsked
    complete: bool
    device: NotRequired[str]
    environment: NotRequired[Mapping[str, str | int | float | None]]
    cells: Sequence[CellRow]
    fidelity: Mapping[str, Mapping[str, object]]
    against: Sequence[BesideThePipeline]
    best: Mapping[str, str]
    """Length -> the fastest cell that flips no decision."""
    ceiling: CeilingDocument


class BenchDocument(TypedDict):
    """The content of ``bench.json``."""

    rmeval: BenchRecord


class PlannedRow(TypedDict):
    """A cell before the bench."""

    name: str
    request_seconds: float | None
    """Estimate for one request; None where it is not known."""
    seconds: float | None
    """Estimate for the whole cell."""
    reason: str | None
    """Why it is not measured; None where it is."""


class ComparedLine(TypedDict):
    """A cell of two benches under one rule."""

    cell: str
    kind: str
    basis: str
    """What the two numbers are."""
    before: float | None
    after: float | None
    worse_by: float | None
    noise: float | None
    verdict: str
    failed: bool
    reason: str | None
    """Why there is no number."""


class Compared(TypedDict):
    """What came of a comparison of two benches."""

    lines: Sequence[ComparedLine]
    left_out: Sequence[str]
    """Cells that only one of the two has."""
    warnings: Sequence[str]
    """What else differs."""

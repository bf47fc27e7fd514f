"""What a bench says: the content of ``bench.json``, its plan, and what two benches differ in.

``rmeval bench`` writes it and ``reports`` shows it. ``docs/bench.md`` says what each number is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NotRequired, TypeAlias, TypedDict, cast, get_args

Value: TypeAlias = str | int | float | bool | None
"""What a column of a cell's row can hold."""


# --- what is measured -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setting:
    """How the model is loaded and run."""

    dtype: str
    attention: str = "auto"
    """``auto`` for the engine's own, else a name that transformers knows."""
    compile: str = "off"

    @property
    def name(self) -> str:
        """``bfloat16``, ``bfloat16-sdpa``, ``bfloat16-compiled``."""
        parts = [self.dtype]
        if self.attention != "auto":
            parts.append(self.attention)
        if self.compile == "on":
            parts.append("compiled")
        return "-".join(parts)


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to measure: requests of so many conversations of so many tokens."""

    setting: Setting
    batch_size: int
    length: int | None
    """Tokens of each conversation; None for rows of a data set."""

    @property
    def name(self) -> str:
        """``bfloat16-8x512``, or ``bfloat16-8xrows``."""
        return f"{self.setting.name}-{self.batch_size}x{'rows' if self.length is None else self.length}"

    @property
    def group(self) -> str:
        """What pytest-benchmark puts into one table."""
        return "rows of the data set" if self.length is None else f"{self.length} tokens"


@dataclass(frozen=True, slots=True)
class Planned:
    """A cell with what is known of it before it runs."""

    cell: Cell
    request_seconds: float | None = None
    """Estimate for one request; None where it is not known."""
    seconds: float | None = None
    """Estimate for the whole cell."""
    reason: str | None = None
    """Why it is not measured; None where it is."""


# --- bench.json -----------------------------------------------------------------------------------------------------


class CellPlan(TypedDict):
    """What every cell's row says of its cell."""

    name: str
    dtype: str
    attention: str
    compile: str
    batch_size: int
    length: int | Literal["rows"]


Unmeasured: TypeAlias = Literal["planned", "skipped", "does not fit"]


class UnmeasuredRow(CellPlan):
    """The row of a cell without numbers; in the file it has all keys of a measured one, and None there."""

    status: Unmeasured
    reason: str | None


class MeasuredRow(CellPlan):
    """The row of a cell with its numbers; None where one is not known."""

    status: Literal["measured"]
    reason: None
    path: str
    rounds: int
    fastest: float
    p50: float
    p95: float
    p99: float | None
    spread: float | None
    again: float | None
    noise: float | None
    first_call_seconds: float
    load_seconds: float
    pairs_per_second: float
    completions_per_second: float
    tokens_per_second: float | None
    distinct_tokens_per_second: float | None
    tokens: int | None
    distinct_tokens: int | None
    padding_share: float
    host_peak_bytes: int | None
    host_peak_exact: bool
    device_peak_bytes: int | None
    flops: float | None
    bytes: float | None
    intensity: float | None
    flops_per_second: float | None
    mfu: float | None
    roof_seconds: float | None
    share_of_roof: float | None
    bound: str | None
    drift_max: float | None
    drift_mean: float | None
    decisions: int | None
    flips: int | None
    rank_correlation: float | None


CellRow: TypeAlias = MeasuredRow | UnmeasuredRow
COLUMNS = tuple(MeasuredRow.__annotations__)
"""Keys of every cell's row, in the order of the file and of the CSV."""


def values_of(row: CellRow) -> Mapping[str, Value]:
    """Return a row as its values by column."""
    return cast("Mapping[str, Value]", row)


class FidelityInfo(TypedDict):
    """A setting's scores against those of float32, as ``rmeval.bench.measure.fidelity`` finds them."""

    set: str
    """What was scored."""
    scores: int
    drift_max: float | None
    drift_mean: float | None
    decisions: int | None
    flips: int | None
    rank_correlation: float | None


class CeilingInfo(TypedDict):
    """What the machine can do, oldest measurement first."""

    rates: dict[str, list[float]]
    """Dtype -> matrix rates, in FLOP/s."""
    bandwidth: list[float]
    """Bytes/s."""


class PipelineInfo(TypedDict):
    """A cell beside the pipeline; with a ``reason`` it was not compared, and has no numbers."""

    cell: str
    reason: NotRequired[str]
    rounds: NotRequired[int]
    median: NotRequired[float]
    """How many times as long the pipeline takes."""
    low: NotRequired[float]
    """Quartiles of the ratios of neighbouring rounds."""
    high: NotRequired[float]
    ours: NotRequired[float]
    """Median seconds."""
    theirs: NotRequired[float]
    verdict: NotRequired[Literal["faster", "slower", "none"]]


class SweepInfo(TypedDict):
    """What was asked for: all of ``rmeval.bench.plan.Sweep``, of which this is read by others."""

    model: str
    dataset: str | None


class BenchInfo(TypedDict):
    """The key ``rmeval`` of the file."""

    schema_version: int
    rmeval_version: str
    created: str
    """ISO 8601, UTC."""
    command: list[str]
    sweep: SweepInfo
    complete: bool
    cells: list[CellRow]
    """A row a planned cell."""
    fidelity: dict[str, FidelityInfo]
    """By setting."""
    against: list[PipelineInfo]
    best: dict[str, str]
    """Length -> the fastest cell that flips no decision."""
    ceiling: CeilingInfo
    files: NotRequired[list[str]]
    """What was written into the folder; benches of 0.1 do not say."""
    device: NotRequired[str]
    environment: NotRequired[Mapping[str, str | int | float | None]]
    """Versions and hardware."""
    shape: NotRequired[Mapping[str, object]]
    """What of the model decides its speed: ``rmeval.bench.shape.Shape``."""
    regressions: NotRequired[list[tuple[str, str]]]
    """What pytest-benchmark's ``--benchmark-compare-fail`` found: the cell, and how it failed."""


class TimedInfo(TypedDict):
    """What pytest-benchmark keeps of a cell, as far as rmeval reads it."""

    extra_info: dict[str, Value]


class BenchDocument(TypedDict):
    """The content of ``bench.json``: a file of pytest-benchmark, which has more keys, with one of rmeval's."""

    benchmarks: list[TimedInfo]
    rmeval: BenchInfo


# --- two benches ----------------------------------------------------------------------------------------------------

Kind: TypeAlias = Literal["throughput", "latency", "memory", "flips"]
Verdict: TypeAlias = Literal["worse", "better", "same", "inconclusive", "cannot tell"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class BenchLine:
    """One cell of two benches under one rule."""

    cell: str
    kind: Kind
    basis: str
    """What the two numbers are."""
    before: float | None
    after: float | None
    worse_by: float | None
    """Share of the old value, positive for worse; for flips, how many more. None where a number is missing."""
    noise: float | None
    """Of the two numbers, as a share; None where it is not known."""
    limit: float | None
    verdict: Verdict
    failed: bool
    reason: str | None = None
    """Why there is no number."""


@dataclass(frozen=True, slots=True)
class BenchComparison:
    """What came of holding one bench against another."""

    lines: tuple[BenchLine, ...]
    left_out: tuple[str, ...]
    """Cells that only one of the two has."""
    warnings: tuple[str, ...]
    """Differences between the two that a reader must know of."""

    @property
    def passed(self) -> bool:
        """True where no rule failed."""
        return not any(line.failed for line in self.lines)

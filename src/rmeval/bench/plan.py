"""Which cells a sweep has, what each will take, and which are left out and why; no torch."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rmeval.bench.shape import Shape
from rmeval.bench_info import Cell, Planned, Setting, SweepInfo
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.eval.model_options import COMPILE_MODES, ModelOptions

DTYPES = ("float32", "bfloat16", "float16", "int8")
OWN = "own"
"""What stands for the dtype of a kind that has none to choose."""
ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, OWN: 0}
"""Bytes of a weight as the matrix product reads it."""
BATCH_SIZES = (1, 2, 4, 8, 16, 32)
LENGTHS = (512,)
MAX_TIME = 20.0
"""Seconds of timed rounds in a cell."""
TOTAL_SECONDS = 540.0
"""The default sweep is cut to this; what loads, plans and checks takes the rest of ten minutes."""

FEW = 6
"""A request that fits fewer times than this into the time of a cell is timed as often as it fits, at least once."""
AGAIN_SHARE = 0.2
"""Share of the time of a cell in which it is looked at again, when all cells of its setting were timed."""
_PATIENCE = 4.0
"""A cell is left out where one request is estimated at more than this many times the time of a cell."""
_SHARE = 0.4
"""Share of the matrix rate that the estimate reckons with: on two CPUs the engine reached 0.3 to 0.6."""
_OVERHEAD = 0.005
"""Seconds of a request that are not arithmetic."""
_FIRST = 2.0
"""A first request takes about this many times as long as a later one: the engine checks itself in it."""
_LOADING = 6.0
"""Seconds to load a model, a guess; its fidelity is checked in the time of a cell."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What was asked for."""

    model: str
    """A Hub id, a folder, or ``config:PATH``."""
    batch_sizes: tuple[int, ...] = BATCH_SIZES
    dtypes: tuple[str, ...] = DTYPES
    lengths: tuple[int, ...] = LENGTHS
    dataset: str | None = None
    """Rows to take requests from instead of ``lengths``; also the set whose decisions are compared. None: ``mini``."""
    split: str | None = None
    attention: tuple[str, ...] = ("auto",)
    compile: tuple[str, ...] = ("off",)
    device: str = "auto"
    random_weights: bool = False
    against: str | None = None
    max_time: float = MAX_TIME
    bounded: bool = False
    """Leave out the longest cells, so that the whole takes under ten minutes."""
    options: ModelOptions = field(default_factory=ModelOptions)
    """How to load the model; dtype, device, attention and the like are the sweep's."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: if one of them does not exist or makes no sense.
        """
        for dtype in self.dtypes if self.dtypes != (OWN,) else ():
            if dtype not in DTYPES:
                raise UsageError(f"unknown dtype {dtype!r}{did_you_mean(dtype, DTYPES)} (known: {', '.join(DTYPES)})")
        for mode in self.compile:
            if mode not in COMPILE_MODES or mode == "auto":
                raise UsageError(f"--compile is on, off or both in a bench, not {mode!r}")
        self._check_lists()
        if self.against not in (None, "pipeline"):
            raise UsageError(f"--against takes pipeline, not {self.against!r}")
        if self.random and (self.dataset or self.against):
            raise UsageError("random weights are timed on random tokens; leave --dataset and --against out")
        if not 0 < self.max_time < float("inf"):
            raise UsageError(f"--max-time must be seconds above 0, not {self.max_time:g}")

    def _check_lists(self) -> None:
        for name, values in (("--batch-sizes", self.batch_sizes), ("--lengths", self.lengths)):
            for value in values:
                if value < 1:
                    raise UsageError(f"{name} must be at least 1, not {value}")
        lists = {
            "--batch-sizes": self.batch_sizes,
            "--dtypes": self.dtypes,
            "--attn-implementation": self.attention,
            "--compile": self.compile,
        }
        for name, given in {**lists, **({} if self.dataset else {"--lengths": self.lengths})}.items():
            if not given:
                raise UsageError(f"{name} is empty")
            if len(set(given)) < len(given):
                raise UsageError(f"{name} names the same value twice: {','.join(map(str, given))}")

    @property
    def random(self) -> bool:
        """True where weights are made up."""
        return self.random_weights or self.model.startswith("config:")

    @property
    def settings(self) -> list[Setting]:
        """All settings, float32 first: the others are compared with it."""
        dtypes = sorted(self.dtypes, key=(*DTYPES, OWN).index)
        return [Setting(dtype, *rest) for dtype in dtypes for rest in _product(self.attention, self.compile)]

    @property
    def cells(self) -> list[Cell]:
        """All cells, in the order in which they are measured."""
        lengths: Sequence[int | None] = (None,) if self.dataset else self.lengths
        return [
            Cell(setting, batch_size, length)
            for setting in self.settings
            for length in lengths
            for batch_size in sorted(self.batch_sizes)
        ]


def repeated(stored: SweepInfo, changes: Mapping[str, Any]) -> Sweep:
    """Return the sweep of a ``bench.json``, with other values for the fields that ``changes`` names.

    Raises:
        UsageError: if a value does not exist or makes no sense.
    """
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
    }
    return Sweep(**{**values, **changes, "options": ModelOptions(**values["options"])})


def make_plan(
    sweep: Sweep,
    shape: Shape,
    rates: Mapping[str, float],
    unusable: Mapping[str, str],
    *,
    row_tokens: Mapping[int, float] | None = None,
    free_bytes: float | None = None,
) -> list[Planned]:
    """Plan a sweep.

    Args:
        sweep: What was asked for.
        shape: The model's.
        rates: Dtype -> matrix rate in FLOP/s.
        unusable: Dtype -> why it cannot be run here.
        row_tokens: Batch size -> tokens of a request of data set rows.
        free_bytes: Memory that the device has to spare; None where that is not known.
    """
    planned = []
    for cell in sweep.cells:
        tokens = cell.batch_size * cell.length if cell.length else (row_tokens or {}).get(cell.batch_size, 0.0)
        length = cell.length or (tokens / cell.batch_size)
        seconds = _request_seconds(shape, rates.get(cell.setting.dtype), cell.batch_size, length)
        reason = unusable.get(cell.setting.dtype) or _why_not(cell, shape, sweep.max_time, seconds, free_bytes, tokens)
        total = None if seconds is None else cell_seconds(seconds, sweep.max_time)
        planned.append(Planned(cell, seconds, total, reason))
    return _bounded(planned, sweep.max_time) if sweep.bounded else planned


def cell_seconds(request: float, max_time: float) -> float:
    """Bound the seconds of a cell by those of a request: its first one, what pytest-benchmark adds, and its rounds."""
    if is_long(request, max_time):
        return request * (_FIRST + max(1, int(max_time / request)))
    return max_time + request * (_FIRST + 4)


def is_long(request: float, max_time: float) -> bool:
    """True where there is no time to calibrate and to warm up beside the rounds."""
    return FEW * request > max_time


def total_seconds(planned: Sequence[Planned], max_time: float, skip: Collection[str] = ()) -> float:
    """Estimate the seconds of a whole sweep, without the cells named in ``skip``."""
    left = [each for each in planned if each.reason is None and each.cell.name not in skip]
    settings = len({each.cell.setting for each in left})
    again = len(left) * AGAIN_SHARE * max_time
    return sum(each.seconds or 0.0 for each in left) + again + settings * (_LOADING + max_time)


def _request_seconds(shape: Shape, rate: float | None, batch_size: int, length: float) -> float | None:
    flops = shape.flops([max(1, round(length))])
    return None if flops is None or not rate else batch_size * flops / (_SHARE * rate) + _OVERHEAD


def _why_not(
    cell: Cell, shape: Shape, max_time: float, seconds: float | None, free_bytes: float | None, tokens: float
) -> str | None:
    if cell.length is not None and shape.limit is not None and cell.length > shape.limit:
        return f"the model takes {shape.limit:,} tokens, not {cell.length:,}"
    if cell.setting.compile == "on" and cell.setting.attention != "auto":
        return "only the engine's own attention has layers to compile"
    needed = shape.least_bytes(ITEM_BYTES[cell.setting.dtype], tokens)
    if free_bytes is not None and needed > free_bytes:
        return f"does not fit: needs at least {needed / 1e9:,.1f} GB, {free_bytes / 1e9:,.1f} GB are free"
    if seconds is not None and seconds > _PATIENCE * max_time:
        # Rounded up, so that the value named is one that does it.
        enough = math.ceil(10 * seconds / _PATIENCE) / 10
        return f"one request would take about {seconds:,.1f} s; --max-time {enough:g} or more measures it"
    return None


def _bounded(planned: list[Planned], max_time: float) -> list[Planned]:
    """Leave the longest cells out until the rest fits the default's time."""
    order = sorted(range(len(planned)), key=lambda place: -(planned[place].seconds or 0.0))
    for place in order:
        if total_seconds(planned, max_time) <= TOTAL_SECONDS:
            break
        if planned[place].reason is None:
            reason = "left out to keep the default sweep under ten minutes; name --batch-sizes and --dtypes to have it"
            planned[place] = replace(planned[place], reason=reason)
    return planned


def _product(attention: Sequence[str], compile: Sequence[str]) -> list[tuple[str, str]]:
    return [(one, other) for one in attention for other in compile]

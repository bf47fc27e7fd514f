"""One cell: its first request, its rounds, and the row of numbers that comes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch

from rmeval.bench.measure.ceiling import Ceiling, clock, roof
from rmeval.bench.measure.memory import Peak
from rmeval.bench.plan import AGAIN_SHARE, ITEM_BYTES, is_long
from rmeval.bench.shape import Shape
from rmeval.bench.subjects.model import Subject
from rmeval.bench.subjects.rows import RequestRow
from rmeval.bench_info import (
    COLUMNS,
    Cell,
    CellPlan,
    CellRow,
    FidelityInfo,
    MeasuredRow,
    TimedInfo,
    Unmeasured,
    UnmeasuredRow,
    Value,
)
from rmeval.eval.engine.plan import make_plan
from rmeval.run_info import Accounting

PRECISION, CONFIDENCE = 0.01, 0.95
"""Rounds end early once the mean is known to 1% with 95% confidence."""
AIM = 100
"""Rounds that a cell tries to have in half its time, because p99 needs them."""
_FEWEST = 3
_AGAIN = 5
"""When a setting's cells are through, each is timed so often once more, if ``AGAIN_SHARE`` of its time allows."""


class Stats(Protocol):
    """What is read of pytest-benchmark's statistics."""

    data: list[float]


class Metadata(Protocol):
    """What is read of pytest-benchmark's record of a benchmark."""

    stats: Stats

    def as_dict(self) -> TimedInfo:
        """Return it as pytest-benchmark stores it."""
        ...


class Fixture(Protocol):
    """pytest-benchmark's fixture."""

    extra_info: dict[str, Value]
    stats: Metadata

    def __call__(self, function: Callable[[], object]) -> object:
        """Calibrate, warm up and time."""
        ...

    def pedantic(self, target: Callable[[], object], *, rounds: int) -> object:
        """Time so many rounds."""
        ...


@dataclass(slots=True)
class WarmCell:
    """A cell that has had its first request."""

    cell: Cell
    subject: Subject
    rows: list[RequestRow]
    accounting: Accounting
    first_seconds: float
    """Seconds of the first request: the engine's self-check and whatever is compiled or chosen in it included."""
    request_seconds: float
    """Seconds of a request, roughly."""
    load_seconds: float
    peak: Peak
    max_time: float

    @classmethod
    def make(
        cls,
        cell: Cell,
        subject: Subject,
        rows: list[RequestRow],
        *,
        device: torch.device,
        load_seconds: float,
        fresh: bool,
        max_time: float,
    ) -> WarmCell:
        """Send the first request, and a second one where the first says little of the others.

        Raises:
            DoesNotFitError: if memory is short.
        """
        now, peak = clock(device), Peak(device)
        start = now()
        _, accounting = subject.request(rows)
        first = request = now() - start
        if fresh and is_long(first, max_time):
            start = now()
            subject.request(rows)
            request = now() - start
        return cls(cell, subject, rows, accounting, first, request, load_seconds, peak, max_time)

    def options(self, timer: Callable[[], float]) -> dict[str, object]:
        """Return what pytest-benchmark is asked for in this cell."""
        half = int(self.max_time / 2 / max(self.request_seconds, 1e-6))
        return {
            "group": self.cell.group,
            "timer": timer,
            "max_time": self.max_time,
            "min_rounds": max(_FEWEST, min(AIM, half)),
            "precision": PRECISION,
            "confidence": CONFIDENCE,
            "warmup": True,
            "warmup_iterations": 1,
        }

    def run(self, benchmark: Fixture) -> list[float]:
        """Time the rounds; return their seconds."""

        def request() -> object:
            return self.subject.request(self.rows)

        if is_long(self.request_seconds, self.max_time):
            benchmark.pedantic(request, rounds=max(1, int(self.max_time / self.request_seconds)))
        else:
            benchmark(request)
        return list(benchmark.stats.stats.data)

    def again(self, now: Callable[[], float]) -> float | None:
        """Return the median seconds of a few more requests; None where there is no time for one.

        Args:
            now: The clock of ``options``.

        Raises:
            DoesNotFitError: if memory has become short.
        """
        times = []
        for _ in range(min(_AGAIN, int(AGAIN_SHARE * self.max_time / max(self.request_seconds, 1e-6)))):
            start = now()
            self.subject.request(self.rows)
            times.append(now() - start)
        return float(np.median(times)) if times else None


def planned_row(cell: Cell, status: Unmeasured, reason: str | None) -> UnmeasuredRow:
    """Return the row of a cell without numbers: all of ``COLUMNS``, None where there is nothing to say yet."""
    row: UnmeasuredRow = {**_plan_of(cell), "status": status, "reason": reason}
    return cast("UnmeasuredRow", dict.fromkeys(COLUMNS) | row)


def _plan_of(cell: Cell) -> CellPlan:
    return {
        "name": cell.name,
        "dtype": cell.setting.dtype,
        "attention": cell.setting.attention,
        "compile": cell.setting.compile,
        "batch_size": cell.batch_size,
        "length": "rows" if cell.length is None else cell.length,
    }


def measured_row(prepared: WarmCell, times: Sequence[float], shape: Shape) -> MeasuredRow:
    """Return the row of a measured cell; what needs the roof and the fidelity comes later (``complete``)."""
    cell, count, accounting = prepared.cell, len(prepared.rows), prepared.accounting
    median = float(np.median(times))
    return {
        **_plan_of(cell),
        "status": "measured",
        "reason": None,
        "path": prepared.subject.path,
        "rounds": len(times),
        "fastest": min(times),
        "p50": median,
        "p95": percentile(times, 95),
        "p99": percentile(times, 99) if len(times) >= 100 else None,
        "spread": spread(times),
        "again": None,
        "noise": None,
        "first_call_seconds": prepared.first_seconds,
        "load_seconds": prepared.load_seconds,
        "pairs_per_second": count / 2 / median,
        "completions_per_second": count / median,
        "tokens_per_second": accounting.given / median if accounting.given else None,
        "distinct_tokens_per_second": accounting.distinct / median if accounting.given else None,
        "tokens": accounting.given or None,
        "distinct_tokens": accounting.distinct or None,
        "padding_share": 1 - accounting.computed / accounting.padded if accounting.padded else 0.0,
        "host_peak_bytes": prepared.peak.host,
        "host_peak_exact": prepared.peak.exact,
        "device_peak_bytes": prepared.peak.on_device,
        "flops": useful_flops(shape, prepared.rows),
        "bytes": shape.pass_bytes(ITEM_BYTES[cell.setting.dtype]),
        "intensity": None,
        "flops_per_second": None,
        "mfu": None,
        "roof_seconds": None,
        "share_of_roof": None,
        "bound": None,
        "drift_max": None,
        "drift_mean": None,
        "decisions": None,
        "flips": None,
        "rank_correlation": None,
    }


def useful_flops(shape: Shape, rows: Sequence[RequestRow]) -> float | None:
    """Count the FLOPs that a request's distinct tokens ask for; in a causal model a shared beginning counts once."""
    ids = [row.encoded.ids for row in rows if row.encoded is not None]
    if not ids:
        return None
    plan = make_plan(ids, share_prefixes=shape.causal)
    return shape.flops(plan.lengths.tolist(), plan.common.tolist())


def complete(row: MeasuredRow, ceiling: Ceiling, fidelity: FidelityInfo | None) -> MeasuredRow:
    """Return a measured row with its share of the roof as known by now, its noise, and its setting's fidelity."""
    row = row | {"noise": _noise(row, ceiling.drift(row["dtype"]))}
    if fidelity is not None:
        row = row | {
            "drift_max": fidelity["drift_max"],
            "drift_mean": fidelity["drift_mean"],
            "decisions": fidelity["decisions"],
            "flips": fidelity["flips"],
            "rank_correlation": fidelity["rank_correlation"],
        }
    flops, moved, median = row["flops"], row["bytes"], row["p50"]
    known = ceiling.roof(row["dtype"])
    if known is None or flops is None or moved is None:
        return row
    best = roof(flops, moved, *known)
    if best.seconds > median:  # Faster than can be: what was measured of the machine is not what binds this cell.
        return row | {"mfu": None, "roof_seconds": None, "share_of_roof": None, "bound": None}
    return row | {
        "intensity": best.intensity,
        "flops_per_second": flops / median,
        "mfu": flops / median / known[0],
        "roof_seconds": best.seconds,
        "share_of_roof": best.seconds / median,
        "bound": best.bound,
    }


def _noise(row: MeasuredRow, drift: float) -> float | None:
    """Return by what share a repetition may give another median; None for a single round.

    The largest of the rounds' spread, of what the fastest of them saved, of the change to what the same request took
    when the setting's other cells were through, and of the change of the machine's matrix rate in the sweep.
    """
    own, median = row["spread"], row["p50"]
    if own is None:
        return None
    others = [other for other in (row["fastest"], row["again"]) if other is not None]
    return max(own, drift, *(max(other / median, median / other) - 1 for other in others))


def best_cells(rows: Sequence[CellRow]) -> dict[str, str]:
    """Return the fastest measured cell that flips no decision, by length; a length without one is absent."""
    best: dict[str, tuple[float, str]] = {}
    for row in rows:
        if row["status"] == "measured" and row["flips"] == 0:
            length, speed = str(row["length"]), row["completions_per_second"]
            best[length] = max(best.get(length, (0.0, "")), (speed, row["name"]))
    return {length: name for length, (_, name) in best.items()}


def percentile(times: Sequence[float], rank: float) -> float:
    """Return a percentile, interpolated between its neighbours."""
    return float(np.percentile(times, rank))


def spread(times: Sequence[float]) -> float | None:
    """Return the rounds' interquartile range as a share of their median; None for fewer than 2 rounds."""
    if len(times) < 2:
        return None
    low, middle, high = (float(value) for value in np.percentile(times, (25, 50, 75)))
    return (high - low) / middle

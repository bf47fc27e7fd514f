"""The bench: plan a sweep, measure it, keep every finished cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from rmeval.bench import storage
from rmeval.bench.cells import Cells, Note
from rmeval.bench.folder import default_folder, hold
from rmeval.bench.measure.ceiling import LONGEST, Ceiling
from rmeval.bench.measure.cell import planned_row
from rmeval.bench.measure.fidelity import FidelityCheck
from rmeval.bench.plan import OWN, Sweep, make_plan, total_seconds
from rmeval.bench.session import run_session
from rmeval.bench.subjects.asked import AskedSubjects, as_asked, is_asked
from rmeval.bench.subjects.model import ModelSubjects, Subjects
from rmeval.bench.subjects.quantize import why_no_int8
from rmeval.bench_info import BenchDocument, BenchInfo, CellRow, Planned
from rmeval.errors import ModelError, UsageError
from rmeval.eval.environment import environment
from rmeval.eval.models.device import free_bytes, pick_device

_SHARE = 0.4
_TOKENS = 20_000.0
"""Tokens of the fidelity sample where the model's FLOPs are not known."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is known before the first cell runs."""

    planned: Sequence[Planned]
    seconds: float
    """Estimate for what is left to do."""
    done: int
    """Cells that an earlier run has measured."""
    folder: Path


def run_bench(sweep: Sweep | str, output_dir: str | Path | None = None, *, overwrite: bool = False) -> BenchDocument:
    """Measure a sweep, or the default one of a model; ``bench`` has the arguments and errors."""
    asked = Sweep(sweep) if isinstance(sweep, str) else sweep
    return bench(asked, None if output_dir is None else Path(output_dir), overwrite=overwrite)


def bench(
    sweep: Sweep,
    output_dir: Path | None = None,
    *,
    overwrite: bool = False,
    command: Sequence[str] = (),
    announce: Callable[[Announcement], None] | None = None,
    note: Note | None = None,
    page: Callable[[BenchDocument, Path], object] | None = None,
    source: Subjects | None = None,
    pytest_arguments: Sequence[str] = (),
) -> BenchDocument:
    """Measure a sweep; write ``bench.json`` and ``bench.csv`` after every cell.

    Args:
        sweep: What to measure.
        output_dir: Folder of the files; None for ``runs/bench-MODEL-TIME``, or the folder of an unfinished run of the
            same sweep. An unfinished run of the same sweep goes on where it was.
        overwrite: Replace a finished run, or one of another sweep.
        command: For the record.
        announce: Told of the plan before anything is measured.
        note: Told a line a cell.
        page: Writes ``bench.html`` of a document into a folder; called at the end, and after Ctrl-C.
        source: Where models come from, if not from ``sweep.model``.
        pytest_arguments: More arguments of the pytest session, such as ``--benchmark-compare=OLD.json`` and
            ``--benchmark-compare-fail=median:5%``; what these find is in the result's ``rmeval.regressions``.

    Returns:
        The content of ``bench.json``; the folder is its ``rmeval.folder``.

    Raises:
        KeyboardInterrupt: on Ctrl-C, with every finished cell written.
        DataError: if the data set cannot be read.
        ModelError: if the model cannot be used, or not one cell could be measured.
        RunError: if the folder holds another run or files that rmeval did not write, if another process writes there,
            or if it cannot be written.
        UsageError: if there is no such device.
    """
    asked = source is None and is_asked(sweep.model)
    sweep = as_asked(sweep) if asked else sweep
    device = pick_device(sweep.device)
    folder = output_dir or default_folder(sweep)
    source = source or (AskedSubjects(sweep) if asked else ModelSubjects(sweep, device))
    files = storage.FILES if page is not None else (storage.JSON, storage.CSV)
    with hold(folder, sweep, command, files, overwrite=overwrite) as document:
        cells = _plan(document, sweep, source, device, folder, announce, note)
        try:
            run_session(cells, pytest_arguments)
            document["rmeval"]["complete"] = True
        finally:
            cells.finish()
            if page is not None and isinstance(cells.failure, KeyboardInterrupt):
                page(document, folder)
        document["rmeval"]["regressions"] = cells.regressions
        rows = document["rmeval"]["cells"]
        if all(row["status"] != "measured" for row in rows):
            raise ModelError(f"no cell could be measured: {next(row['reason'] for row in rows if row['reason'])}")
        if page is not None:
            page(document, folder)
    return document


def _plan(
    document: BenchDocument,
    sweep: Sweep,
    source: Subjects,
    device: torch.device,
    folder: Path,
    announce: Callable[[Announcement], None] | None,
    note: Note | None,
) -> Cells:
    """Measure the machine, and say which cells are to be measured and what they will take."""
    own = document["rmeval"]
    # What the model cannot take is known before the machine is measured, which takes its time.
    planned = make_plan(sweep, source.shape, {}, {})
    if all(each.reason is not None for each in planned):
        raise UsageError(f"nothing to measure: {planned[0].cell.name}: {planned[0].reason}")
    ceiling = Ceiling(**own["ceiling"], longest=min(LONGEST, sweep.max_time / 100))
    unusable = _measure_ceiling(ceiling, sweep, device)
    rates = {dtype: max(values) for dtype, values in ceiling.rates.items()}
    planned = make_plan(
        sweep,
        source.shape,
        rates,
        unusable,
        row_tokens=_row_tokens(source, sweep) if sweep.dataset else None,
        free_bytes=free_bytes(device),
    )
    if all(each.reason is not None for each in planned):
        raise UsageError(f"nothing to measure: {planned[0].cell.name}: {planned[0].reason}")
    _fill(own, planned, source, device)
    check = None
    if sweep.dtypes != (OWN,):
        check = FidelityCheck(source, _sample_tokens(source, rates.get("float32"), sweep.max_time), min(sweep.lengths))
    if announce is not None:
        done = {row["name"] for row in own["cells"] if row["status"] == "measured"}
        announce(Announcement(planned, total_seconds(planned, sweep.max_time, done), len(done), folder))
    return Cells(planned, source, sweep, device, ceiling, check, document, folder, note or (lambda _: None))


def _measure_ceiling(ceiling: Ceiling, sweep: Sweep, device: torch.device) -> dict[str, str]:
    """Measure the machine; return which dtypes it cannot run, and why."""
    if sweep.dtypes == (OWN,):
        return {}
    missing = why_no_int8()
    unusable = {"int8": missing} if missing and "int8" in sweep.dtypes else {}
    ceiling.measure_bandwidth(device)
    for dtype in dict.fromkeys(["float32", *sweep.dtypes]):
        if dtype in unusable:
            continue
        try:
            if dtype == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(False):
                raise RuntimeError("this GPU only emulates it")
            ceiling.measure(dtype, device)
        except (RuntimeError, NotImplementedError, TypeError) as error:
            reason = str(error).strip().partition("\n")[0][:150]
            unusable[dtype] = f"{device} cannot multiply in {dtype}: {reason}"
    return unusable


def _row_tokens(source: Subjects, sweep: Sweep) -> dict[int, float]:
    return {size: float(sum(row.tokens for row in source.rows(size, None))) for size in sweep.batch_sizes}


def _sample_tokens(source: Subjects, rate: float | None, seconds: float) -> float:
    """Return how many tokens float32 should score in the time of a cell."""
    flops = source.shape.flops([512])
    return _TOKENS if flops is None or not rate else _SHARE * rate * seconds / (flops / 512)


def _fill(own: BenchInfo, planned: Sequence[Planned], source: Subjects, device: torch.device) -> None:
    """Bring the file's rows up to the plan; what an earlier run measured stays."""
    known = {row["name"]: row for row in own["cells"] if row["status"] == "measured"}
    rows: list[CellRow] = [
        known.get(each.cell.name) or planned_row(each.cell, "skipped" if each.reason else "planned", each.reason)
        for each in planned
    ]
    own.update({"cells": rows, "device": str(device), "environment": environment(), "shape": asdict(source.shape)})

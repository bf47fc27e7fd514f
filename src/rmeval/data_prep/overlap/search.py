"""The overlap of a build's training pairs with benchmarks, looked for in parallel.

What is found does not depend on how the pairs are dealt out to workers.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rmeval.data_prep.overlap.contamination import HitKind, OverlapReport, find_overlap
from rmeval.data_prep.pairs.columns import decode_pairs
from rmeval.data_prep.sources.base import Pair
from rmeval.errors import RunError
from rmeval.types import Example, Progress

__all__ = ["PairsFile", "find_contamination"]

_TASK_ROWS = 32_768
"""Pairs of a task, about; each task makes an index of the benchmarks of its own."""


@dataclass(frozen=True, slots=True)
class PairsFile:
    """The training pairs in a file, or in some of its row groups."""

    file: Path
    """Parquet with the columns ``rmeval.data_prep.pairs.columns.PAIRS``."""
    ids: pa.Array
    """The id of each pair, null where it is not in the training split."""
    groups: tuple[int, ...] = ()
    """The row groups that the ids are of; set here."""


def find_contamination(
    benchmarks: Mapping[str, Sequence[Example]],
    training: Iterable[PairsFile],
    workers: int = 1,
    progress: Progress | None = None,
) -> OverlapReport:
    """Look for benchmark examples in training pairs, as ``rmeval.data_prep.overlap.contamination.find_overlap`` does.

    Args:
        benchmarks: name -> examples.
        training: the files, in order.
        workers: processes.
        progress: called with pairs looked at, and pairs in all.

    Raises:
        RunError: if a worker dies.
    """
    tasks = list(chain.from_iterable(map(_tasks, training)))
    total = sum(len(task.ids) for task in tasks)
    reports = [find_overlap(benchmarks, [])]  # where there is no pair, there is a report all the same
    done = 0
    for task, report in zip(tasks, _reports(benchmarks, tasks, workers), strict=True):
        reports.append(report)
        done += len(task.ids)
        if progress:
            progress(done, total)
    return _merge(benchmarks, reports)


def _tasks(training: PairsFile) -> Iterator[PairsFile]:
    """Cut a file into tasks of whole row groups."""
    metadata = pq.read_metadata(training.file)
    groups: list[int] = []
    start = stop = 0
    for group in range(metadata.num_row_groups):
        groups.append(group)
        stop += metadata.row_group(group).num_rows
        if stop - start >= _TASK_ROWS or group == metadata.num_row_groups - 1:
            yield replace(training, ids=training.ids.slice(start, stop - start), groups=tuple(groups))
            groups, start = [], stop


def _reports(
    benchmarks: Mapping[str, Sequence[Example]], tasks: Sequence[PairsFile], workers: int
) -> Iterator[OverlapReport]:
    """Yield the report of each task, in order."""
    run = partial(_look, benchmarks)
    if workers == 1 or len(tasks) < 2:
        yield from map(run, tasks)
        return
    try:
        with ProcessPoolExecutor(min(workers, len(tasks)), initializer=_ignore_interrupts) as pool:
            try:
                yield from pool.map(run, tasks)
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise
    except BrokenProcessPool as error:
        raise RunError("a worker was killed, perhaps for want of memory: go on with fewer --workers") from error


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle, once.


def _look(benchmarks: Mapping[str, Sequence[Example]], task: PairsFile) -> OverlapReport:
    return find_overlap(benchmarks, _pairs(task))


def _pairs(task: PairsFile) -> Iterator[tuple[str, Pair]]:
    start = 0
    with pq.ParquetFile(task.file) as file:
        for group in task.groups:
            table = file.read_row_group(group, columns=["chosen", "rejected", "prompt_messages"])
            ids = task.ids.slice(start, len(table))
            start += len(table)
            yield from zip(ids.drop_null().to_pylist(), decode_pairs(table.filter(ids.is_valid())), strict=True)


def _merge(benchmarks: Mapping[str, Sequence[Example]], reports: Sequence[OverlapReport]) -> OverlapReport:
    """Return the report of all rows; the first report is of none, and the others are in order."""
    examples = ((name, example.id) for name, found in benchmarks.items() for example in found)
    order = {example: number for number, example in enumerate(examples)}
    hits = sorted(
        chain.from_iterable(report.hits for report in reports),
        key=lambda hit: order[hit.benchmark, hit.example],  # stable: rows stay in their order
    )
    found: dict[tuple[str, str, HitKind], set[str]] = {}
    for hit in hits:
        found.setdefault((hit.benchmark, hit.subset, hit.kind), set()).add(hit.example)
    subsets = []
    for each in reports[0].subsets:
        exact, ngram, completion = (
            found.get((each.benchmark, each.subset, kind), set()) for kind in ("exact", "ngram", "completion")
        )
        share = len(exact | ngram) / each.examples
        same, near = len(exact), len(ngram - exact)
        subsets.append(replace(each, exact=same, ngram=near, completion=len(completion), share=share))
    return OverlapReport(
        rows=sum(report.rows for report in reports),
        subsets=tuple(subsets),
        hits=tuple(hits),
        contaminated=tuple(chain.from_iterable(report.contaminated for report in reports)),
    )

"""The pairs of a build, written in the order of the mixture; and their statistics, collected on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rmeval.data_prep.output.shards import OUTPUT, ROW_GROUP, ShardWriter
from rmeval.data_prep.output.statistics import StatisticsBuilder, preview
from rmeval.data_prep.output.statistics_schema import PairStatistics, Preview
from rmeval.data_prep.pairs.columns import decode_pairs
from rmeval.data_prep.split.assign import TEST, TRAIN, Assigned
from rmeval.types import Progress

__all__ = ["write_pairs"]

_NUMBERS = ["prompt_chars", "chosen_chars", "rejected_chars", "chosen_score", "rejected_score"]


def write_pairs(
    assigned: Sequence[Assigned], seed: int, folder: Path, progress: Progress | None = None
) -> PairStatistics:
    """Write ``train-*.parquet`` and ``test-*.parquet`` into a folder.

    Args:
        assigned: the pairs of each source, in the order of the mixture.
        seed: which examples the statistics show.
        folder: where the files go.
        progress: called with pairs looked at, and pairs in all.
    """
    statistics = StatisticsBuilder(seed)
    train_rows, test_rows = (sum(each.count(code) for each in assigned) for code in (TRAIN, TEST))
    total = sum(len(each.codes) for each in assigned)
    done = 0
    with ShardWriter(folder, "train", train_rows) as train, ShardWriter(folder, "test", test_rows) as test:
        for each in assigned:
            for rows, codes in _batches(each):
                train.write(_output(rows.filter(pa.array(codes == TRAIN)), each))
                test.write(_output(rows.filter(pa.array(codes == TEST)), each))
                _count(statistics, each.built.entry.label, rows, codes)
                done += len(rows)
                if progress:
                    progress(done, total)
    return statistics.to_json()


def _batches(assigned: Assigned) -> Iterator[tuple[pa.Table, np.ndarray[tuple[int], np.dtype[np.int8]]]]:
    """Yield the pairs of a source, with their ids, and what becomes of each."""
    start = 0
    with pq.ParquetFile(assigned.built.pairs) as file:
        for batch in file.iter_batches(ROW_GROUP):
            stop = start + len(batch)
            rows = pa.Table.from_batches([batch]).append_column("id", assigned.ids.slice(start, len(batch)))
            yield rows, assigned.codes[start:stop]
            start = stop


def _output(rows: pa.Table, assigned: Assigned) -> pa.Table:
    labels = pa.repeat(pa.scalar(assigned.built.entry.label), len(rows))
    return rows.append_column("subset", labels).select(OUTPUT.names).cast(OUTPUT)


def _count(
    statistics: StatisticsBuilder, label: str, rows: pa.Table, codes: np.ndarray[tuple[int], np.dtype[np.int8]]
) -> None:
    """Add a batch to the statistics; its text is looked at only where a pair is drawn as an example."""
    numbers = zip(*(rows.column(name).to_pylist() for name in _NUMBERS), strict=True)
    for place, (code, each) in enumerate(zip(codes.tolist(), numbers, strict=True)):
        if code in (TRAIN, TEST):
            prompt, chosen, rejected, high, low = each
            shown = _Shown(rows, place)
            statistics.add(label, "train" if code == TRAIN else "test", prompt, chosen, rejected, high, low, shown)


class _Shown:
    """Makes the preview of a pair, if it is asked for."""

    def __init__(self, rows: pa.Table, place: int) -> None:
        self._rows, self._place = rows, place

    def __call__(self) -> Preview:
        row = self._rows.slice(self._place, 1)
        [pair] = decode_pairs(row)
        scores = (row.column(name)[0].as_py() for name in ("chosen_score", "rejected_score"))
        return preview(pair.prompt, pair.chosen, pair.rejected, *scores)

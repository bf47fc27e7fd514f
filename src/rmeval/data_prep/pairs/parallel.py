"""``datasets.Dataset.map`` over batches of rows: in a folder of our own, quiet, and clean after Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pyarrow as pa

from rmeval.data_prep.pairs.columns import Tally, make_pairs
from rmeval.data_prep.sources import Source
from rmeval.errors import RunError

__all__ = ["clear", "make_in_parallel", "quiet"]

_TALLIES = "tally-*.json"


def make_in_parallel(slab: Sequence[str], source: Source, folder: Path, workers: int) -> tuple[pa.Table, Tally]:
    """Apply a source's rules to batches of units.

    Args:
        slab: each of ``rmeval.data_prep.pairs.columns.encode_units``.
        source: whose rules.
        folder: the batches and what is made of them lie here, until the next call or ``clear``: the pairs as
            ``*.arrow``, and the tally of each batch as ``tally-*.json``.
        workers: processes, at most one a batch.

    Returns:
        The pairs with the columns ``rmeval.data_prep.pairs.columns.PAIRS``, batch after batch, memory-mapped; and what
        became of all rows.

    Raises:
        RunError: if a worker dies.
    """
    import datasets

    clear(folder)  # The library would go by the number of files that it finds, and not by that of the workers.
    given = folder / "units.arrow"
    schema = pa.schema({"units": pa.large_string()})
    with pa.ipc.new_stream(str(given), schema) as writer:
        for text in slab:
            writer.write_table(pa.table({"units": [text]}, schema))
    rows = datasets.Dataset.from_file(str(given)).with_format("arrow")
    number = min(workers, len(slab))
    try:
        made = rows.map(
            partial(_work, source=source, folder=folder, parent=os.getpid()),
            with_indices=True,
            batched=True,
            batch_size=1,
            num_proc=number if number > 1 else None,
            remove_columns=["units"],
            cache_file_name=str(folder / "made.arrow"),
            load_from_cache_file=False,
            new_fingerprint="made",
        )
    except Exception as error:
        if _was_interrupted(error):
            raise KeyboardInterrupt from error
        if "abruptly died" in str(error):
            raise RunError("a worker was killed, perhaps for want of memory: go on with fewer --workers") from error
        raise
    tallies = [Tally(**json.loads(file.read_text(encoding="utf-8"))) for file in folder.glob(_TALLIES)]
    if len(tallies) != len(slab):
        raise RuntimeError(f"{len(tallies)} tallies of {len(slab)} batches")
    return made.data.table, Tally.total(tallies)


def _was_interrupted(error: BaseException | None) -> bool:
    """Return whether it all began with Ctrl-C: the library, tidying up after it, raises an error of its own."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _work(batch: pa.Table, places: Sequence[int], source: Source, folder: Path, parent: int) -> pa.Table:
    """Return the pairs of one batch, and leave its tally in a file."""
    if os.getpid() != parent:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle, once.
    [text], [place] = batch.column("units").to_pylist(), places
    pairs, tally = make_pairs(json.loads(text), source)
    (folder / _TALLIES.replace("*", str(place))).write_text(json.dumps(asdict(tally)), encoding="utf-8")
    return pairs


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's own bars and notes off the terminal."""
    import datasets

    bars, verbosity = datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(verbosity)
        if not bars:
            datasets.enable_progress_bars()


def clear(folder: Path) -> None:
    """Remove what was made."""
    for file in (*folder.glob("*.arrow"), *folder.glob(_TALLIES)):
        file.unlink()

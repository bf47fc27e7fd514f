"""One source of a mixture becomes a Parquet file of pairs and a tally: parallel, bounded in memory, built once.

Rows are read one by one and go through ``datasets.Dataset.map`` in slabs that lie on disk, so that neither rows nor
pairs are ever all in memory. Where a slab or a batch ends depends on the rows alone: the pairs and their order are the
same for any number of workers.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from rmeval.data_prep.mixture import SourceEntry
from rmeval.data_prep.pairs.columns import PAIRS, Tally, encode_units
from rmeval.data_prep.pairs.parallel import clear, make_in_parallel, quiet
from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.rows.stream import RowSource, open_source
from rmeval.data_prep.sources import Source, get_source
from rmeval.errors import DataError, UsageError
from rmeval.files import replacing, write_text
from rmeval.types import Progress

__all__ = ["Built", "build_source", "code_hash"]

PAIRS_FILE, BUILT_FILE = "pairs.parquet", "built.json"
_BATCH_ROWS = 128
_SLAB_BYTES = 128 << 20
"""Of JSON text; its pairs take about as much again."""
_LOOKED_AT = 100
"""First rows, of which one at least must have the source's columns."""
_ROW_GROUP = 4_096


@dataclass(frozen=True, slots=True)
class Built:
    """A source, built."""

    entry: SourceEntry
    source: Source
    folder: Path
    data: str
    """A Hub id, or the name of a local file or folder without its path."""
    revision: str | None
    """The commit of a Hub data set."""
    files: Mapping[str, str]
    """The data's files -> their sha256."""
    tally: Tally
    kept: bool
    """True where it had been built before."""

    @property
    def pairs(self) -> Path:
        """Parquet with the columns ``data_prep.pairs.columns.PAIRS``: all pairs of the source's rules, in order."""
        return self.folder / PAIRS_FILE


def build_source(entry: SourceEntry, folder: Path, workers: int = 1, progress: Progress | None = None) -> Built:
    """Read a source's rows and apply its rules; take what is in ``folder`` if it was built from the same.

    Args:
        entry: which source, and where its rows are.
        folder: what is built goes here.
        workers: processes.
        progress: called with rows done, and about how many there are.

    Raises:
        DataError, UsageError: if its rows cannot be found or read, or are of another data set; the message names the
            source.
    """
    source = get_source(entry.name)
    try:
        found = _find(entry, source)
        about = _identity(found, source)
        tally = _earlier(folder, about)
        if tally is None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            tally = _build(found, source, folder, workers, progress)
            write_text(folder / BUILT_FILE, json.dumps({"about": about, "tally": asdict(tally)}))
            kept = False
        else:
            kept = True
    except (DataError, UsageError) as error:
        raise type(error)(f"source {entry.label}: {error}") from error
    return Built(entry, source, folder, about["data"], found.revision, about["files"], tally, kept)


# --- what it is built from --------------------------------------------------------------------------------------


def _find(entry: SourceEntry, source: Source) -> RowSource:
    path = entry.path or source.hub_id
    if path is None:
        raise UsageError(f"{entry.name} has no data set of its own: give a path")
    return open_source(path, split=entry.split, revision=entry.revision, default_split=source.split, files=source.files)


def _identity(found: RowSource, source: Source) -> dict[str, Any]:
    """Return everything that the pairs depend on."""
    name = found.name if found.revision is not None else Path(found.name).name
    paths = [(label, path) for label, path in found.files]
    if found.saved is not None:
        paths = [(Path(file["filename"]).name, Path(file["filename"])) for file in found.saved.cache_files]
    files = {label.removeprefix(found.name).lstrip("/") or name: _sha256(path) for label, path in paths}
    return {
        "source": source.name,
        "data": name,
        "revision": found.revision,
        "split": found.split,
        "files": files,
        "code": code_hash(source),
    }


def code_hash(source: Source) -> str:
    """Return a hash of the code that makes this source's pairs: what other code built is built again."""
    root = Path(__file__).parents[1]
    own = sys.modules[source.pairs.__module__].__file__
    paths = {root / "text" / "normalise.py", root / "text" / "tools.py", *([Path(own)] if own else [])}
    paths |= {root / "sources" / name for name in ("base.py", "common.py")}
    for folder in ("rows", "pairs"):
        paths |= set((root / folder).glob("*.py"))
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror or error})") from error


def _earlier(folder: Path, about: Mapping[str, Any]) -> Tally | None:
    """Return the tally of what was built from the same, or None."""
    try:
        built = json.loads((folder / BUILT_FILE).read_text(encoding="utf-8"))
        return Tally(**built["tally"]) if built["about"] == about and (folder / PAIRS_FILE).is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


# --- building ---------------------------------------------------------------------------------------------------


def _build(found: RowSource, source: Source, folder: Path, workers: int, progress: Progress | None) -> Tally:
    total = found.estimate() if progress else 0
    tally = Tally()
    with (
        replacing(folder / PAIRS_FILE) as temporary,
        pq.ParquetWriter(temporary, PAIRS, compression="zstd", use_dictionary=False) as writer,
        quiet(),
    ):
        for slab in _slabs(_batches(_units(_checked(found, source), source))):
            pairs, more = make_in_parallel(slab, source, folder, workers)
            writer.write_table(pairs, row_group_size=_ROW_GROUP)
            tally = Tally.total([tally, more])
            if progress:
                progress(tally.rows, max(tally.rows, total))
    clear(folder)
    return tally


def _checked(found: RowSource, source: Source) -> Iterator[Row]:
    """Yield the rows, once it is seen that they are the source's."""
    rows = (row for _, row in found.rows())
    first = list(islice(rows, _LOOKED_AT))
    if not first:
        raise DataError(f"{found.name} has no rows" + (f" in split {found.split!r}" if found.split is not None else ""))
    if not any(all(column in row for column in source.columns) for row in first):
        columns = list(dict.fromkeys(column for row in first for column in row))
        lacking = [column for column in source.columns if column not in columns]
        has = ", ".join(map(repr, columns[:20])) or "none"
        what = ", ".join(map(repr, lacking)) or "one row that has all of its columns"
        raise DataError(f"{found.name} is not {source.title}: it lacks {what} (it has: {has})")
    yield from chain(first, rows)


def _units(rows: Iterable[Row], source: Source) -> Iterator[list[Row]]:
    """Group the rows of a key, wherever they stand, in the order in which the keys come up first.

    For sources with a key the rows are held in memory, as JSON: no more than they take on disk.
    """
    if source.unit_key is None:
        yield from ([row] for row in rows)
        return
    grouped: dict[str | int, list[str]] = {}
    for number, row in enumerate(rows):
        key = source.unit_key(row)
        grouped.setdefault(number if key is None else key, []).append(encode_units([[row]]))
    for texts in grouped.values():
        yield [json.loads(text)[0][0] for text in texts]


def _batches(units: Iterable[list[Row]]) -> Iterator[str]:
    """Encode units, some together: one by one they would cost more than their rules."""
    batch: list[list[Row]] = []
    rows = 0
    for unit in units:
        batch.append(unit)
        rows += len(unit)
        if rows >= _BATCH_ROWS:
            yield encode_units(batch)
            batch, rows = [], 0
    if batch:
        yield encode_units(batch)


def _slabs(batches: Iterable[str]) -> Iterator[list[str]]:
    slab: list[str] = []
    size = 0
    for batch in batches:
        slab.append(batch)
        size += len(batch)
        if size >= _SLAB_BYTES:
            yield slab
            slab, size = [], 0
    if slab:
        yield slab

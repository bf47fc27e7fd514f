"""Where the rows of a data set are, in a file, a folder or on the Hub; and the rows one by one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.data_prep.rows.files import (
    BATCH,
    DATA_SUFFIXES,
    PACKED_SUFFIXES,
    PlacedRow,
    count_rows,
    file_rows,
    reason,
    table_rows,
)
from rmeval.data_prep.rows.hub import is_hub_id, snapshot
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import DataError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RowSource", "open_source"]

_ABOUT = ["README.md", "*.yaml"]
_HUB_FILES = [*(f"*{suffix}" for suffix in DATA_SUFFIXES), *_ABOUT]  # data and what it is, no code


@dataclass(frozen=True, slots=True)
class RowSource:
    """Where the rows of one split are; nothing is read yet."""

    name: str
    """As given: a path or a Hub id."""
    files: tuple[tuple[str, Path], ...]
    """What messages call each file, and where it is; none for a folder written by ``save_to_disk``."""
    split: str | None = None
    """None where the data has no splits."""
    revision: str | None = None
    """The commit of a Hub data set."""
    saved: Any = None
    """The ``datasets.Dataset`` in a folder written by ``save_to_disk``, memory-mapped."""

    def rows(self) -> Iterator[PlacedRow]:
        """Yield (place, row) in order, the place as in ``pairs.jsonl line 18``; they may be more than memory holds.

        Raises:
            DataError: if a file or row cannot be read.
        """
        for label, path in self.files:
            yield from file_rows(path, label)
        if self.saved is not None:
            yield from self._saved_rows()

    def _saved_rows(self) -> Iterator[PlacedRow]:
        label = f"{self.name} split {self.split!r}"
        try:
            rows = (row for table in self.saved.with_format("arrow").iter(BATCH) for row in table_rows(table))
            yield from ((f"{label} row {number}", row) for number, row in enumerate(rows, start=1))
        except Exception as error:
            raise _damaged(self.name, error) from error

    def schema(self) -> pa.Schema | None:
        """Return the columns' types where the data declares them: in Parquet and in ``save_to_disk``'s folders."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self.saved is not None:
            return self.saved.features.arrow_schema.remove_metadata()
        if not all(path.name.lower().endswith(".parquet") for _, path in self.files):
            return None
        try:
            schemas = [pq.read_schema(path) for _, path in self.files]
            # What pandas and datasets note in the metadata is not true of a table with more columns.
            return pa.unify_schemas(schemas, promote_options="permissive").remove_metadata()
        except (pa.ArrowException, OSError):
            return None  # The reader says what is wrong with the file; types that differ are found out row by row.

    def estimate(self) -> int:
        """Return about how many rows there are, without parsing them: lines of text files, for a progress bar."""
        return sum(count_rows(path) for _, path in self.files) + (0 if self.saved is None else len(self.saved))


def open_source(
    source: str,
    *,
    split: str | None = None,
    revision: str | None = None,
    default_split: str | None = None,
    files: Sequence[str] = (),
    layout: Sequence[Sequence[str]] = (),
) -> RowSource:
    """Find the files of a data set; the other arguments are those of ``rmeval.data_prep.rows.in_memory.load_rows``.

    Args:
        files: in a folder or Hub repository, patterns (``fnmatch``) of the paths of the files to read; empty for all.

    Raises:
        DataError: if there is no such data set or split.
        UsageError: if a split is asked of a file, or a revision of a local path.
    """
    path = os.path.expanduser(source)
    if os.path.exists(path):
        if revision is not None:
            raise UsageError(f"{source} is a local path, which has no revision: leave the revision out")
        if os.path.isdir(path):
            found = None if split is not None else _laid_out(Path(path), source, default_split, layout)
            return found or _open_folder(Path(path), source, split, default_split, files)
        if split is not None:
            raise UsageError(f"{source} is a file, which has no splits: leave the split out")
        return RowSource(source, ((source, Path(path)),))
    if source.startswith((".", "/", "~")) or source.lower().endswith(DATA_SUFFIXES):
        raise DataError(f"no such file or folder: {source}")
    if not is_hub_id(source):
        raise DataError(f"no such file or folder, and not the name of a Hub data set: {source!r}")
    wanted = [*files, *_ABOUT] if files else _HUB_FILES
    folder, commit = snapshot(source, kind="dataset", revision=revision, allow_patterns=wanted)
    found = None if split is not None else _laid_out(folder, source, default_split, layout)
    return replace(found or _open_folder(folder, source, split, default_split, files), revision=commit)


# --- folders ----------------------------------------------------------------------------------------------------


def _open_folder(folder: Path, name: str, split: str | None, default: str | None, patterns: Sequence[str]) -> RowSource:
    """Open one split of a folder: one saved by ``save_to_disk``, or one of data files."""
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        saved = _load_saved(folder, name)
        chosen = _choose_split(name, list(saved), split, default)
        return RowSource(name, (), chosen, saved=saved[chosen])
    files = _data_files(folder, name)
    chosen = _choose_split(name, list(files), split, default)
    matching = [(label, path) for label, path in files[chosen] if _matches(label, patterns)]
    if not matching:
        raise DataError(f"{name} has no file in split {chosen!r} whose path matches {' or '.join(patterns)}")
    return RowSource(name, tuple((f"{name.rstrip('/')}/{label}", path) for label, path in matching), chosen)


def _laid_out(folder: Path, name: str, split: str | None, layout: Sequence[Sequence[str]]) -> RowSource | None:
    """Open the files that the first patterns of a layout fit; None where none fits any."""
    paths = sorted(path for path in folder.rglob("*") if path.name.lower().endswith(DATA_SUFFIXES)) if layout else []
    labels = {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
    for patterns in layout:
        if fitting := [label for label in labels if _matches(_unpacked(label), patterns)]:
            files = tuple((f"{name.rstrip('/')}/{label}", labels[label]) for label in fitting)
            return RowSource(name, files, split)
    return None


def _matches(label: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(label, pattern) for pattern in patterns)


def _unpacked(label: str) -> str:
    """Return the path that a packed file has in the layout, where it is not packed."""
    return next((label.removesuffix(each) for each in PACKED_SUFFIXES if label.endswith(each)), label)


def _load_saved(folder: Path, name: str) -> dict[str, Any]:
    """Return the splits that ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk`` wrote, memory-mapped."""
    import datasets

    try:
        saved = datasets.load_from_disk(str(folder))
    except Exception as error:
        raise _damaged(name, error) from error
    if not isinstance(saved, dict):  # one split, which need not have a name
        saved = {saved.split or "train": saved}
    return {str(split): rows for split, rows in saved.items()}


def _damaged(name: str, error: Exception) -> DataError:
    """Return what to raise for an error of the library: it has many kinds, and each means a damaged folder."""
    return DataError(f"{name} was written by save_to_disk but cannot be read ({reason(error)})")


def _data_files(folder: Path, name: str) -> dict[str, list[tuple[str, Path]]]:
    """Return the splits of a folder, each with its files and their paths relative to the folder.

    The library says which file belongs to which split (names, README); we read the files ourselves: no copy in its
    cache that could be stale, no columns cast, and every row keeps its line.
    """
    import datasets

    root = os.path.realpath(folder)
    try:
        with tempfile.TemporaryDirectory() as cache:
            found = datasets.load_dataset_builder(root, cache_dir=cache).config.data_files or {}
    except FileNotFoundError as error:
        supported = ", ".join(DATA_SUFFIXES)
        raise DataError(f"{name} has no data files ({reason(error)}); supported: {supported}") from error
    except Exception as error:  # a README that is not YAML, several configurations, a script, …
        why = reason(error).partition(" Example of usage:")[0]
        raise DataError(f"{name}: cannot tell its data files ({why}): give the path of one file") from error
    splits: dict[str, list[tuple[str, Path]]] = {}
    for split, paths in found.items():
        labels = [os.path.relpath(path, root) for path in paths]
        # A README may name anything; only what lies in the folder is its data.
        if any("://" in path for path in paths) or any(label.startswith("..") for label in labels):
            raise DataError(f"{name}: its README names data outside its own folder; give the path of the data itself")
        splits[str(split)] = [(label, Path(root, label)) for label in labels]
    return splits


def _choose_split(name: str, splits: Sequence[str], asked: str | None, default: str | None) -> str:
    """Return the split to read; never more than one, and never a guess."""
    wanted = default if asked is None else asked
    if wanted is not None and wanted in splits:
        return wanted
    if asked is not None:
        raise DataError(f"{name} has no split {asked!r}{did_you_mean(asked, splits)} (splits: {', '.join(splits)})")
    if len(splits) == 1:
        return splits[0]
    raise DataError(
        f"{name} has several splits ({', '.join(splits)}): choose one with --split, or with 'split' in a mixture, "
        "'dataset_train_split' in a recipe"
    )

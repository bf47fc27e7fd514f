"""A run on disk: ``run.json``, ``scores.parquet``, ``examples.parquet``; written whole or not at all.

``run.json`` is written last and holds the sha256 of the other two: a folder without it is an unfinished run, and files
that do not belong together are noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from rmeval import files
from rmeval.errors import RunError
from rmeval.records import notebook
from rmeval.run_info import RunInfo
from rmeval.run_tables import TAG, TEXT_COLUMNS
from rmeval.types import ScoredExample

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
RUN, SCORES, EXAMPLES, REPORT = "run.json", "scores.parquet", "examples.parquet", "report.html"
WRITTEN = (RUN, SCORES, EXAMPLES, REPORT)
"""Everything in a run's folder that is rmeval's."""


@dataclass(frozen=True)
class RunRecord:
    """A run: what ``run.json`` says, and its two tables."""

    info: RunInfo
    scores_table: pa.Table
    examples_table: pa.Table
    path: Path | None = None
    """The run's folder; None for a run that is in memory only."""

    @cached_property
    def scores(self) -> pd.DataFrame:
        """``scores.parquet``: a row a completion, in data-set order."""
        frame: pd.DataFrame = self.scores_table.to_pandas()
        return frame

    @cached_property
    def examples(self) -> pd.DataFrame:
        """``examples.parquet``: a row an example, in data-set order; messages as JSON text."""
        frame: pd.DataFrame = self.examples_table.to_pandas()
        return frame

    def __repr__(self) -> str:
        return notebook.line(self.info, self.path)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return notebook.table(self.info, self.path)

    def with_info(self, **changes: Any) -> RunRecord:
        """Return the same run with other values in ``info``."""
        return replace(self, info=replace(self.info, **changes))


def scored_examples(run: RunRecord) -> list[ScoredExample]:
    """Put a run's scores beside its examples: all that the metrics need.

    Raises:
        RunError: if the two tables do not fit together.
    """
    rows = run.scores_table.select(["example_id", "role", "score", "truncated", "refined"]).to_pydict()
    said = "status" in run.scores_table.column_names
    statuses = run.scores_table.column("status").to_pylist() if said else []
    places: dict[str, list[int]] = {}
    for place, name in enumerate(rows["example_id"]):
        places.setdefault(name, []).append(place)
    scored = []
    for name, subset, prompt, hashes, chars, tag in zip(*_columns(run.examples_table), strict=True):
        own = places.pop(name, [])
        if len(own) != len(chars):
            raise RunError(f"{run.path}: example {name} has {len(own)} scores in {SCORES}")
        middle = sum(rows["role"][place] == "chosen" for place in own)
        values = [rows["score"][place] for place in own]
        scored.append(
            ScoredExample(
                id=name,
                subset=subset,
                prompt_hash=prompt,
                chosen=tuple(values[:middle]),
                rejected=tuple(values[middle:]),
                chosen_chars=tuple(chars[:middle]),
                rejected_chars=tuple(chars[middle:]),
                truncated=any(rows["truncated"][place] for place in own),
                exact=all(rows["refined"][place] for place in own) or len(set(hashes)) == 1,
                tag=tag,
                unparsed=said and any(statuses[place] == "unparsed" for place in own),
            )
        )
    if places:
        raise RunError(f"{run.path}: {SCORES} has scores of {len(places)} examples that {EXAMPLES} lacks")
    return scored


def _columns(examples: pa.Table) -> list[list[Any]]:
    """Return what metrics need of ``examples.parquet``, a list a column; only some suites have tags."""
    names = ["example_id", "subset", "prompt_hash", "completion_hashes", "completion_chars"]
    tags = examples.column(TAG).to_pylist() if TAG in examples.column_names else [""] * len(examples)
    return [*(examples.column(name).to_pylist() for name in names), tags]


@contextmanager
def output_folder(path: Path, *, overwrite: bool) -> Iterator[None]:
    """Make a run's folder, see that it can be written and keep others off it: before scoring, not after.

    A folder that was made here and into which nothing was written is gone afterwards.

    Raises:
        RunError: if it holds a finished run and ``overwrite`` is not set, files of these names that are not a run's, or
            another process's run in the making; or if it cannot be written.
    """
    with files.output_folder(path, what="run", mark=RUN, overwrite=overwrite, written=lambda: WRITTEN) as folder:
        folder.claim(WRITTEN)
        yield


def write_run(run: RunRecord, path: Path) -> RunRecord:
    """Write a run into its folder; return it as it is on disk.

    Raises:
        RunError: if writing fails; a run that was there before is then still whole, or noticeably not.
    """
    digests: dict[str, str] = {}
    try:
        with files.replacing_all([path / name for name in (SCORES, EXAMPLES, RUN)]) as (scores, examples, told):
            pq.write_table(run.scores_table, scores, compression="zstd")
            pq.write_table(run.examples_table, examples, compression="zstd")
            digests = {SCORES: _sha256(scores), EXAMPLES: _sha256(examples)}
            info = replace(run.info, files=digests)
            text = json.dumps(asdict(info), indent=2, ensure_ascii=False, allow_nan=False)
            told.write_text(text + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:  # A ValueError: a number that JSON does not know.
        reason = getattr(error, "strerror", None) or error
        placed = digests and (path / SCORES).is_file() and _sha256(path / SCORES) == digests[SCORES]
        kept = f"its scores are in {path / SCORES}" if placed else _rescue(run, path)
        raise RunError(f"cannot write the run to {path}: {reason}; {kept}") from error
    return replace(run, info=info, path=path)


def _rescue(run: RunRecord, path: Path) -> str:
    """Write the scores somewhere, if not beside the run then among temporary files; say where."""
    for folder in (path, Path(tempfile.gettempdir())):
        file = folder / f"scores-of-unwritten-run-{os.getpid()}.parquet"
        with suppress(OSError):
            pq.write_table(run.scores_table, file, compression="zstd")
            return f"its scores are in {file}"
    return "its scores could not be kept either"


def load_run(path: str | Path, *, with_text: bool = True) -> RunRecord:
    """Read a run back.

    Args:
        path: The run's folder, or its ``run.json``.
        with_text: Read prompts and completions too; no number needs them.

    Raises:
        RunError: if there is no finished run, or it is damaged or of another schema version.
    """
    folder = Path(path)
    folder = folder.parent if folder.name == RUN else folder
    info = _load_info(folder)
    tables = []
    for name in (SCORES, EXAMPLES):
        file = folder / name
        if not file.exists():
            raise RunError(f"{folder} is not a whole run: {name} is missing")
        try:
            if _sha256(file) != info.files.get(name):
                raise RunError(f"{file} is damaged or belongs to another run: its sha256 is not the one in {RUN}")
            left_out = () if with_text or name == SCORES else TEXT_COLUMNS
            columns = [column for column in pq.read_schema(file).names if column not in left_out]
            tables.append(pq.read_table(file, columns=columns))
        except (OSError, pa.ArrowException) as error:
            raise RunError(f"cannot read {file}: {error}") from None
    return RunRecord(info, tables[0], tables[1], folder)


def as_run(run: RunRecord | str | Path, *, with_text: bool = True) -> RunRecord:
    """Return a run as it is, or read it from its folder; errors are those of ``load_run``."""
    return run if isinstance(run, RunRecord) else load_run(run, with_text=with_text)


def _load_info(folder: Path) -> RunInfo:
    file = folder / RUN
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        version = raw["schema_version"]
    except FileNotFoundError:
        what = "an unfinished run, or none at all" if folder.is_dir() else "not a folder"
        raise RunError(f"no finished run in {folder}: {what}") from None
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{file} is not a run of rmeval, or is damaged") from None
    if version != SCHEMA_VERSION:
        raise RunError(f"{file} has schema version {version}; this rmeval reads version {SCHEMA_VERSION}")
    data = raw.get("data")
    if isinstance(data, dict) and data.get("prior_sets"):  # What 0.1 called rows that an option of the suite added.
        data["added"] = {"include-prior-sets": data["prior_sets"]}
    results = raw.get("results")
    if isinstance(results, dict) and "rulers" in results:  # What 0.1 called the reference lines.
        results["reference_lines"] = results.pop("rulers")
    from pydantic import TypeAdapter, ValidationError  # Here: to score and to time needs none.

    try:
        return TypeAdapter(RunInfo).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RunError(f"{file} is not a valid run: {where}: {first['msg']}") from None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""What ``rmeval score`` is asked for: a model, the rows, the files to write."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from rmeval.data_prep.rows.column_map import ColumnMap
from rmeval.data_prep.rows.scorable import ScorableRow, scorable_rows
from rmeval.data_prep.rows.stream import RowSource, open_source
from rmeval.errors import RunError, UsageError
from rmeval.eval.journal.journal import Journal
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.eval.scorers.base import Scorer
from rmeval.eval.scoring.samples import by_prompt
from rmeval.eval.scoring.sinks import OUTPUT_SUFFIXES, holds_scores
from rmeval.eval.suites.mini import MINI, mini_path
from rmeval.types import Progress

__all__ = ["ScoreJob", "output_paths", "standard_input"]


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """What was asked for; the names are those of ``rmeval.eval.scoring.score``."""

    model: str | Scorer
    dataset: str
    paths: Sequence[Path]
    """The files to write: the output, and the best pairs where they are asked for."""
    best: str | Path | None
    split: str | None
    limit: int | None
    columns: dict[str, str] | None
    mapped: ColumnMap | None
    """The columns, parsed."""
    options: ModelOptions
    progress: Progress | None
    stdin: Path | None = None
    """The file that holds what came from stdin, where that is the data set."""

    @property
    def name(self) -> str:
        """The model's."""
        return self.model if isinstance(self.model, str) else self.model.info.name

    @property
    def note(self) -> dict[str, object]:
        """By what another start knows that it goes on with the same."""
        data: list[object] = [self.dataset, self.split, self.limit, *([self.columns] if self.columns else [])]
        return {"model": self.name, "data": data, "best": str(self.best), "options": asdict(self.options)}

    def load(self, journal: Journal | None) -> Scorer:
        """Return the scorer."""
        return load_scorer(self.model, self.options, journal=journal) if isinstance(self.model, str) else self.model

    def open(self) -> RowSource:
        """Open the data set.

        Raises:
            UsageError: if it is what is written.
            RunError: if what would be replaced is nothing that ``rmeval score`` wrote.
        """
        if self.stdin is not None:
            source = RowSource("stdin", (("stdin", self.stdin),))
        else:
            source = open_source(str(mini_path()) if self.dataset == MINI.dataset else self.dataset, split=self.split)
        if any(path.exists() and path.samefile(file) for path in self.paths for _, file in source.files):
            raise UsageError("--output and --best cannot be a file of the data set")
        for path in self.paths:
            if path.exists() and not holds_scores(path):
                raise RunError(f"{path} is there and rmeval score did not write it: move it away, or write elsewhere")
        return source

    def rows(self, source: RowSource) -> Iterator[ScorableRow]:
        """Return the rows to score, from the first."""
        rows = islice(scorable_rows(source, self.mapped), self.limit)
        return rows if self.best is None else by_prompt(rows)


@contextmanager
def standard_input(dataset: str) -> Iterator[Path | None]:
    """Write JSON lines from stdin to a file, which is gone afterwards: rows are read more than once.

    Args:
        dataset: ``-`` for stdin; for another there is no file.

    Raises:
        UsageError: if stdin is closed.
    """
    if dataset != "-":
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.jsonl"
        if sys.stdin is None:
            raise UsageError("--dataset - reads stdin, which is closed")
        with path.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        yield path


def output_paths(output: str | Path, best: str | Path | None) -> list[Path]:
    """Return the files to write.

    Raises:
        UsageError: if they are the same, or of a kind that cannot be written.
    """
    paths = []
    for option, given in (("--output", output), ("--best", best)):
        if given is None:
            continue
        path = Path(given).expanduser()
        if not path.name.lower().endswith(OUTPUT_SUFFIXES):
            raise UsageError(f"{option} takes a file that ends in {', '.join(OUTPUT_SUFFIXES)}, not {path}")
        paths.append(path)
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("--output and --best are the same file")
    return paths

"""One float for every completion of any data set: streamed, in order, and resumed where it was killed.

A start that goes on reads the rows that are done again, sees that they are still the same ones, and scores those
behind them; ``rmeval.eval.scoring.partial`` says what is on disk meanwhile.
"""

from __future__ import annotations

import hashlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from rmeval.data_prep.rows.column_map import ColumnMap
from rmeval.data_prep.rows.scorable import ScorableRow, scorable_rows
from rmeval.data_prep.rows.stream import Source, open_source
from rmeval.data_prep.text.audit import Audit, finding
from rmeval.errors import DataError, ModelError, UsageError
from rmeval.eval.journal.journal import Journal
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.eval.scorers.base import Loses, Prefetches, Scorer, Settling, told
from rmeval.eval.scorers.kept import ask_kept, opened
from rmeval.eval.scoring.best_of_n import best_pair, pairable, refine_best
from rmeval.eval.scoring.chunks import Chunk, ahead, grouped, row_bytes
from rmeval.eval.scoring.partial import Partial
from rmeval.eval.scoring.sinks import OUTPUT_SUFFIXES
from rmeval.eval.suites.mini import MINI, mini_path
from rmeval.types import Finding, Progress

__all__ = ["ScoreSummary", "score"]

LOOK = 256
"""Rows checked before the model is loaded."""


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """What was scored and where it is."""

    model: str
    dataset: str
    output: Path
    rows: int
    completions: int
    """Scores written."""
    best: Path | None
    pairs: int
    """Preference pairs written to ``best``."""
    left_out: int
    """Rows without two completions of different, finite score: not in ``best``."""
    findings: tuple[Finding, ...]
    """What the audit noticed in all rows, those of interrupted starts included."""
    resumed: int
    """Rows that interrupted starts had written before."""
    seconds: float


def score(
    model: str | Scorer,
    dataset: str,
    output: str | Path,
    *,
    best: str | Path | None = None,
    split: str | None = None,
    limit: int | None = None,
    columns: Mapping[str, str] | None = None,
    model_options: ModelOptions | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ScoreSummary:
    """Score every completion of a data set and write its rows with their scores, in order.

    Rows have ``messages`` (and get ``score``), ``prompt`` with ``completions`` (``scores``), or ``chosen`` and
    ``rejected`` (``score_chosen``, ``score_rejected``); all other columns are kept. A score that is NaN or infinite is
    null in JSON. Killed at any moment, the same call goes on where it was.

    Args:
        model: A Hub id, a folder, ``quickstart``, ``baseline:longest|shortest|random``, or a scorer of your own.
        dataset: Hub id, file or folder of the rows, or ``mini``.
        output: File to write: .jsonl, .jsonl.gz or .parquet.
        best: File for the best and worst completion of each row with ``completions``, as a preference pair. Below
            float32, completions between which rounding could choose are scored in float32, unless ``refine`` is off.
        split: Split of the data set.
        limit: Only the first so many rows.
        columns: Which columns of the rows are what: fields to paths (``rmeval.data_prep.rows.column_map``).
        model_options: How to load and run the model; not for a scorer of your own.
        overwrite: Replace ``output`` and ``best``, and drop what another command left unfinished there.
        progress: Called with rows done and about how many there are.

    Raises:
        RmevalError: with one line that says what is wrong, in the classes of ``rmeval.errors``.
    """
    start = time.perf_counter()
    if limit is not None and limit < 1:
        raise UsageError(f"--limit must be at least 1, not {limit}")
    paths = _checked(output, best)
    options = model_options or ModelOptions()
    name = model if isinstance(model, str) else model.info.name
    data: list[object] = [dataset, split, limit, *([dict(columns)] if columns else [])]
    job = {"model": name, "data": data, "best": str(best), "options": asdict(options)}
    mapped = ColumnMap.parse(columns) if columns else None
    partial = Partial(paths, job, overwrite=overwrite)
    resumed = partial.state.rows
    with opened(model, options) as journal, closing(partial):
        scorer: Scorer | None = None
        if partial.state.finished:
            source, scorer = _open(dataset, split, paths), _load(model, options, journal)
            partial.confirm(asdict(told(scorer)), _digest(source, mapped, limit, partial.state.rows))
        if not partial.state.finished:
            partial.open()
            source = _open(dataset, split, paths)
            resumed = _score_rows(partial, source, mapped, limit, scorer or model, options, journal, progress)
        partial.publish()
    state = partial.state
    return ScoreSummary(
        model=name,
        dataset=dataset,
        output=paths[0],
        rows=state.rows,
        completions=state.completions,
        best=None if best is None else paths[1],
        pairs=state.pairs,
        left_out=state.left_out,
        findings=state.findings,
        resumed=resumed,
        seconds=time.perf_counter() - start,
    )


def _load(model: str | Scorer, options: ModelOptions, journal: Journal | None) -> Scorer:
    return load_scorer(model, options, journal=journal) if isinstance(model, str) else model


def _digest(source: Source, columns: ColumnMap | None, limit: int | None, rows: int) -> str | None:
    """Return the digest of all rows; None where there are not as many as given."""
    digest, count = hashlib.sha256(), 0
    for row in islice(scorable_rows(source, columns), limit):
        digest.update(row_bytes(row))
        count += 1
    return digest.hexdigest() if count == rows else None


def _checked(output: str | Path, best: str | Path | None) -> list[Path]:
    """Return the files to write, which must differ and be of a kind that can be written."""
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


def _open(dataset: str, split: str | None, outputs: Sequence[Path]) -> Source:
    """Open the data set, which must not be what is written."""
    source = open_source(str(mini_path()) if dataset == MINI.dataset else dataset, split=split)
    if any(path.exists() and path.samefile(file) for path in outputs for _, file in source.files):
        raise UsageError("--output and --best cannot be a file of the data set")
    return source


# --- chunk by chunk ---------------------------------------------------------------------------------------------


def _score_rows(
    partial: Partial,
    source: Source,
    columns: ColumnMap | None,
    limit: int | None,
    model: str | Scorer,
    options: ModelOptions,
    journal: Journal | None,
    progress: Progress | None,
) -> int:
    """Score and write every chunk that is not written yet; return how many rows were."""

    def rows() -> Iterator[ScorableRow]:
        found = islice(scorable_rows(source, columns), limit)
        return map(pairable, found) if len(partial.sinks) > 1 else found

    if not sum(1 for _ in islice(rows(), LOOK)):
        raise DataError(f"{source.name} has no rows")
    scorer = _load(model, options, journal)
    partial.begin(asdict(told(scorer)), source)
    chunks = _chunks(rows, partial, source.name)
    resumed, saved = partial.state.rows, partial.state.findings
    before = _noticed(scorer, journal) if resumed else ()  # What loading notices is in what was saved.
    total = min(source.estimate(), limit or sys.maxsize) if progress else 0
    audit = Audit()
    if partial.state.exact and isinstance(scorer, Settling):
        scorer.use_float32()
    for chunk in ahead(chunks, scorer.prefetch if isinstance(scorer, Prefetches) else None):
        conversations = chunk.conversations
        report = progress and _rows_done(progress, partial.state.rows, len(chunk.rows), total)
        asked = ask_kept(scorer, chunk.items, journal, report)
        scores = asked.scores
        if not partial.state.rows and isinstance(scorer, Loses) and scorer.lost:
            raise ModelError(scorer.lost)
        in_vain = False
        if len(partial.sinks) > 1 and options.refine:
            scores, in_vain = refine_best(chunk.rows, conversations, scores, scorer)
        if in_vain and isinstance(scorer, Settling):
            scorer.use_float32()
            partial.state = replace(partial.state, exact=True)
        remaining = (score.value for score in scores)
        values = [list(islice(remaining, len(row.conversations))) for row in chunk.rows]
        _note(audit, chunk.rows, values)
        _write(partial, chunk, values, _merged(saved, before, [*_noticed(scorer, journal), *audit.findings()]))
    return resumed


def _chunks(rows: Callable[[], Iterator[ScorableRow]], partial: Partial, name: str) -> Iterator[Chunk]:
    """Return the chunks after those that are written, once it is sure that these are still of the same rows."""
    left, digest, done = rows(), hashlib.sha256(), partial.state.rows
    for row in islice(left, done):
        digest.update(row_bytes(row))
    if done and digest.hexdigest() != partial.state.digest:
        partial.start_over(f"{name} has changed: its first {done:,} rows are not those scored")
        left, digest = rows(), hashlib.sha256()
    return grouped(left, digest)


def _noticed(scorer: Scorer, journal: Journal | None) -> tuple[Finding, ...]:
    """Return what the scorer and the journal have to say up to now."""
    warnings = () if journal is None else tuple(journal.warnings)
    return (*scorer.findings(), *([finding("journal", len(warnings), warnings)] if warnings else ()))


def _rows_done(progress: Progress, done: int, size: int, total: int) -> Progress:
    """Return what tells ``progress`` in rows what the scorer says in its own unit about ``size`` rows."""

    def report(part: int, whole: int) -> None:
        rows = done + size * part // max(whole, 1)
        progress(rows, max(rows, total))

    return report


def _note(audit: Audit, rows: Sequence[ScorableRow], values: Sequence[Sequence[float]]) -> None:
    for row, own in zip(rows, values, strict=True):
        for code in row.noticed:
            audit.note(code, row.name)
        if row.unread:
            audit.note("unread-columns", f"{row.name}: {', '.join(row.unread)}")
        for number in range(sum(not math.isfinite(value) for value in own)):
            audit.note("non-finite-score", "" if number else row.name)


def _merged(saved: Iterable[Finding], before: Iterable[Finding], now: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return what interrupted starts noticed and what was noticed since ``before``."""
    known, total = ({each.code: each for each in findings} for findings in (before, saved))
    for each in now:
        none = replace(each, count=0, examples=())
        old, kept = known.get(each.code, none), total.get(each.code, none)
        examples = (*kept.examples, *each.examples[len(old.examples) :])[:5]
        if count := kept.count + each.count - old.count:
            total[each.code] = replace(each, count=count, examples=examples)
    return tuple(total.values())


def _write(partial: Partial, chunk: Chunk, values: Sequence[Sequence[float]], findings: tuple[Finding, ...]) -> None:
    """Write a chunk with its scores, and the pairs where they are asked for."""
    contents = [[row.with_scores(own) for row, own in zip(chunk.rows, values, strict=True)]]
    state = replace(
        partial.state,
        rows=partial.state.rows + len(chunk.rows),
        completions=partial.state.completions + sum(map(len, values)),
        digest=chunk.digest,
        findings=findings,
    )
    if len(partial.sinks) > 1:
        found = (best_pair(row, own) for row, own in zip(chunk.rows, values, strict=True))
        pairs = [pair for pair in found if pair is not None]
        contents.append(pairs)
        left_out = state.left_out + len(chunk.rows) - len(pairs)
        state = replace(state, pairs=state.pairs + len(pairs), left_out=left_out)
    partial.write(contents, state)

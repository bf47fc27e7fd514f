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
from rmeval.data_prep.rows.scorable import ScorableRow
from rmeval.data_prep.text.audit import Audit, finding
from rmeval.errors import DataError, ModelError, UsageError
from rmeval.eval.journal.journal import Journal
from rmeval.eval.scorers import ModelOptions
from rmeval.eval.scorers.base import Loses, Prefetches, Scorer, Settling, told
from rmeval.eval.scorers.kept import ask_kept, opened
from rmeval.eval.scoring.best_of_n import best_pair, pairable, refine_best
from rmeval.eval.scoring.chunks import Chunk, ahead, grouped, row_bytes
from rmeval.eval.scoring.job import ScoreJob, output_paths, standard_input
from rmeval.eval.scoring.partial import Partial, State
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

    Rows have ``messages``, or ``prompt`` with ``completion`` or ``response`` (and get ``score``), ``prompt`` with
    ``completions`` or ``responses`` (``scores``), or ``chosen`` and ``rejected`` (``score_chosen``,
    ``score_rejected``); all other columns are kept. A score that is NaN or infinite is null in JSON. Killed at any
    moment, the same call goes on where it was.

    Args:
        model: A Hub id, a folder, ``quickstart``, ``baseline:longest|shortest|random``, or a scorer of your own.
        dataset: Hub id, file or folder of the rows, ``mini``, or ``-`` for JSON lines from stdin.
        output: File to write: .jsonl, .jsonl.gz or .parquet.
        best: File for the best and worst completion of each prompt, as a preference pair, with their places among the
            prompt's completions. Rows with one completion each are put together by ``prompt_id``, else by prompt. Below
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
    paths, mapped = output_paths(output, best), ColumnMap.parse(columns) if columns else None
    with standard_input(dataset) as stdin:
        job = ScoreJob(
            model=model,
            dataset=dataset,
            paths=paths,
            best=best,
            split=split,
            limit=limit,
            columns=dict(columns) if columns else None,
            mapped=mapped,
            options=model_options or ModelOptions(),
            progress=progress,
            stdin=stdin,
        )
        return _run(job, start, overwrite=overwrite)


def _run(job: ScoreJob, start: float, *, overwrite: bool) -> ScoreSummary:
    partial = Partial(job.paths, job.note, overwrite=overwrite)
    resumed = partial.state.rows
    with opened(job.model, job.options) as journal, closing(partial):
        scorer = _confirm(job, partial, journal) if partial.state.finished else None
        if not partial.state.finished:
            partial.open()
            resumed = _score_rows(job, partial, scorer, journal)
        partial.publish()
    return _summary(job, partial.state, resumed, time.perf_counter() - start)


def _summary(job: ScoreJob, state: State, resumed: int, seconds: float) -> ScoreSummary:
    return ScoreSummary(
        model=job.name,
        dataset=job.dataset,
        output=job.paths[0],
        rows=state.written or state.rows,  # An output that an earlier version left unfinished did not count them.
        completions=state.completions,
        best=None if job.best is None else job.paths[1],
        pairs=state.pairs,
        left_out=state.left_out,
        findings=state.findings,
        resumed=resumed,
        seconds=seconds,
    )


def _confirm(job: ScoreJob, partial: Partial, journal: Journal | None) -> Scorer:
    """See that what is finished is of this model and these rows; return the model, which had to be loaded for that."""
    source, scorer = job.open(), job.load(journal)
    partial.confirm(asdict(told(scorer)), _digest(job.rows(source), partial.state.rows))
    return scorer


def _digest(rows: Iterable[ScorableRow], expected: int) -> str | None:
    """Return the digest of all rows; None where there are not as many as expected."""
    digest, count = hashlib.sha256(), 0
    for row in rows:
        digest.update(row_bytes(row))
        count += 1
    return digest.hexdigest() if count == expected else None


# --- chunk by chunk ---------------------------------------------------------------------------------------------


def _score_rows(job: ScoreJob, partial: Partial, loaded: Scorer | None, journal: Journal | None) -> int:
    """Score and write every chunk that is not written yet; return how many rows were."""
    source, options = job.open(), job.options

    def rows() -> Iterator[ScorableRow]:
        found = job.rows(source)
        return map(pairable, found) if len(partial.sinks) > 1 else found

    if not sum(1 for _ in islice(rows(), LOOK)):
        raise DataError(f"{source.name} has no rows")
    scorer = job.load(journal) if loaded is None else loaded
    partial.begin(asdict(told(scorer)), source)
    chunks = _chunks(rows, partial, source.name)
    resumed, saved = partial.state.rows, partial.state.findings
    before = _findings(scorer, journal) if resumed else ()  # What loading finds is in what was saved.
    total = min(source.estimate(), job.limit or sys.maxsize) if job.progress else 0
    audit = Audit()
    if partial.state.exact and isinstance(scorer, Settling):
        scorer.use_float32()
    for chunk in ahead(chunks, scorer.prefetch if isinstance(scorer, Prefetches) else None):
        conversations = chunk.conversations
        report = job.progress and _rows_done(job.progress, partial.state.rows, len(chunk.rows), total)
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
        _write(partial, chunk, values, _merged(saved, before, [*_findings(scorer, journal), *audit.findings()]))
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


def _findings(scorer: Scorer, journal: Journal | None) -> tuple[Finding, ...]:
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
    contents = [[each for row, own in zip(chunk.rows, values, strict=True) for each in row.written(own)]]
    state = replace(
        partial.state,
        rows=partial.state.rows + len(chunk.rows),
        written=partial.state.written + len(contents[0]),
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

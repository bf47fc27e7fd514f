"""From a model and a suite to a run: the whole way, in order."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from rmeval import records
from rmeval.data_prep.rows.column_map import ColumnMap
from rmeval.data_prep.rows.examples import conversations
from rmeval.data_prep.rows.in_memory import RowsLike
from rmeval.data_prep.text.audit import finding
from rmeval.errors import ModelError, UsageError, did_you_mean
from rmeval.eval.environment import environment
from rmeval.eval.journal.journal import Journal
from rmeval.eval.numbers.metrics import compute_results
from rmeval.eval.refine import refine, settle_precision
from rmeval.eval.scorers import ModelOptions, kind_of, load_scorer
from rmeval.eval.scorers.base import Accounts, Drifts, Loses, Plans, Refinable, Scorer, Settling, items_of
from rmeval.eval.scorers.kept import ask_kept, opened
from rmeval.eval.suites import Suite, get_suite, know, suite_of
from rmeval.eval.suites.data import DataOptions, Dataset, load_dataset
from rmeval.records import RunRecord
from rmeval.run_info import Accounting, Results, RunInfo, Timing
from rmeval.types import Example, Finding, Lists, Progress, Score


def evaluate(
    model: str | Scorer,
    suite: str | Suite = "rewardbench",
    *,
    dataset: str | Path | RowsLike | None = None,
    dataset_revision: str | None = None,
    split: str | None = None,
    subsets: Sequence[str] = (),
    limit: int | None = None,
    suite_options: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    lists: Lists = "all",
    weights: str | None = None,
    model_options: ModelOptions | None = None,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    keep_text: bool = True,
    seed: int = 0,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> RunRecord:
    """Score a suite with a model.

    Args:
        model: A Hub id, a folder, ``quickstart``, ``baseline:longest|shortest|random``, or a scorer of your own.
        suite: Name of the suite (``rmeval list suites``), or one of your own.
        dataset: Hub id, file or folder of the rows, or ``mini``; rows themselves: a list of mappings, a DataFrame, a
            ``datasets.Dataset``; None for the suite's own.
        dataset_revision: Branch, tag or commit of a Hub data set.
        split: Split of the data set.
        subsets: Only these subsets; empty for all.
        limit: Only the first so many examples, after ``subsets``.
        suite_options: Options that the suite itself has, by name, such as RewardBench's ``include-prior-sets``.
        columns: Which columns of the rows are what: fields to paths (``rmeval.data_prep.rows.column_map``).
        lists: What several right and wrong completions of a row are: ``all`` one example, ``each`` an example for each
            right one, ``grid`` an example for each pair of a right and a wrong one.
        weights: Name of the suite's weight table; None for its default.
        model_options: How to load and run the model; not for a scorer of your own.
        output_dir: Folder to write the run to; None to keep it in memory.
        overwrite: Replace a finished run in ``output_dir``.
        keep_text: Keep prompts and completions in the run; without, hashes and lengths are kept.
        seed: Seed of ``baseline:random``.
        command: What to record as the command that made the run.
        progress: Called with work done and work in all while scoring.

    Returns:
        The run; ``run.info.results`` has the numbers.

    Raises:
        RmevalError: with one line that says what is wrong, in the classes of ``rmeval.errors``.
    """
    asked = get_suite(suite) if isinstance(suite, str) else suite
    know([asked])
    if dataset is None and asked.dataset is None and isinstance(model, str):
        dataset = kind_of(model).brings(model)
    mapped = ColumnMap.parse(columns) if columns else None
    data_options = DataOptions(
        dataset, dataset_revision, split, tuple(subsets), limit, tuple(suite_options), mapped, lists
    )
    job = _Job(
        model, asked, data_options, weights, model_options or ModelOptions(), keep_text, seed, tuple(command), progress
    )
    if output_dir is None:
        return _evaluate(job)
    with records.output_folder(Path(output_dir), overwrite=overwrite):
        return records.write_run(_evaluate(job), Path(output_dir))


@dataclass(frozen=True, slots=True)
class _Job:
    """What was asked for; the names are those of ``evaluate``."""

    model: str | Scorer
    suite: Suite
    data: DataOptions
    weights: str | None
    options: ModelOptions
    keep_text: bool
    seed: int
    command: tuple[str, ...]
    progress: Progress | None

    @property
    def used(self) -> dict[str, str | int | float | bool | None]:
        """The model's options that its kind has; none where the scorer was not made of them."""
        known = kind_of(self.model).options if isinstance(self.model, str) else ()
        return {name: value for name, value in asdict(self.options).items() if name in known}


@dataclass(frozen=True, slots=True)
class _Scored:
    """The scores of a suite's completions, and what is known of them."""

    scores: list[Score]
    drift: float | None
    unknown: bool
    """True where low precision moves scores, and nobody knows how far."""
    recalled: int
    scoring_seconds: float
    refine_seconds: float


def _evaluate(job: _Job) -> RunRecord:
    start = time.perf_counter()
    data = load_dataset(job.suite, job.data)
    table = _pick_weights(data.suite, job.weights)
    with opened(job.model, job.options) as journal:
        scorer = load_scorer(job.model, job.options, job.seed, journal) if isinstance(job.model, str) else job.model
        loaded = time.perf_counter()
        done = _score(job, data, scorer, journal)
        warnings = () if journal is None else tuple(journal.warnings)
    run = RunRecord(
        info=_describe(job, data, scorer, table),
        scores_table=records.scores_table(data.examples, done.scores),
        examples_table=records.examples_table(data.examples, keep_text=job.keep_text),
    ).with_info(drift=done.drift)
    if done.recalled:  # Of a kind that counts no tokens.
        run = run.with_info(accounting=Accounting(0, 0, 0, 0, done.recalled))
    results = recompute(run)
    planned = scorer.plan_seconds if isinstance(scorer, Plans) else 0.0
    timing = Timing(
        load_seconds=loaded - start,
        plan_seconds=planned,
        scoring_seconds=done.scoring_seconds - planned,
        refine_seconds=done.refine_seconds,
        total_seconds=time.perf_counter() - start,
    )
    audit = (*data.findings, *scorer.findings(), *_non_finite(data.examples, done.scores), *_undecided(results))
    audit += (finding("drift-unknown", len(done.scores)),) if done.unknown else ()
    audit += (finding("journal", len(warnings), warnings),) if warnings else ()
    reasons = data.partial_reasons + _invalid_reason(results)
    return run.with_info(results=results, audit=audit, partial=bool(reasons), partial_reasons=reasons, timing=timing)


def _score(job: _Job, data: Dataset, scorer: Scorer, journal: Journal | None) -> _Scored:
    """Score all completions, and those again in float32 that rounding could decide.

    Raises:
        ModelError: if nothing of what was asked reached the model.
    """
    start = time.perf_counter()
    examples, suite, options = data.examples, data.suite, job.options
    if options.refine and isinstance(scorer, Settling) and scorer.can_refine:
        settle_precision(examples, conversations(examples), scorer, suite)
    asked = ask_kept(scorer, items_of(examples), journal, job.progress)
    scores = asked.scores
    if isinstance(scorer, Loses) and scorer.lost:
        raise ModelError(scorer.lost)
    scored = time.perf_counter()
    drift = scorer.drift if isinstance(scorer, Drifts) else None
    unknown = drift is not None and not math.isfinite(drift)
    if drift is not None and options.refine and isinstance(scorer, Refinable) and scorer.can_refine:
        refined = refine(examples, conversations(examples), scores, scorer, drift, suite)
        scores, drift, unknown = refined.scores, refined.drift, False
    finished = time.perf_counter()
    return _Scored(scores, None if unknown else drift, unknown, asked.recalled, scored - start, finished - scored)


def recompute(run: RunRecord) -> Results:
    """Compute a run's numbers again, from its tables alone.

    Raises:
        RunError: if its tables do not fit together.
        UsageError: if this rmeval does not know its suite.
    """
    suite = suite_of(run.info)
    scored = records.scored_examples(run)
    return compute_results(suite, run.info.weights, scored, drift=run.info.drift)


def default_output_dir(suite: str, model: str) -> Path:
    """Return ``runs/<suite>-<model>-<time>``; whatever the model is called, the folder lies in ``runs``."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip(".-")[-60:] or "model"
    path = Path("runs") / f"{suite}-{name}-{datetime.now():%Y%m%d-%H%M%S}"
    others = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return path if not path.exists() else next(other for other in others if not other.exists())


def _pick_weights(suite: Suite, name: str | None) -> str | None:
    if name is None:
        return suite.default_weights
    if name not in suite.weights:
        known = ", ".join(suite.weights) or "none"
        raise UsageError(f"{suite.name} has no weights {name!r}{did_you_mean(name, suite.weights)} (known: {known})")
    return name


def _describe(job: _Job, data: Dataset, scorer: Scorer, weights: str | None) -> RunInfo:
    """Everything about a run that is known before its results; the settings used are those that the kind has."""
    columns, lists = job.data.columns, job.data.lists
    read = {"map": " ".join(f"{name}={path}" for name, path in columns.text.items())} if columns is not None else {}
    if lists != "all":
        read["lists"] = lists
    return RunInfo(
        schema_version=records.SCHEMA_VERSION,
        rmeval_version=metadata.version("rmeval"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=job.command,
        suite=data.suite.name,
        weights=weights,
        partial=False,
        partial_reasons=(),
        model=scorer.info,
        data=data.info,
        settings={**job.used, **read, "seed": job.seed},
        environment=environment(),
        audit=(),
        results=Results(None, {}, {}),
        drift=None,
        timing=Timing(0.0, 0.0, 0.0, 0.0, 0.0),
        accounting=scorer.accounting if isinstance(scorer, Accounts) else None,
        files={},
        suite_file=data.suite.file,
    )


def _non_finite(examples: Sequence[Example], scores: Sequence[Score]) -> list[Finding]:
    owners = [example.id for example in examples for _ in example.completions]
    bad = [owner for owner, score in zip(owners, scores, strict=True) if not math.isfinite(score.value)]
    return [finding("non-finite-score", len(bad), tuple(bad))] if bad else []


def _undecided(results: Results) -> list[Finding]:
    count = sum(subset.undecided for subset in results.subsets.values())
    return [finding("undecided", count)] if count else []


def _invalid_reason(results: Results) -> tuple[str, ...]:
    invalid = sum(subset.invalid for subset in results.subsets.values())
    return (f"{invalid} examples have no finite score",) if invalid else ()

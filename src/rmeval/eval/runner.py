"""One suite, scored with a scorer that is loaded: the whole way from rows to a run, in order."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from rmeval import records, run_tables
from rmeval.data_prep.rows.examples import conversations
from rmeval.data_prep.text.audit import finding
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import ModelError, UsageError
from rmeval.eval.environment import environment, own_version
from rmeval.eval.journal.journal import Journal
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.numbers.metrics import compute_results
from rmeval.eval.refine import refine, settle_precision
from rmeval.eval.scorers import kind_of
from rmeval.eval.scorers.base import Accounts, Drifts, Loses, Plans, Refinable, Reusable, Scorer, Settling, items_of
from rmeval.eval.scorers.kept import ask_kept
from rmeval.eval.suites import Suite, suite_of
from rmeval.eval.suites.data import DataOptions, Dataset
from rmeval.records import RunRecord
from rmeval.run_info import Accounting, Results, RunInfo, Timing
from rmeval.types import Example, Finding, Progress, Score

__all__ = ["Evaluation", "pick_weights", "recompute", "run_job"]


@dataclass(frozen=True, slots=True)
class Evaluation:
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


def run_job(
    job: Evaluation, data: Dataset, scorer: Scorer, journal: Journal | None, start: float, load_seconds: float
) -> RunRecord:
    """Score a suite's examples, and put all that is known of them into a run.

    Args:
        job: What was asked for.
        data: The examples.
        scorer: The loaded model; one that was asked for another data set before begins anew.
        journal: Where scores are kept; None for nowhere.
        start: When this began, by ``time.perf_counter``.
        load_seconds: How long data and model took to load.

    Raises:
        ModelError: if the model fails, or nothing of what was asked reached it.
        UsageError: if the suite has no such weights.
    """
    table = pick_weights(data.suite, job.weights)
    if isinstance(scorer, Reusable):
        scorer.begin()
    done = _score(job, data, scorer, journal)
    warnings = () if journal is None else tuple(journal.warnings)
    run = RunRecord(
        info=_describe(job, data, scorer, table),
        scores_table=run_tables.scores_table(data.examples, done.scores),
        examples_table=run_tables.examples_table(data.examples, keep_text=job.keep_text),
    ).with_info(drift=done.drift)
    if done.recalled:  # Of a kind that counts no tokens.
        run = run.with_info(accounting=Accounting(0, 0, 0, 0, done.recalled))
    results = recompute(run)
    planned = scorer.plan_seconds if isinstance(scorer, Plans) else 0.0
    timing = Timing(
        load_seconds=load_seconds,
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


def _score(job: Evaluation, data: Dataset, scorer: Scorer, journal: Journal | None) -> _Scored:
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


def pick_weights(suite: Suite, name: str | None) -> str | None:
    """Return the name of the weight table asked for, or of the default.

    Raises:
        UsageError: if the suite has no such table.
    """
    if name is None:
        return suite.default_weights
    if name not in suite.weights:
        known = ", ".join(suite.weights) or "none"
        raise UsageError(f"{suite.name} has no weights {name!r}{did_you_mean(name, suite.weights)} (known: {known})")
    return name


def _describe(job: Evaluation, data: Dataset, scorer: Scorer, weights: str | None) -> RunInfo:
    """Everything about a run that is known before its results; the settings used are those that the kind has."""
    columns, lists = job.data.columns, job.data.lists
    read = {"map": " ".join(f"{name}={path}" for name, path in columns.text.items())} if columns is not None else {}
    if lists != "all":
        read["lists"] = lists
    return RunInfo(
        schema_version=records.SCHEMA_VERSION,
        rmeval_version=own_version(),
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
    has = "example has" if invalid == 1 else "examples have"
    return (f"{invalid:,} {has} no finite score",) if invalid else ()

"""The benchmarks that papers report together, for one model: loaded once, a run a suite, one summary.

Conversations that suites share are computed once: the journal has them; without it, one in the folder until the end.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rmeval import records
from rmeval.errors import DataError, RmevalError, UsageError
from rmeval.eval.environment import own_version
from rmeval.eval.field_folder import PAGE, SCORES, SUMMARY, held_folder
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.numbers.views.best_of_n import BestOfN, best_of_n
from rmeval.eval.numbers.views.grids import whole_rows
from rmeval.eval.numbers.views.lengths import LengthGroup, RightIs, by_length
from rmeval.eval.runner import Evaluation, run_job
from rmeval.eval.scorers import load_scorer
from rmeval.eval.scorers.base import Scorer, told
from rmeval.eval.scorers.kept import opened
from rmeval.eval.suites import SUITES, Suite, get_suite, suite_of
from rmeval.eval.suites.data import DataOptions, Dataset, load_dataset
from rmeval.eval.suites.draw import check_limits
from rmeval.files import write_text
from rmeval.records import RunRecord
from rmeval.run_info import ModelInfo, RunInfo
from rmeval.types import Progress

if TYPE_CHECKING:
    from rmeval.eval.journal.journal import Journal

__all__ = ["FIELD", "PAGE", "SUMMARY", "Field", "SuiteRun", "evaluate_field"]

FIELD = ("rewardbench", "rewardbench2", "rm-bench", "judgebench", "rmb", "ppe-preference", "ppe-correctness")
"""What reward-model papers of 2026 report in one table."""
_STEPS = 1000
"""A suite's share of the progress: suites count alike, since the size of the next one is not known yet."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One suite of a field."""

    suite: str
    path: Path | None
    """The folder of its run; None where there is none."""
    info: RunInfo | None
    error: str | None = None
    """Why there is no run."""
    lengths: Mapping[RightIs, LengthGroup] = field(default_factory=dict)
    """The accuracy by whether the right answer is the shorter or the longer one."""
    best_of_n: tuple[BestOfN, ...] = ()
    """A point for each n; empty where no prompt has more than two answers."""


@dataclass(frozen=True, slots=True)
class Field:
    """What one model reaches on several suites."""

    model: str
    entries: tuple[SuiteRun, ...]
    path: Path

    @property
    def mean(self) -> float | None:
        """The plain mean of the overall numbers; None unless all of ``FIELD`` are there, whole."""
        whole = {e.suite: e.info.results.overall for e in self.entries if e.info is not None and not e.info.partial}
        numbers = [whole[name] for name in FIELD if name in whole]
        found = [each.accuracy for each in numbers if each is not None]
        return sum(found) / len(FIELD) if len(found) == len(FIELD) else None

    @property
    def runs(self) -> list[Path]:
        """The folders of the runs."""
        return [each.path for each in self.entries if each.path is not None]


def evaluate_field(
    model: str,
    suites: Sequence[str] = (),
    *,
    output_dir: str | Path,
    datasets: Mapping[str, str] | None = None,
    limit: int | None = None,
    limit_per_subset: int | None = None,
    model_options: ModelOptions | None = None,
    overwrite: bool = False,
    keep_text: bool = True,
    seed: int = 0,
    command: Sequence[str] = (),
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Field:
    """Score several suites with one model, each into a folder of its own below ``output_dir``.

    A suite whose data cannot be had is an entry with a reason. Stopped at any moment, the same call goes on: what is
    finished is kept, and the end is the same to the byte.

    Args:
        model: Whatever names a model (``rmeval list kinds``).
        suites: Names of suites; empty for those of ``FIELD`` that this rmeval knows.
        output_dir: Folder of the runs and of ``field.json``.
        datasets: Suite -> file, folder or Hub id of its rows, where they are not the suite's own.
        limit: Only the first so many examples of each suite.
        limit_per_subset: A quick look: only so many examples of each subset of each suite, drawn by ``seed``.
        model_options: How to load and run the model.
        overwrite: Replace a finished field there, or an unfinished one of something else.
        keep_text: Keep prompts and completions in the runs.
        seed: Of what draws at random.
        command: What to record as the command.
        progress: Called with thousandths of suites done, and in all.
        note: Called with a line when a suite is done or cannot be had.

    Raises:
        ModelError: if the model cannot be used.
        RunError: if the folder holds something else, or cannot be written.
        UsageError: if there is no such suite.
    """
    chosen = _chosen(suites, datasets or {})
    check_limits(limit, limit_per_subset)
    options, path = model_options or ModelOptions(), Path(output_dir)
    asked = {
        "rmeval": own_version(), "model": model, "suites": [suite.name for suite in chosen], "datasets": datasets or {},
        "limit": limit, "limit_per_subset": limit_per_subset, "options": asdict(options),
        "text": keep_text, "seed": seed,
    }  # fmt: skip
    jobs = []
    for number, suite in enumerate(chosen):
        rows = DataOptions((datasets or {}).get(suite.name), limit=limit, limit_per_subset=limit_per_subset, seed=seed)
        report = _part(progress, number, len(chosen))
        jobs.append(Evaluation(model, suite, rows, None, options, keep_text, seed, tuple(command), report))
    with held_folder(path, asked, overwrite=overwrite) as goes_on, opened(model, options, path / SCORES) as journal:
        entries = _run(model, jobs, path, journal, note, goes_on=goes_on)
        found = Field(model, tuple(entries), path)
        write_text(path / SUMMARY, json.dumps(_summary(found, asked), indent=2, ensure_ascii=False) + "\n")
    shutil.rmtree((path / SCORES).parent, ignore_errors=True)  # Done, and the journal in it is closed.
    return found


def _chosen(names: Sequence[str], datasets: Mapping[str, str]) -> list[Suite]:
    """Return the suites; each must be known, and named once."""
    asked = list(names) or [name for name in FIELD if name in SUITES]
    if len(set(asked)) < len(asked):
        raise UsageError(f"--suites names one twice: {','.join(asked)}")
    for name in datasets:
        get_suite(name)
        if name not in asked:
            raise UsageError(f"--dataset {name}=… is of a suite that is not asked for (--suites {','.join(asked)})")
    return [get_suite(name) for name in asked]


def _run(
    model: str,
    jobs: Sequence[Evaluation],
    path: Path,
    journal: Journal | None,
    note: Callable[[str], None] | None,
    *,
    goes_on: bool,
) -> list[SuiteRun]:
    """Score one suite after the other with a model that is loaded once, when the first has its rows.

    Raises:
        DataError: if no suite has.
    """
    say = note or (lambda _: None)
    scorer, entries = None, []
    for job in jobs:
        name, start = job.suite.name, time.perf_counter()
        try:
            data = _load(job.suite, job.data)
        except (DataError, UsageError) as error:
            entries.append(SuiteRun(name, None, None, str(error)))
            say(f"{name}: left out: {error}")
            continue
        scorer = scorer or load_scorer(model, job.options, job.seed, journal)
        kept = _finished(path / name, data, scorer) if goes_on else None
        entries.append(kept or _scored(job, data, scorer, journal, path / name, start))
        del data  # Nothing is left of a suite when the next one's rows are read.
        say(f"{name}: {'done before' if kept else 'done'}")
    if not any(each.info for each in entries):
        raise DataError(f"no suite could be had; the first: {entries[0].suite}: {entries[0].error}")
    return entries


def _load(suite: Suite, options: DataOptions) -> Dataset:
    """Load a suite's examples.

    Raises:
        DataError: if they cannot be had, or are those of another suite: its number would stand under a wrong name.
        UsageError: if the suite has no data set of its own, or no example is left.
    """
    data = load_dataset(suite, options)
    if data.suite is not suite:
        name = data.suite.name
        raise DataError(f"its rows are of {data.suite.title}: ask for {name} (--suites {name} --dataset {name}=…)")
    return data


def _scored(
    job: Evaluation, data: Dataset, scorer: Scorer, journal: Journal | None, folder: Path, start: float
) -> SuiteRun:
    """Score one suite, write its run and return what is shown of it: the tables are not kept in memory."""
    loaded = time.perf_counter() - start
    with records.output_folder(folder, overwrite=True):
        return _shown(records.write_run(run_job(job, data, scorer, journal, start, loaded), folder), folder)


def _finished(folder: Path, data: Dataset, scorer: Scorer) -> SuiteRun | None:
    """Return what is shown of an earlier start's finished run; None where it is none, or of something else by now."""
    try:
        run = records.load_run(folder, with_text=False)
        same = run.info.data.fingerprint == data.info.fingerprint and _files(run.info.model) == _files(told(scorer))
        return _shown(run, folder) if same else None
    except RmevalError:
        return None


def _files(model: ModelInfo) -> tuple[object, ...]:
    """Return what is known of the files of a model, whose names say nothing of what is in them."""
    return model.fingerprint, dict(model.fingerprints), model.template_hash, model.tokenizer_fingerprint, model.own_code


def _shown(run: RunRecord, folder: Path) -> SuiteRun:
    suite, scored = suite_of(run.info), records.scored_examples(run)
    curve = best_of_n(suite, run.info.weights, whole_rows(run, scored))
    return SuiteRun(run.info.suite, folder, run.info, lengths=by_length(suite, scored), best_of_n=curve)


def _part(progress: Progress | None, number: int, count: int) -> Progress | None:
    """Return what tells ``progress`` of all suites what one says of itself."""
    if progress is None:
        return None

    def report(done: int, total: int) -> None:
        progress(_STEPS * number + _STEPS * min(done, total) // max(total, 1), _STEPS * count)

    return report


def _summary(found: Field, asked: Mapping[str, object]) -> dict[str, object]:
    return {"schema_version": 1, "asked": asked, "mean": found.mean, "suites": list(map(_row, found.entries))}


def _row(entry: SuiteRun) -> dict[str, object]:
    if entry.info is None:
        return {"suite": entry.suite, "error": entry.error}
    results = entry.info.results
    return {
        "suite": entry.suite,
        "partial": entry.info.partial,
        "overall": asdict(results.overall) if results.overall else None,
        "reference_lines": {name: line.overall for name, line in results.reference_lines.items()},
        "rules": {name: asdict(each) for name, each in results.rules.items()},
        "lengths": {name: asdict(each) for name, each in entry.lengths.items()},
        "best_of_n": [asdict(each) for each in entry.best_of_n],
        "truncated": sum(subset.truncated for subset in results.subsets.values()),
        "run": entry.suite,
    }

"""From a model and a suite to a run."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rmeval import records
from rmeval.data_prep.rows.column_map import ColumnMap
from rmeval.data_prep.rows.in_memory import RowsLike
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.runner import Evaluation, pick_weights, run_job
from rmeval.eval.scorers import kind_of, load_scorer
from rmeval.eval.scorers.base import Scorer
from rmeval.eval.scorers.kept import opened
from rmeval.eval.suites import Suite, get_suite, know
from rmeval.eval.suites.data import DataOptions, load_dataset, suite_of_rows
from rmeval.records import RunRecord
from rmeval.types import Lists, Progress


def evaluate(
    model: str | Scorer,
    suite: str | Suite = "rewardbench",
    *,
    dataset: str | Path | RowsLike | None = None,
    dataset_revision: str | None = None,
    split: str | None = None,
    subsets: str | Sequence[str] = (),
    limit: int | None = None,
    limit_per_subset: int | None = None,
    suite_options: str | Sequence[str] = (),
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
        subsets: Only these subsets, or only this one; empty for all.
        limit: Only the first so many examples, after ``subsets``.
        limit_per_subset: A quick look: only so many examples of each subset, the same ones for the same ``seed``.
        suite_options: Options that the suite itself has, by name, such as RewardBench's ``include-prior-sets``.
        columns: Which columns of the rows are what: fields to paths (``rmeval.data_prep.rows.column_map``).
        lists: What several right and wrong completions of a row are: ``all`` one example, ``each`` an example for each
            right one, ``grid`` an example for each pair of a right and a wrong one.
        weights: Name of the suite's weight table; None for its default.
        model_options: How to load and run the model; not for a scorer of your own.
        output_dir: Folder to write the run to; None to keep it in memory.
        overwrite: Replace a finished run in ``output_dir``.
        keep_text: Keep prompts and completions in the run; without, hashes and lengths are kept.
        seed: Seed of ``baseline:random`` and of what ``limit_per_subset`` draws.
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
        dataset,
        dataset_revision,
        split,
        _names(subsets),
        limit,
        _names(suite_options),
        mapped,
        lists,
        limit_per_subset,
        seed,
    )
    options = model_options or ModelOptions()
    job = Evaluation(model, asked, data_options, weights, options, keep_text, seed, tuple(command), progress)
    if output_dir is None:
        return _evaluate(job)
    with records.output_folder(Path(output_dir), overwrite=overwrite):
        return records.write_run(_evaluate(job), Path(output_dir))


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return several names, or the one that is given as a text."""
    return (given,) if isinstance(given, str) else tuple(given)


def _evaluate(job: Evaluation) -> RunRecord:
    start = time.perf_counter()
    # A name that does not exist is told before the rows and the model are loaded.
    pick_weights(suite_of_rows(job.suite, job.data.dataset), job.weights)
    data = load_dataset(job.suite, job.data)
    with opened(job.model, job.options) as journal:
        scorer = load_scorer(job.model, job.options, job.seed, journal) if isinstance(job.model, str) else job.model
        return run_job(job, data, scorer, journal, start, time.perf_counter() - start)


def default_output_dir(suite: str, model: str) -> Path:
    """Return ``runs/<suite>-<model>-<time>``; whatever the model is called, the folder lies in ``runs``."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip(".-")[-60:] or "model"
    path = Path("runs") / f"{suite}-{name}-{datetime.now():%Y%m%d-%H%M%S}"
    others = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return path if not path.exists() else next(other for other in others if not other.exists())

"""``rmeval rewardbench``, ``rmeval pairs``, …: a command for each suite in the table."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

import typer

from rmeval.cli import options as opt
from rmeval.errors import RmevalError
from rmeval.eval.suites import SUITES

if TYPE_CHECKING:
    from rmeval.records import RunRecord


def register(app: typer.Typer) -> None:
    """Add a command for each suite."""
    for suite in SUITES.values():
        app.command(suite.name, help=f"Score {suite.description}.")(command)


def command(
    context: typer.Context,
    model: opt.Model,
    revision: opt.Revision = None,
    tokenizer: opt.Tokenizer = None,
    chat_template: opt.ChatTemplate = None,
    template_date: opt.TemplateDate = None,
    dtype: opt.Dtype = "auto",
    device: opt.Device = "auto",
    batch_size: opt.BatchSize = "auto",
    max_length: opt.MaxLength = None,
    attn_implementation: opt.Attention = None,
    compile: opt.Compile = "auto",
    refine: opt.Refine = True,
    cache: opt.Cache = True,
    trust_remote_code: opt.TrustRemoteCode = False,
    allow_pickle: opt.AllowPickle = False,
    allow_untrained_head: opt.AllowUntrainedHead = False,
    dataset: opt.DatasetName = None,
    dataset_revision: opt.DatasetRevision = None,
    split: opt.Split = None,
    subset: opt.Subset = None,
    limit: opt.Limit = None,
    include_prior_sets: opt.PriorSets = False,
    weights: opt.Weights = None,
    output_dir: opt.OutputDir = None,
    overwrite: opt.Overwrite = False,
    text: opt.Text = True,
    seed: opt.Seed = 0,
    as_json: opt.Json = False,
) -> None:
    """Score a suite and write the run; the suite is the command's name."""
    suite = str(context.info_name)
    from rmeval.cli.progress import progress_bar
    from rmeval.eval.evaluate import default_output_dir, evaluate
    from rmeval.reports.console import print_run
    from rmeval.reports.summary import summary

    with progress_bar("scoring") as progress:
        run = evaluate(
            model,
            suite,
            dataset=dataset,
            dataset_revision=dataset_revision,
            split=split,
            subsets=subset or (),
            limit=limit,
            include_prior_sets=include_prior_sets,
            weights=weights,
            model_options=opt.model_options(context),
            output_dir=output_dir or default_output_dir(suite, model),
            overwrite=overwrite,
            keep_text=text,
            seed=seed,
            command=["rmeval", *sys.argv[1:]],
            progress=progress,
        )
    if as_json:
        print(json.dumps(summary(run), ensure_ascii=False))
        print(f"run written to {shlex.quote(str(run.path))}", file=sys.stderr)
    else:
        print_run(run)
    _write_page(run)


def _write_page(run: RunRecord) -> None:
    """Write the run's page beside it; the run is safe by now, whatever happens here."""
    from rmeval.reports.report import write_report

    if run.path is not None:
        try:
            write_report([run], run.path / "report.html")
        except (RmevalError, OSError) as error:
            print(f"no report: {error}", file=sys.stderr)

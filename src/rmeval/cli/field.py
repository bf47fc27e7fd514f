"""``rmeval field``: the benchmarks that papers report together, one load, one table."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rmeval.cli.shared import options as opt
from rmeval.cli.shared.commands import with_model_options
from rmeval.cli.shared.streams import tell
from rmeval.errors import RmevalError, UsageError

if TYPE_CHECKING:
    from rmeval.eval.field import Field

_HELP = """Score the suites that papers report together: the model is loaded once, one run a suite, one table, one page.

What suites share is computed once. A suite whose data cannot be had is left out, and the table says so. Ctrl-C keeps
what is done; the same command goes on from there."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("field", help=_HELP)(command)


@with_model_options()
def command(
    context: typer.Context,
    model: opt.Model,
    suites: Annotated[
        str | None, opt.data_option("Suites, such as rewardbench,judgebench. Default: those of the field.")
    ] = None,
    dataset: Annotated[
        list[str] | None,
        opt.data_option("Rows of a suite: SUITE=PATH or SUITE=HUB_ID; may be repeated.", "--dataset"),
    ] = None,
    limit: opt.Limit = None,
    limit_per_subset: opt.LimitPerSubset = None,
    output_dir: opt.OutputDir = None,
    overwrite: opt.Overwrite = False,
    text: opt.Text = True,
    seed: opt.Seed = 0,
    as_json: opt.Json = False,
) -> None:
    """Score the suites, write runs and pages, print the table."""
    from rmeval.cli.shared.progress import progress_bar
    from rmeval.eval.evaluate import default_output_dir
    from rmeval.eval.field import evaluate_field
    from rmeval.reports.field.console import print_field

    names = [part.strip() for part in (suites or "").split(",") if part.strip()]
    if suites is not None and not names:
        raise UsageError("--suites is empty")
    with progress_bar("scoring") as progress:
        field = evaluate_field(
            model,
            names,
            output_dir=output_dir or default_output_dir("field", model),
            datasets=opt.paths(dataset or (), "--dataset", "SUITE=PATH here"),
            limit=limit,
            limit_per_subset=limit_per_subset,
            model_options=opt.model_options(context),
            overwrite=overwrite,
            keep_text=text,
            seed=seed,
            command=["rmeval", *sys.argv[1:]],
            progress=progress,
        )
    _write_pages(field)
    if as_json:
        from rmeval.eval.field import SUMMARY

        print(json.dumps(json.loads((field.path / SUMMARY).read_text(encoding="utf-8")), ensure_ascii=False))
        tell(f"field written to {shlex.quote(str(field.path))}")
    else:
        print_field(field)


def _write_pages(field: Field) -> None:
    """Write a page a run and the one over all; the runs are safe by now, whatever happens here."""
    from rmeval.records import REPORT, load_run
    from rmeval.reports.field.page import write_field
    from rmeval.reports.run.report import write_report

    try:
        for folder in field.runs:
            if not (folder / REPORT).exists():
                write_report([load_run(folder)], folder / REPORT)
        write_field(field)
    except (RmevalError, OSError) as error:
        tell(f"no page: {error}")

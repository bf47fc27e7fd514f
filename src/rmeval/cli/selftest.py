"""``rmeval selftest``: does a score depend on how it was computed?"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from rmeval.cli.exit_codes import ExitCode
from rmeval.cli.shared import options as opt
from rmeval.cli.shared.commands import with_model_options


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("selftest")(command)


@with_model_options(without=("batch_size", "attn_implementation", "compile", "cache", "steps"))
def command(
    context: typer.Context,
    model: opt.Model,
    dataset: Annotated[str | None, opt.data_option("Hub id, file or folder. Default: mini.")] = None,
    split: opt.Split = None,
    as_json: opt.Json = False,
) -> None:
    """Score a sample in many ways and compare; exit 1 if a decision moves."""
    from rmeval.cli.shared.progress import progress_bar
    from rmeval.eval.selftest import selftest
    from rmeval.reports.run.console import print_selftest

    with progress_bar("self-test", "ways") as progress:
        found = selftest(model, dataset, split=split, model_options=opt.model_options(context), progress=progress)
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        print_selftest(found)
    if found.moved:
        raise typer.Exit(ExitCode.NO)

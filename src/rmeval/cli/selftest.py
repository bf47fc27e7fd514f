"""``rmeval selftest``: does a score depend on how it was computed?"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from rmeval.cli.exit_codes import ExitCode
from rmeval.cli.shared import options as opt


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("selftest")(command)


def command(
    context: typer.Context,
    model: opt.Model,
    revision: opt.Revision = None,
    tokenizer: opt.Tokenizer = None,
    chat_template: opt.ChatTemplate = None,
    template_date: opt.TemplateDate = None,
    dtype: opt.Dtype = "auto",
    device: opt.Device = "auto",
    max_length: opt.MaxLength = None,
    refine: opt.Refine = True,
    trust_remote_code: opt.TrustRemoteCode = False,
    allow_pickle: opt.AllowPickle = False,
    allow_untrained_head: opt.AllowUntrainedHead = False,
    output_index: opt.OutputIndex = None,
    output_name: opt.OutputName = None,
    output_weights: opt.OutputWeights = None,
    reference: opt.Reference = None,
    log_probs: opt.LogProbsOption = None,
    sequential: opt.Sequential = False,
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

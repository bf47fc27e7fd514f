"""``rmeval rewardbench``, ``rmeval pairs``, …: a command for each suite in the table; and ``rmeval suite FILE``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli.shared import options as opt
from rmeval.cli.shared.commands import as_command, with_model_options
from rmeval.cli.shared.streams import tell
from rmeval.errors import RmevalError
from rmeval.eval.scorers import kind_of
from rmeval.eval.suites import SUITES, Suite

if TYPE_CHECKING:
    from rmeval.records import RunRecord

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The suite file.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add a command for each suite, and the one for a suite file."""
    for suite in SUITES.values():
        app.command(suite.name, help=f"Score {suite.description}.")(_command(_suite_command(suite), own=_own(suite)))
    app.command("suite", help="Score a suite of your own that a YAML file describes.")(
        _command(_file_command, first={"file": _File}, without=("map", "lists"))
    )


@with_model_options()
def _options(
    context: typer.Context,
    model: opt.Model,
    dataset: opt.DatasetName = None,
    dataset_revision: opt.DatasetRevision = None,
    split: opt.Split = None,
    subset: opt.Subset = None,
    limit: opt.Limit = None,
    limit_per_subset: opt.LimitPerSubset = None,
    map: opt.Map = None,
    lists: opt.ListsOption = "all",
    output_dir: opt.OutputDir = None,
    overwrite: opt.Overwrite = False,
    text: opt.Text = True,
    seed: opt.Seed = 0,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
) -> None:
    """Declare what all suites have beside the options of a model, in the order of ``--help``."""


def _own(suite: Suite) -> dict[str, Parameter]:
    """Return the options that only this suite has."""
    found = {}
    if suite.dataset is None:
        kind = Annotated[str | None, opt.data_option("Hub id, file or folder of the rows.  [required]")]
        found["dataset"] = Parameter("dataset", Parameter.KEYWORD_ONLY, default=None, annotation=kind)
    for name, option in suite.options.items():
        flag = Annotated[bool, opt.data_option(option.help, f"--{name}")]
        found[name] = Parameter(_parameter(name), Parameter.KEYWORD_ONLY, default=False, annotation=flag)
    if len(suite.weights) > 1:
        table = Annotated[str | None, opt.data_option(f"Weights of the sections: {', '.join(suite.weights)}.")]
        found["weights"] = Parameter("weights", Parameter.KEYWORD_ONLY, default=None, annotation=table)
    return found


def _parameter(option: str) -> str:
    return option.replace("-", "_")


def _command(
    run: Callable[..., None],
    *,
    first: Mapping[str, object] | None = None,
    own: Mapping[str, Parameter] | None = None,
    without: tuple[str, ...] = (),
) -> Callable[..., None]:
    """Return a function that typer takes for one with the common options and these.

    Args:
        run: Takes the context and, by name, what the options say.
        first: Arguments before them.
        own: Options of this command only: in place of a common one of that name, or after those of the data.
        without: Common options that it does not have.
    """

    own, shared = dict(own or {}), signature(_options).parameters.values()
    common = [own.pop(each.name, each) for each in shared if each.name not in without]
    place = [each.name for each in common].index("output_dir")
    context, *named = [*common[:place], *own.values(), *common[place:]]
    arguments = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in (first or {}).items()]
    return as_command(run, [context, *arguments, *named])


def _suite_command(suite: Suite) -> Callable[..., None]:
    def run(context: typer.Context, **given: Any) -> None:
        chosen = [name for name in suite.options if given.pop(_parameter(name))]
        _score(suite, context, suite_options=chosen, **given)

    return run


def _file_command(context: typer.Context, *, file: Path, **given: Any) -> None:
    from rmeval.eval.suites.file import load_suite

    _score(load_suite(file, SUITES), context, **given)


def _score(
    suite: Suite,
    context: typer.Context,
    *,
    model: str,
    output_dir: Path | None,
    as_json: bool,
    verbose: bool,
    suite_options: list[str] | None = None,
    map: list[str] | None = None,
    lists: str = "all",
    weights: str | None = None,
    **given: Any,
) -> None:
    """Score a suite, write the run and its page, and print it: a reader who has seen enough takes no file away."""
    from rmeval.cli.shared.progress import progress_bar
    from rmeval.eval.evaluate import default_output_dir, evaluate
    from rmeval.eval.suites.data import suite_of_rows
    from rmeval.reports.run.console import print_run
    from rmeval.reports.run.summary import summary
    from rmeval.reports.shell.names import printable

    columns, how = opt.columns(map or ()), opt.lists(lists)
    with progress_bar("scoring", _unit(model)) as progress:
        run = evaluate(
            model,
            suite,
            dataset=given["dataset"],
            dataset_revision=given["dataset_revision"],
            split=given["split"],
            subsets=given["subset"] or (),
            limit=given["limit"],
            limit_per_subset=given["limit_per_subset"],
            suite_options=suite_options or (),
            columns=columns,
            lists=how,
            weights=weights,
            model_options=opt.model_options(context),
            output_dir=output_dir or default_output_dir(suite_of_rows(suite, given["dataset"]).name, model),
            overwrite=given["overwrite"],
            keep_text=given["text"],
            seed=given["seed"],
            command=["rmeval", *sys.argv[1:]],
            progress=progress,
        )
    page = _write_page(run)
    folder = shlex.quote(str(run.path))
    if as_json:
        print(json.dumps(summary(run), ensure_ascii=False))
        tell(f"run written to {folder}")
        return
    print_run(run, verbose=verbose)
    if page is not None:
        print(printable(f"open {shlex.quote(str(page))}, or beside another run: rmeval report OTHER_RUN {folder}"))


def _unit(model: str) -> str:
    """Return what a kind of model counts its work in: an engine of our own tokens, the others what they are asked."""
    return "tokens" if "batch_size" in kind_of(model).options else "items"


def _write_page(run: RunRecord) -> Path | None:
    """Write the run's page beside it and return where; the run is safe by now, whatever happens here."""
    from rmeval.reports.run.report import write_report

    if run.path is None:
        return None
    try:
        write_report([run], run.path / "report.html")
    except (RmevalError, OSError) as error:
        tell(f"no report: {error}")
        return None
    return run.path / "report.html"

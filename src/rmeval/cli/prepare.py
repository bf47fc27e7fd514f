"""``rmeval prepare``: from a mixture to a data set of preference pairs, every dropped row accounted for."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmeval.cli.shared import options as opt
from rmeval.cli.shared.streams import tell
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError

if TYPE_CHECKING:
    from rmeval.data_prep.prepare import Prepared, Stages
    from rmeval.types import Example, Progress

_MIXTURE, _OVERLAP, _OUTPUT = "Mixture", "Overlap", "Output"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prepare", help="Build a mixture: preference pairs, a held-out split, and what became of every row.")(
        command
    )


def _names() -> list[str]:
    from rmeval.data_prep.mixture import mixture_names

    return list(mixture_names())


def command(
    mixture: Annotated[
        str,
        typer.Argument(
            metavar="MIXTURE", help="A name of rmeval list mixtures, or a YAML file.", autocompletion=_names
        ),
    ],
    output_dir: Annotated[Path, typer.Option(help="Folder for the data set.", rich_help_panel=_OUTPUT)],
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=PATH: read a source's rows from a file, folder or Hub id; may be repeated.",
            rich_help_panel=_MIXTURE,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of draws and the split. Default: the mixture's.", rich_help_panel=_MIXTURE)
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Suite or data set of pairs to compare the training split with; may be repeated. Default: mini.",
            rich_help_panel=_OVERLAP,
        ),
    ] = None,
    drop_overlap: Annotated[
        bool,
        typer.Option("--drop-overlap", help="Take out pairs with a benchmark's prompt.", rich_help_panel=_OVERLAP),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes. Default: one a processor.", rich_help_panel=_OUTPUT)
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a finished build there.", rich_help_panel=_OUTPUT)
    ] = False,
    as_json: opt.Json = False,
) -> None:
    """Build a mixture and say what became of every row."""
    from rmeval.data_prep.prepare import PAGE, prepare
    from rmeval.reports.data.console import print_ledger
    from rmeval.reports.data.page import write_data_page

    with _stages() as progress:
        done = prepare(
            mixture,
            output_dir,
            paths=opt.paths(source or (), "--source", "NAME=PATH, such as hh-rlhf=rows.jsonl"),
            against=_benchmarks(against or ["mini"]),
            drop_overlap=drop_overlap,
            seed=seed,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    write_data_page(done.statistics, output_dir / PAGE)
    if as_json:
        print(json.dumps(_summary(done), ensure_ascii=False))
    else:
        print_ledger(done.ledger, done.overlap)
    _tell(done)


def _tell(done: Prepared) -> None:
    """Say on stderr what must be known of a build, and where it is."""
    from rmeval.data_prep.prepare import PAGE

    for warning in done.warnings:
        tell(f"warning: {warning}")
    if done.kept:
        tell(f"built before and kept: {', '.join(done.kept)}")
    tell(f"data set written to {shlex.quote(str(done.path))}; look at {PAGE} in it")


def _benchmarks(names: Sequence[str]) -> dict[str, Sequence[Example]]:
    """Load the examples of suites, by name, and of any other data sets of pairs."""
    from rmeval.eval.suites import SUITES
    from rmeval.eval.suites.data import DataOptions, load_dataset

    found: dict[str, Sequence[Example]] = {}
    for name in names:
        suite = SUITES.get(name, SUITES["pairs"])
        if name not in SUITES and "/" not in name and not Path(name).exists() and did_you_mean(name, SUITES):
            raise UsageError(f"--against: no suite, file or folder {name!r}{did_you_mean(name, SUITES)}")
        found[name] = load_dataset(
            suite, DataOptions(None if suite.name == name else name, of_any_benchmark=True)
        ).examples
    return found


@contextmanager
def _stages() -> Iterator[Stages]:
    """Show a progress bar, a new one for each thing that is being done."""
    from rmeval.cli.shared.progress import progress_bar

    with ExitStack() as bars:
        current: list[tuple[str, Progress]] = []

        def report(stage: str, done: int, total: int) -> None:
            if not current or current[-1][0] != stage:
                bars.pop_all().close()
                current.append((stage, bars.enter_context(progress_bar(stage))))
            current[-1][1](done, total)

        yield report


def _summary(done: Prepared) -> dict[str, object]:
    """Return the ledger, where it is, and what overlaps, as plain JSON types."""
    overlap = [
        {"benchmark": each.benchmark, "subset": each.subset, "examples": each.examples}
        | {"exact": each.exact, "ngram": each.ngram, "completion": each.completion, "short": each.short}
        for each in done.overlap.subsets
    ]
    contaminated = len(done.overlap.contaminated)
    return {
        "path": str(done.path),
        **done.ledger.to_json(),
        "contaminated": contaminated,
        "overlap": overlap,
        "warnings": list(done.warnings),
    }

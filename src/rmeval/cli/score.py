"""``rmeval score``: one float for every completion of any data set."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli.shared import options as opt
from rmeval.cli.shared.commands import with_model_options
from rmeval.cli.shared.streams import tell
from rmeval.errors import UsageError

if TYPE_CHECKING:
    from rmeval.eval.scoring.score import ScoreSummary

_DATA, _OUTPUT = "Data", "Output"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("score", help="Score every completion of a file, in its order: for filtering and best-of-n.")(command)


@with_model_options(without=("refine", "steps"))
def command(
    context: typer.Context,
    model: opt.Model,
    dataset: Annotated[
        str, typer.Option(help="Hub id, file, folder, mini, or - for JSON lines from stdin.", rich_help_panel=_DATA)
    ],
    output: Annotated[
        Path,
        typer.Option(
            help="File for the rows with scores: .jsonl, .jsonl.gz or .parquet; - for stdout.", rich_help_panel=_OUTPUT
        ),
    ],
    best: Annotated[
        Path | None,
        typer.Option(help="File for best and worst completion a prompt, as pairs.", rich_help_panel=_OUTPUT),
    ] = None,
    split: opt.Split = None,
    limit: Annotated[int | None, typer.Option(help="Only the first N rows.", rich_help_panel=_DATA)] = None,
    map: opt.Map = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the files, and drop another command's unfinished ones.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    as_json: opt.Json = False,
) -> None:
    """Score a data set's completions and write its rows with their scores."""
    from rmeval.cli.shared.progress import progress_bar
    from rmeval.eval.scoring.score import score

    to_stdout = str(output) == "-"
    if to_stdout and as_json:
        raise UsageError("--output - and --json both write to stdout: leave one out")
    with _file(output) as file, progress_bar("scoring", "rows") as progress:
        done = score(
            model,
            dataset,
            file,
            best=best,
            split=split,
            limit=limit,
            columns=opt.columns(map or ()),
            model_options=opt.model_options(context),
            overwrite=overwrite,
            progress=progress,
        )
    _report(replace(done, output=Path("stdout")) if to_stdout else done)
    if as_json:
        print(json.dumps(_plain(done), ensure_ascii=False))


@contextmanager
def _file(output: Path) -> Iterator[Path]:
    """Return the file to write; one that goes to stdout is written there whole, once all rows are scored."""
    if str(output) != "-":
        yield output
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scores.jsonl"
        yield path
        with path.open(encoding="utf-8") as stream:
            shutil.copyfileobj(stream, sys.stdout)


def _report(done: ScoreSummary) -> None:
    """Say on stderr what was done and what must be known of it."""
    from rmeval.reports.run.summary import describe

    lines = [f"{item.severity:8} {describe(item.code, item.count, item.examples)}" for item in done.findings]
    if done.resumed:
        lines.append(f"went on after the {done.resumed:,} rows that were written before")
    if done.best is not None:
        prompts = "prompt" if done.left_out == 1 else "prompts"
        left_out = f"; skipped: {done.left_out:,} {prompts} without two distinct scores"
        lines.append(
            f"{done.pairs:,} pairs written to {shlex.quote(str(done.best))}{left_out if done.left_out else ''}"
        )
    lines.append(f"{done.completions:,} scores of {done.rows:,} rows written to {shlex.quote(str(done.output))}")
    for line in lines:
        tell(line)


def _plain(done: ScoreSummary) -> dict[str, Any]:
    best = None if done.best is None else str(done.best)
    return {**asdict(done), "output": str(done.output), "best": best}

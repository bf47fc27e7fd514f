"""``rmeval report``: one run, or several side by side, as one HTML file."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli.shared import options as opt


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", help="Write an HTML page of a run, or of several with the first as the baseline.")(command)


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Folders of runs; the first is the baseline.", show_default=False),
    ],
    output: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    common_only: Annotated[
        bool, typer.Option("--common-only", help="Compare only the examples that a run shares with the first.")
    ] = False,
    as_json: opt.Json = False,
) -> None:
    """Read the runs, write the page, say where it is."""
    from rmeval.records import load_run
    from rmeval.reports.run.report import write_report

    size = write_report([load_run(run) for run in runs], output, common_only=common_only)
    if as_json:
        print(json.dumps({"path": str(output), "bytes": size, "runs": [str(run) for run in runs]}, ensure_ascii=False))
    else:
        print(f"report written to {shlex.quote(str(output))} ({size / 1e6:.1f} MB)")

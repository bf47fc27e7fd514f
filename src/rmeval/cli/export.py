"""``rmeval export``: a run's results in the forms of the Hub and of Every Eval Ever."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmeval.cli.shared import options as opt
from rmeval.cli.shared.streams import tell

if TYPE_CHECKING:
    from rmeval.reports.export.parts import Export

_HELP = """Show a run's results in the form of the Hub or of Every Eval Ever; --push opens a pull request.

Without --push nothing leaves this machine."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export", help=_HELP)(command)


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run.", show_default=False)],
    to: Annotated[
        str,
        typer.Option(
            help="hub-eval-results, model-index or every-eval-ever.",
            show_default=False,
            autocompletion=lambda: ["hub-eval-results", "model-index", "every-eval-ever"],
        ),
    ],
    model_id: Annotated[str | None, typer.Option(help="The model on the Hub, if the run is of a folder.")] = None,
    organization: Annotated[str | None, typer.Option(help="Who made the run, for every-eval-ever.")] = None,
    task_id: Annotated[str, typer.Option(help="The benchmark's task, for hub-eval-results.")] = "default",
    output_dir: Annotated[Path | None, typer.Option(help="Folder to write the files to.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export there.")] = False,
    push: Annotated[bool, typer.Option("--push", help="Open a pull request with the files.")] = False,
    as_json: opt.Json = False,
) -> None:
    """Make the files, show or write them, and send them if asked to."""
    from rmeval.records import load_run
    from rmeval.reports.export.export import export, write_export
    from rmeval.reports.export.push import push as send

    found = export(load_run(run), to, model_id=model_id, organization=organization, task_id=task_id)
    if output_dir is not None:
        write_export(found, output_dir, overwrite=overwrite)
    address = send(found) if push else None
    if as_json:
        print(json.dumps(_as_json(found, address)))
        return
    if output_dir is not None:
        tell(f"{_files(len(found.files))} written to {shlex.quote(str(output_dir))}")
    elif not push:
        _show(found)
    for note in found.notes:
        tell(f"note: {note}")
    where = f"the {'data set' if found.kind == 'dataset' else 'model'} {found.repository}"
    if address is None:
        tell(f"nothing was sent; --push opens a pull request in {where}")
    else:
        print(address)


def _show(found: Export) -> None:
    """Print what would be sent; of samples the first."""
    for path, text in found.files.items():
        print(f"# {path}")
        if path.endswith(".jsonl"):
            lines = text.splitlines()
            print("\n".join(lines[:1]))
            print(f"# and {max(0, len(lines) - 1):,} more rows")
        else:
            print(text.rstrip())


def _as_json(found: Export, address: str | None) -> dict[str, object]:
    files = {path: text.encode() for path, text in found.files.items()}
    return {
        "target": found.target,
        "repository": found.repository,
        "kind": found.kind,
        "files": [
            {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in files.items()
        ],
        "notes": list(found.notes),
        "pull_request": address,
    }


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"

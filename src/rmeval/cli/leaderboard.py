"""``rmeval leaderboard``: many runs and published results as a static site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli.shared import options as opt


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("leaderboard", help="Write a static site of many runs: intervals, rank ranges, which leads are real.")(
        command
    )


def command(
    output_dir: Annotated[Path, typer.Option(help="Folder for index.html and the rest.", show_default=False)],
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN", help="Folders of runs, or folders that hold them.", show_default=False),
    ] = None,
    imports: Annotated[
        list[Path] | None,
        typer.Option(
            "--import",
            metavar="FILE_OR_FOLDER",
            help="Published results: per-subset JSON, the leaderboard's CSV, or a folder of those; may be repeated.",
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Weights of the leaderboard: today or 2024-05. Runs of others stand apart.")
    ] = None,
    import_weights: Annotated[
        str | None, typer.Option(help="The weights that imported CSV files were made with, if you know: 2024-05.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a leaderboard that is there.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the rank ranges.")] = 0,
    as_json: opt.Json = False,
) -> None:
    """Read runs and published results, write the site, print the tables."""
    from rmeval.cli.shared.progress import progress_bar
    from rmeval.reports.board.console import print_board
    from rmeval.reports.board.files import board_json
    from rmeval.reports.board.leaderboard import leaderboard

    with progress_bar("reading", "runs") as progress:
        board = leaderboard(
            runs or [],
            output_dir,
            imports=imports or [],
            weights=weights,
            import_weights=import_weights,
            overwrite=overwrite,
            seed=seed,
            progress=progress,
        )
    if as_json:
        print(board_json(board), end="")
    else:
        print_board(board)

"""The leaderboard: many runs and published results as a static site, with the leads that are real."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.eval.suites import SUITES, Suite, know
from rmeval.files import OutputFolder
from rmeval.records import RunRecord
from rmeval.reports.board.entries import Apart, Entry, Leaderboard
from rmeval.reports.board.files import board_csv, board_json, board_markdown, suites_csv
from rmeval.reports.board.imports import read_imports
from rmeval.reports.board.over import over_suites
from rmeval.reports.board.pages import index_page, model_page
from rmeval.reports.board.runs import find_runs, read_run
from rmeval.reports.board.tables import arrange
from rmeval.reports.board.write import SUITES_FILE, site_folder, write_site
from rmeval.types import Progress

__all__ = ["leaderboard"]


def leaderboard(
    runs: Sequence[RunRecord | str | Path],
    output_dir: str | Path,
    *,
    imports: Sequence[str | Path] = (),
    suites: Sequence[Suite] = (),
    weights: str | None = None,
    import_weights: str | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Leaderboard:
    """Write a leaderboard of runs and of published results.

    Args:
        runs: Runs on disk, their folders, or folders that hold some, one or two levels down.
        output_dir: Folder for ``index.html``, a page a model, and the same as CSV, JSON and Markdown.
        imports: Published results: per-subset JSON, CSV with a column a section, or folders of those.
        suites: Suites made in Python that runs may be of.
        weights: Name of the weight table; None for each suite's default. Runs with another one stand apart.
        import_weights: The weight table that the sections of CSV files were made with; None where that is not known.
        overwrite: Replace a leaderboard that is there.
        seed: Seed of the bootstrap.
        progress: Called with runs read and runs in all.

    Returns:
        What was written; ``tables`` has the rows with their rank ranges.

    Raises:
        UsageError: if there is nothing to show, a folder holds no run, or a weight table is not known.
        DataError: if a published file is damaged or not what it should be.
        RunError: if the site cannot be written, or one is there and ``overwrite`` is not set.
    """
    know(suites)
    _check_weights([weights, import_weights], suites)
    if not runs and not imports:
        raise UsageError("nothing to show: pass folders of runs, or published results with --import")
    places = [_place(run) for run in runs]
    with site_folder(Path(output_dir), overwrite=overwrite) as folder:
        return _write(folder, places, imports, weights, import_weights, seed, progress)


def _place(run: RunRecord | str | Path) -> str | Path:
    if not isinstance(run, RunRecord):
        return run
    if run.path is None:
        raise UsageError(f"the run of {run.info.model.name} is in memory only: a leaderboard is of runs on disk")
    return run.path


def _write(
    folder: OutputFolder,
    runs: Sequence[str | Path],
    imports: Sequence[str | Path],
    weights: str | None,
    import_weights: str | None,
    seed: int,
    progress: Progress | None,
) -> Leaderboard:
    published, ignored = read_imports(map(Path, imports), weights, import_weights)
    entries: list[Entry] = []
    unread: list[Apart] = []
    found = find_runs(map(Path, runs))
    for done, path in enumerate(found, start=1):
        item = read_run(path)
        if isinstance(item, Apart):
            unread.append(item)
        else:
            entries.append(item)
        if progress is not None:
            progress(done, len(found))
    tables, apart = arrange([*entries, *published], unread, weights, seed)
    board = Leaderboard(tables, apart, ignored, folder.path)
    pages = {row.page: model_page(board, row) for row in board.rows}
    over = over_suites(board)
    files = {
        **({SUITES_FILE: suites_csv(over)} if over is not None else {}),
        "leaderboard.csv": board_csv(board),
        "leaderboard.json": board_json(board),
        "leaderboard.md": board_markdown(board),
        "index.html": index_page(board),
    }
    write_site(folder, {**pages, **files})
    return board


def _check_weights(asked: Sequence[str | None], more: Sequence[Suite]) -> None:
    known = list(dict.fromkeys(name for suite in (*SUITES.values(), *more) for name in suite.weights))
    for name in asked:
        if name is not None and name not in known:
            raise UsageError(f"no suite has weights {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})")

"""The leaderboard: many runs and published results as a static site, with the leads that are real."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rmeval.errors import UsageError, did_you_mean
from rmeval.eval.suites import SUITES
from rmeval.eval.suites.rewardbench import REWARDBENCH
from rmeval.files import OutputFolder
from rmeval.reports.board import Apart, Entry, Leaderboard
from rmeval.reports.board_files import board_csv, board_json, board_markdown
from rmeval.reports.board_imports import read_imports
from rmeval.reports.board_pages import index_page, model_page
from rmeval.reports.board_runs import find_runs, read_run
from rmeval.reports.board_tables import arrange
from rmeval.reports.board_write import site_folder, write_site
from rmeval.types import Progress

__all__ = ["leaderboard"]


def leaderboard(
    runs: Sequence[str | Path],
    output_dir: str | Path,
    *,
    imports: Sequence[str | Path] = (),
    weights: str | None = None,
    import_weights: str | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Leaderboard:
    """Write a leaderboard of runs and of published results.

    Args:
        runs: Folders of runs, or folders that hold them, one or two levels down.
        output_dir: Folder for ``index.html``, a page a model, and the same as CSV, JSON and Markdown.
        imports: Published results of RewardBench: per-subset JSON, the CSV of the leaderboard, or folders of those.
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
    chosen = _weights(weights, import_weights)
    if not runs and not imports:
        raise UsageError("nothing to show: pass folders of runs, or published results with --import")
    with site_folder(Path(output_dir), overwrite=overwrite) as folder:
        return _write(folder, runs, imports, chosen, import_weights, seed, progress)


def _write(
    folder: OutputFolder,
    runs: Sequence[str | Path],
    imports: Sequence[str | Path],
    chosen: dict[str, str | None],
    import_weights: str | None,
    seed: int,
    progress: Progress | None,
) -> Leaderboard:
    published, ignored = read_imports(map(Path, imports), str(chosen[REWARDBENCH.name]), import_weights)
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
    tables, apart = arrange([*entries, *published], unread, chosen, seed)
    board = Leaderboard(tables, apart, ignored, folder.path)
    pages = {row.page: model_page(board, row) for row in board.rows}
    files = {
        "leaderboard.csv": board_csv(board),
        "leaderboard.json": board_json(board),
        "leaderboard.md": board_markdown(board),
        "index.html": index_page(board),
    }
    write_site(folder, {**pages, **files})
    return board


def _weights(asked: str | None, imported: str | None) -> dict[str, str | None]:
    """Return the weight table of each suite: its default where it does not have the one asked for."""
    known = list(dict.fromkeys(name for suite in SUITES.values() for name in suite.weights))
    if asked is not None and asked not in known:
        raise UsageError(f"no suite has weights {asked!r}{did_you_mean(asked, known)} (known: {', '.join(known)})")
    if imported is not None and imported not in REWARDBENCH.weights:
        known = list(REWARDBENCH.weights)
        text = f"{REWARDBENCH.name} has no weights {imported!r}{did_you_mean(imported, known)}"
        raise UsageError(f"{text} (known: {', '.join(known)})")
    return {suite.name: asked if asked in suite.weights else suite.default_weights for suite in SUITES.values()}

"""The runs of a leaderboard: where they lie, and whether each says what its scores say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from rmeval.errors import RmevalError, UsageError
from rmeval.eval.numbers.decisions import Decisions, decide
from rmeval.eval.numbers.weights import overall_mean
from rmeval.eval.suites import suite_of
from rmeval.records import EXAMPLES, RUN, SCORES, load_run
from rmeval.reports.board.entries import Apart, Entry, Figure, Measured, SubsetFigure
from rmeval.run_info import RunInfo

__all__ = ["find_runs", "read_run"]

_DEPTH = 2
"""How many levels below a folder runs are looked for."""


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """Return the folders of runs, finished or not, that these are or hold; each once.

    Raises:
        UsageError: if one of the paths is or holds none, or cannot be read.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        start = path.parent if path.name == RUN else path
        try:
            own = [start] if _is_run(start) else _below(start, _DEPTH)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
        if not own:
            raise UsageError(f"no run in {path}: pass folders of runs, or a folder that holds them")
        for folder in own:
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _below(folder: Path, depth: int) -> list[Path]:
    if not folder.is_dir():
        return []
    inside = sorted(item for item in folder.iterdir() if item.is_dir() and not item.name.startswith("."))
    runs = [item for item in inside if _is_run(item)]
    if runs:  # An empty folder beside runs is one that was stopped before its first file.
        runs += [item for item in inside if not any(item.iterdir())]
    if depth > 1:
        runs += [run for item in inside if not _is_run(item) for run in _below(item, depth - 1)]
    return sorted(runs)


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in (RUN, SCORES, EXAMPLES))


def read_run(path: Path) -> Entry | Apart:
    """Return a run's numbers, or why they cannot stand in a leaderboard at all."""
    try:
        run = load_run(path, with_text=False)
        suite = suite_of(run.info)
        if suite.weights and run.info.weights not in suite.weights:
            return _apart(path, f"this rmeval does not know the weights {run.info.weights!r}", run.info.model.name)
        decisions = decide(run)
    except RmevalError as error:
        return _apart(path, str(error))
    if not _agrees(run.info, decisions):
        return _apart(path, "its run.json does not say what its scores say: score it again", run.info.model.name)
    return _entry(run.info, decisions, path)


def _apart(path: Path, reason: str, name: str = "") -> Apart:
    return Apart(label=name or path.resolve().name, reasons=(reason,), source=str(path))


def _agrees(info: RunInfo, decisions: Decisions) -> bool:
    """Return whether a run's accuracies follow from its scores."""
    suite, results = suite_of(info), info.results
    places = decisions.subsets()
    if set(places) != set(results.subsets):
        return False
    points: dict[str, float] = {}
    for name, own in places.items():
        said, n = results.subsets[name], int(decisions.valid[own].sum())
        right, ties = (int((decisions.kind[own] == kind).sum()) for kind in ("right", "tie"))
        if (said.n, said.right, said.ties, said.invalid) != (n, right, ties, len(own) - n):
            return False
        if n:
            points[name] = float(decisions.counted[own].sum()) / n
            if said.accuracy is None or not math.isclose(said.accuracy, points[name], abs_tol=1e-9):
                return False
    table = suite.sections(info.weights)
    sizes = {name: float(results.subsets[name].n) for name in points}
    overall = overall_mean(suite, table, points, sizes)
    if (overall is None) != (results.overall is None):
        return False
    return overall is None or results.overall is None or math.isclose(overall, results.overall.accuracy, abs_tol=1e-9)


def _entry(info: RunInfo, decisions: Decisions, path: Path) -> Entry:
    results = info.results
    overall = results.overall
    return Entry(
        model=info.model.name,
        suite=suite_of(info),
        weights=info.weights,
        overall=Figure(overall.accuracy, overall.low, overall.high) if overall else None,
        sections={name: Figure(each.accuracy, each.low, each.high) for name, each in results.sections.items()},
        subsets={
            name: SubsetFigure(each.accuracy, each.low, each.high, each.n, each.ties, each.invalid)
            for name, each in results.subsets.items()
        },
        source=str(path),
        counted=tuple(results.sections),
        notes=_notes(info),
        measured=Measured(info, decisions, path),
    )


def _notes(info: RunInfo) -> tuple[str, ...]:
    """Return what does not forbid a rank, but must be known."""
    found: Sequence[tuple[bool, str]] = [
        (info.model.untrained_head, "its head is untrained: its scores are noise"),
        (any(item.severity == "error" for item in info.audit), "the audit found errors: see its page"),
    ]
    return tuple(text for holds, text in found if holds)

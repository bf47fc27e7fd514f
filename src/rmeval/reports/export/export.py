"""From a run to files for elsewhere; a new target is a file here and a line in ``TARGETS``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.files import output_folder, write_text
from rmeval.records import RunRecord
from rmeval.reports.export.every_eval_ever import every_eval_ever
from rmeval.reports.export.hub_eval_results import hub_eval_results
from rmeval.reports.export.model_index import model_index
from rmeval.reports.export.parts import Export, ExportOptions

__all__ = ["MARK", "TARGETS", "export", "write_export"]

TARGETS: dict[str, Callable[[RunRecord, ExportOptions], Export]] = {
    "hub-eval-results": hub_eval_results,
    "model-index": model_index,
    "every-eval-ever": every_eval_ever,
}
MARK = "export.json"
"""The file by which an export on disk is known; it lists the others."""


def export(
    run: RunRecord,
    to: str,
    *,
    model_id: str | None = None,
    organization: str | None = None,
    task_id: str = "default",
) -> Export:
    """Return what would be sent of a run; sends nothing.

    Args:
        run: The run.
        to: The target: ``hub-eval-results``, ``model-index`` or ``every-eval-ever``.
        model_id: The model on the Hub, where the run is of a folder.
        organization: Who made the run, for ``every-eval-ever``.
        task_id: The task in the benchmark's ``eval.yaml``, for ``hub-eval-results``.

    Raises:
        UsageError: if there is no such target, the model has no id, or the run is not one that the target may have: a
            run that is partial or of an unverified copy is not shown as a benchmark's result.
        RunError: if the run's tables do not fit together.
    """
    if to not in TARGETS:
        raise UsageError(f"--to takes {', '.join(TARGETS)}, not {to!r}{did_you_mean(to, TARGETS)}")
    return TARGETS[to](run, ExportOptions(model_id, organization, task_id))


def write_export(found: Export, folder: Path, *, overwrite: bool = False) -> None:
    """Write an export's files into a folder, at their paths in the repository.

    Raises:
        RunError: if another export is there and ``overwrite`` is not set, a file is there that rmeval did not write,
            or writing fails.
    """
    with output_folder(
        folder, what="export", mark=MARK, overwrite=overwrite, written=lambda: _listed(folder)
    ) as output:
        output.check([*found.files, MARK])
        stale = output.owned - found.files.keys() - {MARK}
        output.claim([*found.files, MARK])
        for name, text in found.files.items():
            write_text(folder / name, text)
        about = {"target": found.target, "repository": found.repository, "files": list(found.files)}
        write_text(folder / MARK, json.dumps(about, indent=1) + "\n")
        output.remove(stale)


def _listed(folder: Path) -> list[str]:
    """Return the files that the export there says it has."""
    try:
        names = json.loads((folder / MARK).read_text(encoding="utf-8"))["files"]
        return [name for name in names if isinstance(name, str)]
    except (OSError, ValueError, KeyError, TypeError):
        return []

"""An export on disk, and numbers that come from the scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rmeval import RunRecord
from rmeval.errors import RunError
from rmeval.reports.export.export import MARK, export, write_export
from rmeval.run_info import Estimate


def test_numbers_come_from_the_scores_not_from_what_the_run_says(whole: RunRecord) -> None:
    forged = whole.with_info(results=replace(whole.info.results, overall=Estimate(0.99, 0.98, 1.0)))
    for target in ("hub-eval-results", "model-index"):
        assert export(forged, target).files == export(whole, target).files


def test_files_lie_at_their_paths(whole: RunRecord, tmp_path: Path) -> None:
    found = export(whole, "every-eval-ever")
    write_export(found, tmp_path / "out")
    written = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert written == {*found.files, MARK}
    for name, text in found.files.items():
        assert (tmp_path / "out" / name).read_text() == text
    assert json.loads((tmp_path / "out" / MARK).read_text())["files"] == list(found.files)


def test_another_export_takes_its_place_only_if_asked(whole: RunRecord, tmp_path: Path) -> None:
    write_export(export(whole, "every-eval-ever"), tmp_path)
    with pytest.raises(RunError, match=r"holds a finished export; .*--overwrite"):
        write_export(export(whole, "model-index"), tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    write_export(export(whole, "model-index"), tmp_path, overwrite=True)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["README.md", "export.json", "mine.txt"]


@pytest.mark.parametrize("name", ["README.md", MARK])
def test_a_file_of_somebody_elses_is_never_replaced(name: str, whole: RunRecord, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(RunError):
        write_export(export(whole, "model-index"), tmp_path)
    if name != MARK:
        with pytest.raises(RunError, match=r"README.md, which rmeval did not write"):
            write_export(export(whole, "model-index"), tmp_path, overwrite=True)
    assert (tmp_path / name).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]

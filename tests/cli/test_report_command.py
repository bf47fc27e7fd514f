"""``rmeval report`` as it is typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from rmeval.cli import report
from rmeval.errors import RmevalError, RunError, UsageError
from tests.reports.made import made_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("runs")
    return [str(made_run(folder, seed).path) for seed in (0, 1)]


def typed(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    report.register(app)
    return CliRunner().invoke(app, ["report", *arguments])


def refused(kind: type[RmevalError], *arguments: str) -> str:
    found = typed(*arguments)
    assert isinstance(found.exception, kind)
    assert "\n" not in str(found.exception)
    return str(found.exception)


def test_one_run(runs: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a page.html"
    found = typed(runs[0], "--output", str(path))
    assert found.exit_code == 0
    assert found.stdout.startswith(f"report written to '{path}' (0.")
    assert "hashed-0" in path.read_text()


def test_two_runs_as_json_and_by_default_here(runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = json.loads(typed(*runs, "--json").stdout)
    assert found == {"path": "report.html", "bytes": Path("report.html").stat().st_size, "runs": runs}
    assert "hashed-1 against hashed-0" in Path("report.html").read_text()
    assert typed(*runs).exit_code == 0, "a second time"


def test_mistakes(runs: list[str], tmp_path: Path) -> None:
    assert typed().exit_code == 2
    assert typed(runs[0], "--ouptut", "x").exit_code == 2
    assert "no finished run" in refused(RunError, str(tmp_path / "none"), "--output", str(tmp_path / "x.html"))
    assert "cannot write the page" in refused(RunError, runs[0], "--output", str(tmp_path))
    assert "leaderboard" in refused(UsageError, *[runs[0]] * 9, "--output", str(tmp_path / "x.html"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["run.json", "scores.parquet", "examples.parquet", "notes.html"])
def test_a_page_replaces_a_page_and_nothing_else(name: str, runs: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(runs[0], folder)
    (folder / "notes.html").write_text("<!doctype html><title>my notes</title>")
    before = (folder / name).read_bytes()
    assert "rmeval did not write it" in refused(RunError, str(folder), "--output", str(folder / name))
    assert (folder / name).read_bytes() == before
    assert typed(str(folder), "--output", str(folder / "page.html")).exit_code == 0
    assert typed(*runs, "--output", str(folder / "page.html")).exit_code == 0


@pytest.mark.parametrize("output", [".", "..", "/"])
def test_a_folder_is_no_page(output: str, runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "it is a folder" in refused(RunError, runs[0], "--output", output)
    assert list(tmp_path.iterdir()) == []

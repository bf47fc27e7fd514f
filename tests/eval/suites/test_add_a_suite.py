"""What docs/add-a-suite.md shows is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rmeval import load_run
from rmeval.cli import main
from rmeval.data_prep.rows.column_map import FIELDS
from rmeval.eval.suites.file import SuiteFile
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "add-a-suite.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def run_command(line: str, *more: str) -> None:
    with pytest.raises(SystemExit) as done:
        main([*line.split()[1:], *more])
    assert done.value.code == 0


def test_the_suite_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("support-desk.yaml").write_text(block("yaml"))
    Path("desk.jsonl").write_text(block("json"))
    (line,) = re.findall(r"`(rmeval suite [^`]+)`", PAGE)
    run_command(line, "--output-dir", "run")
    run = load_run("run")
    results = run.info.results
    assert {name: round(100 * each.accuracy, 1) for name, each in results.sections.items()} == {
        "Easy": 100.0,
        "Hard": 66.7,
    }
    assert results.overall is not None
    assert round(100 * results.overall.accuracy, 1) == 77.8
    assert not run.info.partial
    run_command("rmeval report run --output page.html")
    run_command("rmeval leaderboard run --output-dir site")
    run_command("rmeval check --baseline run --candidate run")


def test_the_python_suite() -> None:
    exec(compile(block("python"), "docs/add-a-suite.md", "exec"), {})  # noqa: S102


def test_the_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    row = {"question": "q", "good": {"text": "longer"}, "bad": [{"text": "short"}, {"text": "tiny"}]}
    Path("rows.jsonl").write_text(json.dumps(row) + "\n")
    (line,) = re.findall(r"^(rmeval pairs .+)$", PAGE, re.MULTILINE)
    run_command(line.replace("--model M", "--model baseline:longest"), "--output-dir", "run")
    run = load_run("run")
    assert run.info.results.subsets["all"].right == 1
    assert run.info.settings["map"] == "prompt=question chosen=good.text rejected=bad[].text"
    run_command(line.replace("--model M", "--model baseline:shortest"), "--lists", "grid", "--output-dir", "grid")
    assert load_run("grid").info.results.subsets["all"].n == 2


def test_everything_that_a_map_or_a_file_may_say_is_on_the_page() -> None:
    for name in (*FIELDS, *SuiteFile.model_fields):
        assert re.search(rf"\b{name}\b", PAGE), name

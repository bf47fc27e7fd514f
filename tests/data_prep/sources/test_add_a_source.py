"""What docs/add-a-source.md shows is true: its file and its line, in a copy of rmeval."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rmeval
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "add-a-source.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def applied(diff: str, text: str) -> str:
    """A text with what a diff adds and takes away; an import goes above the others."""
    added = [line[1:] for line in diff.splitlines() if line.startswith("+")]
    (before,) = [line[1:] for line in diff.splitlines() if line.startswith("-")]
    assert text.count(before) == 1
    first = "from rmeval.data_prep.sources.base import"
    return text.replace(before, added[1]).replace(first, f"{added[0]}\n{first}")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rmeval, to which one file was added and one line."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(Path(rmeval.__file__).parent, folder / "rmeval", ignore=shutil.ignore_patterns("__pycache__"))
    sources = folder / "rmeval" / "data_prep" / "sources"
    (sources / "forum.py").write_text(block("python"))
    table = sources / "__init__.py"
    table.write_text(applied(block("diff"), table.read_text()))
    return folder


def run_command(copy: Path, folder: Path, line: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-m", *line.split()]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_source(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text(block("json"))
    (tmp_path / "mixture.yaml").write_text(block("yaml"))
    (line,) = re.findall(r"^(rmeval prepare .+)$", PAGE, re.MULTILINE)
    run_command(copy, tmp_path, f"{line} --workers 2")
    ledger = json.loads((tmp_path / "data" / "ledger.json").read_text())
    [source] = ledger["sources"]
    told = {
        "rows": source["rows"],
        **{f"rows dropped, {reason}": number for reason, number in source["dropped_rows"].items()},
        "candidate pairs": source["candidates"],
        **{f"pairs dropped, {reason}": number for reason, number in source["dropped_pairs"].items()},
        "pairs to train on": source["train"],
        "pairs held out": source["test"],
    }
    table = re.findall(r"^\| (.+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert told == {name: int(number) for name, number in table}
    card = (tmp_path / "data" / "README.md").read_text()
    assert "the answer with more votes is the better one" in card


def test_it_is_in_the_list(copy: Path, tmp_path: Path) -> None:
    assert re.search(r"\bforum\b.*a forum's answers", run_command(copy, tmp_path, "rmeval list sources"))

"""What docs/air-gapped.md promises: nothing reaches out, and what was carried in is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rmeval.eval.suites import SUITES
from rmeval.eval.suites.page import BEGIN, END, data_table
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "air-gapped.md").read_text()
WATCHED = """
import sys
def refuse(event, arguments):
    asked = event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple))
    if asked:
        open("reached-out", "a").write(f"{event} {arguments}\\n")
        raise OSError("no network")
sys.addaudithook(refuse)
from rmeval.cli import main
main(sys.argv[1:])
"""
"""A command line that notes and refuses every look-up of a name and every connection but those within the machine."""


def run(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_HOME")}
    return subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments],
        env={**environment, "HF_HOME": str(folder / "hub"), **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_scoring_what_ships_reaches_nothing(tmp_path: Path) -> None:
    done = run("mini", "--model", "quickstart", "--limit", "4", "--output-dir", "run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").exists()
    assert not (tmp_path / "reached-out").exists()


def test_what_is_not_there_is_asked_for_unless_told_not_to(tmp_path: Path) -> None:
    arguments = ("rewardbench", "--model", "baseline:longest", "--output-dir", "run")
    offline = run(*arguments, folder=tmp_path, HF_HUB_OFFLINE="1")
    assert offline.returncode == 2
    assert "'allenai/reward-bench' is not (wholly) in the local cache and HF_HUB_OFFLINE is set" in offline.stderr
    assert not (tmp_path / "reached-out").exists()
    assert run(*arguments, folder=tmp_path).returncode == 2
    assert "huggingface.co" in (tmp_path / "reached-out").read_text()  # Else the hook would see nothing.


@pytest.mark.parametrize(("name", "reference"), [("rewardbench", "main"), ("rewardbench2", None)])
def test_rows_in_a_cache_that_was_carried_in_are_the_benchmarks(
    name: str, reference: str | None, tmp_path: Path
) -> None:
    """By the branch that was fetched, or by the commit that is pinned."""
    suite = SUITES[name]
    assert suite.dataset is not None
    commit = suite.revision or "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "hub" / "hub" / f"datasets--{suite.dataset.replace('/', '--')}"
    rows = cache / "snapshots" / commit / "data" / f"{suite.split}-00000-of-00001.jsonl"
    rows.parent.mkdir(parents=True)
    if reference is not None:
        (cache / "refs").mkdir()
        (cache / "refs" / reference).write_text(commit)
    row = {"id": "1", "prompt": "p", "chosen": "a longer answer", "rejected": "short", "subset": "alpacaeval-easy"}
    if name == "rewardbench2":
        row |= {"chosen": ["a longer answer"], "rejected": ["a", "b", "c"], "subset": "Factuality"}  # type: ignore[dict-item]
    rows.write_text(json.dumps(row) + "\n")
    done = run(name, "--model", "baseline:longest", "--output-dir", "run", folder=tmp_path, HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert (data["dataset"], data["revision"]) == (suite.dataset, commit)
    assert "copy" not in done.stdout + done.stderr
    assert not (tmp_path / "reached-out").exists()


def test_the_page_has_the_table_of_what_the_suites_read() -> None:
    assert f"{BEGIN}\n{data_table()}\n{END}" in PAGE, "write it again: python -m rmeval.eval.suites.page docs"
    for name, suite in SUITES.items():
        assert f"| `{name}` |" in PAGE
        for told in (suite.dataset if suite.packaged is None else None, suite.revision):
            assert told is None or f"`{told}`" in PAGE
    assert "`allenai/preference-test-sets`" in PAGE

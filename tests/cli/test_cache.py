from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from rmeval.cli import cache
from rmeval.errors import RunError, UsageError
from rmeval.eval.journal.journal import Journal
from rmeval.eval.journal.key import key

SCRIPT = """
import sys, typer
from rmeval.cli import cache
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
cache.register(app)
app(sys.argv[1:], standalone_mode=False)
assert "torch" not in sys.modules
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a journal with 1,200 scores."""
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path))
    with Journal.open() as journal:
        keys = [key("", np.array([number], np.int32), 0) for number in range(1200)]
        journal.put(keys, [1.0] * 1200)
    return tmp_path


def call(*arguments: str) -> None:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cache.register(app)
    app(list(arguments), standalone_mode=False)


def count() -> int:
    with Journal.open() as journal:
        return journal.info().scores


def test_info_says_where_and_how_much(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("cache", "info")
    out, err = capsys.readouterr()
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["path"] == str(folder / "scores.sqlite")
    assert lines["scores"] == "1,200"
    assert lines["size"].endswith(("kB", "MB"))
    assert float(lines["size"].split()[0]) > 0
    assert err == ""


def test_info_of_a_damaged_journal_names_the_file_set_aside(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "scores.sqlite").write_bytes(b"nonsense" * 200)
    call("cache", "info")
    out, err = capsys.readouterr()
    (aside,) = folder.glob("scores.sqlite.damaged-*")
    assert str(aside) in out
    assert err.startswith("rmeval: warning: ")
    assert aside.name in err
    call("cache", "clear", "--yes")
    assert aside.read_bytes() == b"nonsense" * 200
    call("cache", "info")
    out, err = capsys.readouterr()
    assert str(aside) in out  # Still there to be found, and no longer news.
    assert err == ""


def test_clear_with_yes_empties_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "scores.sqlite").stat().st_size
    call("cache", "clear", "--yes")
    assert "removed 1,200 scores" in capsys.readouterr().out
    assert count() == 0
    assert (folder / "scores.sqlite").stat().st_size < before


@pytest.mark.usefixtures("folder")
def test_clear_asks_nobody_when_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(UsageError, match="--yes"):
        call("cache", "clear")
    assert count() == 1200


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1200), ("\n", 1200), ("\x04", 1200)])
def test_clear_asks_on_a_terminal(answer: str, left: int) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    command = [sys.executable, "-c", SCRIPT, "cache", "clear"]
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=60, check=False)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert "Remove 1,200 scores" in done.stderr
    assert ("removed 1,200" if left == 0 else "nothing removed") in done.stdout
    assert count() == left


@pytest.mark.parametrize("command", [["info"], ["clear", "--yes"]])
def test_a_place_that_cannot_be_used_is_an_error(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path / "file"))
    with pytest.raises(RunError, match="cannot be used"):
        call("cache", *command)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0.0 kB"), (4096, "4.1 kB"), (123_456, "0.1 MB"), (14_000_000_000, "14,000.0 MB")]
)
def test_sizes(count: int, text: str) -> None:
    assert cache._size(count) == text

"""``MODULE:FACTORY``: a scorer of the user's own from the command line, if it is trusted; one line for what is none."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rmeval import ModelOptions, load_run
from rmeval.cli import main
from rmeval.errors import RmevalError
from rmeval.eval.scorers import load_scorer
from tests.conftest import REPOSITORY

TRUSTED = ModelOptions(trust_remote_code=True)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path / "cache"))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_scorer_of_the_docs(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "add-a-scorer.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(code.splitlines()) <= 30
    (tmp_path / "polite.py").write_text(code)
    rows = [{"prompt": "p", "chosen": "Please do.", "rejected": "Do."}, {"prompt": "q", "chosen": "a", "rejected": "b"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for line in re.findall(r"^(rmeval .+)$", page, re.MULTILINE):
        with pytest.raises(SystemExit) as done:
            main(line.split()[1:])
        assert done.value.code == 0, line
    found = load_run("run").info.results.subsets["all"]
    assert (found.right, found.ties) == (1, 1)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("mine:make", None, "no module 'mine' here or installed"),
        ("mine:make", "x = 1\n", "'mine' has no callable 'make' (it has: none)"),
        ("mine:make", "make = 1\n", "'mine' has no callable 'make'"),
        ("mine:make", "import nothing_like_it\n", "cannot import 'mine': No module named 'nothing_like_it'"),
        ("mine:make", "raise ValueError('a\\nb')\n", "importing 'mine' failed: ValueError: a b"),
        ("mine:make", "def make():\n    raise ValueError('no key')\n", "mine:make() failed: ValueError: no key"),
        ("mine:make", "def make(key):\n    pass\n", "mine:make() failed: TypeError"),
        ("mine:make", "def make():\n    return 1\n", "mine:make() made a int, which is no scorer"),
        ("mine:make", "def make():\n    return object\n", "made a type, which is no scorer"),
    ],
)
def test_what_is_no_factory(tmp_path: Path, name: str, code: str | None, words: str) -> None:
    if code is not None:
        (tmp_path / "mine.py").write_text(code)
    with pytest.raises(RmevalError) as caught:
        load_scorer(name, TRUSTED)
    assert words in str(caught.value)
    assert "UsageError" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_code_is_run_only_if_it_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit('run')\n")
    with pytest.raises(RmevalError, match="mine:make is Python code, which would be run: pass --trust-remote-code"):
        load_scorer("mine:make", ModelOptions())

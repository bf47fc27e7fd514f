"""What parsers let pass: an empty value, and an option given twice; and the version."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import rmeval
from rmeval.cli import _run
from tests.conftest import REPOSITORY


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert _run(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["mini", "--model", "baseline:longest", "--output-dir", ""], "--output-dir is empty"),
        (["mini", "--model", "baseline:longest", "--output-dir="], "--output-dir is empty"),
        (["report", "run", "--output", ""], "--output is empty"),
        (["report", ""], "an argument is empty"),
        (["check", "--candidate", "", "--baseline", "x"], "--candidate is empty"),
        (["leaderboard", "--output-dir", "", "runs"], "--output-dir is empty"),
        (["mini", "--model", "baseline:longest", "--model", "baseline:random"], "--model is given twice"),
        (["mini", "--model=baseline:longest", "--seed=1", "--model", "baseline:random"], "--model is given twice"),
        (["bench", "--attn", "eager", "--attn-implementation", "sdpa"], "--attn-implementation is given twice"),
        (["check", "--candidate", "a", "--baseline", "b", "--candidate=c"], "--candidate is given twice"),
    ],
)
def test_what_a_parser_lets_pass(
    arguments: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert named in refused(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_what_may_stand_twice(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    twice = ["--subset", "mini-code", "--subset", "mini-arithmetic", "--no-text", "--text"]
    command = ["mini", "--model", "baseline:longest", *twice, "--output-dir", str(tmp_path / "run")]
    assert _run(command) == 0, capsys.readouterr()


def version() -> str:
    return str(tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"])


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run([flag]) == 0
    assert capsys.readouterr() == (f"{rmeval.__version__}\n", "")
    assert rmeval.__version__ == version()


def test_the_version_of_an_installed_wheel(tmp_path: Path) -> None:
    """A wheel made offline, unpacked elsewhere: no source tree is on the path."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)]
    done = subprocess.run([*build, str(REPOSITORY)], capture_output=True, text=True, check=False)
    if "hatchling" in done.stderr and done.returncode:
        pytest.skip("hatchling, which builds the wheel, is not installed")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    install = [*pip, "install", "--no-deps", "--no-index", "--target", str(tmp_path / "there"), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "there")}
    for command in (["-m", "rmeval", "--version"], ["-c", "import rmeval; print(rmeval.__version__)"]):
        found = subprocess.run(
            [sys.executable, *command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert found.stdout == f"{version()}\n"

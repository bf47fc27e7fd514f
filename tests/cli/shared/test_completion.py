"""What a shell is given to complete, by the scripts that the command prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rmeval.cli import main
from tests.test_imports import HEAVY, loaded


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One where ``rmeval`` is on the path."""
    program = tmp_path / "bin" / "rmeval"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rmeval "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def output(command: list[str], environment: dict[str, str]) -> list[str]:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rmeval rewardb", ["rewardbench", "rewardbench2"]),
        ("rmeval list m", ["models", "mixtures"]),
        ("rmeval train rm-mistral-7b-", ["rm-mistral-7b-lora"]),
        ("rmeval train --explain adam_b", ["adam_beta1", "adam_beta2"]),
        ("rmeval prepare rm-mistral-7b-", ["rm-mistral-7b-safe"]),
        ("rmeval export run --to mo", ["model-index"]),
        ("rmeval mini --model x --no-ref", ["--no-refine"]),
        ("rmeval --show-completion z", ["zsh"]),
        ("rmeval rewardbench --output-dir ru", []),  # Left to the shell, which knows files.
        ("rmeval pairs --dataset held", []),
    ],
)
def test_what_may_come_next(
    line: str, expected: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the protocol of bash."""
    monkeypatch.setenv("_RMEVAL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    with pytest.raises(SystemExit) as caught:
        main([])
    assert (caught.value.code, capsys.readouterr().out.split()) == (0, expected)


def test_bash_completes(environment: dict[str, str]) -> None:
    asked = 'eval "$(rmeval --show-completion bash)"; COMP_WORDS=(rmeval list m); COMP_CWORD=2; '
    shown = '_rmeval_completion rmeval; printf "%s\\n" "${COMPREPLY[@]}"'
    assert output(["bash", "--norc", "-c", asked + shown], environment) == ["models", "mixtures"]


def test_zsh_is_given_names_with_their_help(environment: dict[str, str]) -> None:
    asked = {"_RMEVAL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "rmeval chec"}
    done = subprocess.run(["rmeval"], env={**environment, **asked}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("""_arguments '*: :(("check":"Compare a run with a baseline""")
    assert done.stderr == ""
    script = subprocess.run(
        ["rmeval", "--show-completion", "zsh"], env=environment, capture_output=True, text=True, check=True
    )
    assert script.stdout.startswith("#compdef rmeval\n")  # Which zsh reads in the first line alone.


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes(environment: dict[str, str]) -> None:
    asked = 'rmeval --show-completion fish | source; complete -C "rmeval list f"'
    assert output(["fish", "--no-config", "-c", asked], environment) == ["findings"]


def test_another_shell_is_one_line(environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["rmeval", "--show-completion", "bahs"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "rmeval: error: no completion for the shell 'bahs'; did you mean 'bash'? (known: bash, zsh, fish)\n"
    )


def test_completing_loads_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_RMEVAL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "rmeval train rm")
    monkeypatch.setenv("COMP_CWORD", "2")
    found = loaded("-m", "rmeval")
    assert "typer" in found
    assert not found & HEAVY

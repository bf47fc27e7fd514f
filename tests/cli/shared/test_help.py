"""``--help`` at 80 columns: every name whole, types that people read, and no default that is not there."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from rmeval.cli import _run, app

GROUP: Any = typer.main.get_command(app)
VERBS = sorted(set(GROUP.commands) - {"cache"})


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert _run([*arguments, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("verb", VERBS)
def test_every_name_can_be_typed(
    verb: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = shown(capsys, verb)
    assert max(map(len, text.splitlines())) <= columns
    options = [name for each in GROUP.commands[verb].params for name in (*each.opts, *each.secondary_opts)]
    words = set(re.split(r"[\s,]+", text))
    assert {name for name in options if name.startswith("-")} <= words
    assert not re.search(r"<\w|\w>|list\[", text)
    assert text.startswith(f"Usage: rmeval {verb} ")


def test_all_verbs_with_a_whole_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = shown(capsys)
    assert {*VERBS, "cache"} <= set(text.split())
    assert "..." not in text.partition("Commands:")[2]


def test_what_has_no_data_of_its_own_claims_none(capsys: pytest.CaptureFixture[str]) -> None:
    def dataset(verb: str) -> str:
        return " ".join(re.findall(r"--dataset TEXT\s+(.+?)\n\s+--", shown(capsys, verb), re.DOTALL)[0].split())

    assert dataset("rewardbench").endswith("Default: the suite's.")
    assert dataset("pairs").endswith("[required]")
    assert dataset("selftest").endswith("Default: mini.")


@pytest.mark.parametrize("arguments", [[], ["cache"]])
def test_a_bare_command_shows_its_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: rmeval")
    assert "\n\nCommands:\n" in err

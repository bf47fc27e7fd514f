"""``rmeval list kinds`` and docs/models.md name every kind of model, how it is recognised, and a command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from rmeval.cli import _run, app
from rmeval.cli.shared.options import model_options
from rmeval.eval.models.own_code import OWN_CALLS
from rmeval.eval.scorers import KINDS, Kind, kind_of
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "models.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("rmeval ")
] + re.findall(r"`(rmeval [^`]* --[^`]*)`", PAGE)


def model_of(command: str) -> str:
    """Parse a command as the command line does, its model's options too; return its model."""
    program, verb, *arguments = shlex.split(command)
    assert program == "rmeval"
    group = typer.main.get_command(app)
    parsed = group.get_command(None, verb).make_context(verb, arguments)  # type: ignore[attr-defined]
    model_options(parsed)
    return str(parsed.params["model"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_table_says_how_a_kind_is_recognised_and_what_to_type(kind: Kind) -> None:
    assert kind.form
    assert kind_of(model_of(f"rmeval rewardbench {kind.command}")) is kind


def test_the_list_names_all_of_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert _run(["list", "kinds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [kind.name for kind in KINDS]
    for line, kind in zip(lines, KINDS, strict=True):
        assert f"--model {kind.form}: " in line
        assert line.endswith(f"e.g. rmeval rewardbench {kind.command}")


def test_every_command_of_the_page_parses_and_every_kind_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in re.findall(r"--chat-template ([\w-]+\.jinja)", PAGE):  # Which must be there.
        Path(file).touch()
    assert {kind_of(model_of(command)).name for command in COMMANDS} == {kind.name for kind in KINDS}


def test_the_page_says_how_each_kind_is_recognised() -> None:
    rows = re.findall(r"^\| (`[^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w-]+):?`", row[0]) if row[1].strip()}
    assert {kind.name for kind in KINDS} <= named
    for family in OWN_CALLS.values():  # Each with the entry that must be in its auto_map.
        assert re.search(rf"^\| `{family.name}` \| `{family.auto}` in `auto_map`", PAGE, re.MULTILINE), family.name

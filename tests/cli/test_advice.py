"""Advice in error messages works: what it names is there, and following it ends the error."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import rmeval
from rmeval.cli import _run, app
from rmeval.trainer.recipe import Recipe
from tests.support.models.tiny import CHATML, edit_config
from tests.support.training import made_up_pairs, save_base, write_jsonl, write_recipe

SOURCES = sorted(Path(rmeval.__file__).parent.rglob("*.py"))
OTHERS = re.compile(r"--(benchmark|capture|assert|noconftest|import-mode|rootdir|num|no$)")
"""Options of pytest and accelerate, and the beginning of those that switch something off."""
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
OPTIONS = {name for each in COMMANDS.values() for one in each.params for name in (*one.opts, *one.secondary_opts)}
NESTED = {
    name
    for each in COMMANDS.values()
    for below in getattr(each, "commands", {}).values()
    for one in below.params
    for name in one.opts
}


ROOT = {"--help", "--version", "--show-completion"}


def strings() -> list[tuple[str, str]]:
    """Return every string of the code that is no docstring, with its file; parts of an f-string count one by one."""
    found = []
    for file in SOURCES:
        tree = ast.parse(file.read_text())
        bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
                found.append((file.name, node.value))
    return found


def test_every_option_command_and_key_that_a_message_names_is_there() -> None:
    named = 0
    for file, text in strings():
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text):
            named += 1
            assert option in OPTIONS | NESTED | {"--help", "--version", "--show-completion"} or OTHERS.match(option), (
                f"{file}: {text!r}"
            )
        for key in re.findall(r"--set ([a-z_0-9]+)=", text):
            named += 1
            assert key in Recipe.model_fields, f"{file}: {text!r}"
        for command in re.findall(r"(?:run|with:|see|`) ?rmeval ([a-z-]+)", text):
            named += 1
            assert command in COMMANDS, f"{file}: {text!r}"
    assert named > 100  # Else nothing was looked at.


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert _run(list(arguments)) == 2
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("rmeval: error")][-1]


def training(folder: Path, base: Path, data: Path) -> list[str]:
    recipe = write_recipe(folder / "recipe.yaml", base, data, max_steps=1, held_out=0)
    return ["train", str(recipe), "--output-dir", str(folder / "trained")]


@pytest.mark.parametrize("text", [None, "{{ raise_exception('only tools speak') }}"])
def test_a_template_that_fails_is_replaced_as_the_message_says(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, data = save_base(tmp_path / "base", template=text), write_jsonl(tmp_path / "p.jsonl", made_up_pairs(8))
    scoring = ["pairs", "--model", str(base), "--dataset", str(data), "--output-dir", str(tmp_path / "run")]
    assert "--chat-template FILE" in refused(capsys, *scoring)
    file = tmp_path / "own.jinja"
    file.write_text(CHATML)
    assert _run([*scoring, "--chat-template", str(file)]) == 0
    train = training(tmp_path, base, data)
    message = refused(capsys, *train)
    assert "--set chat_template_path=FILE" in message
    assert "--chat-template" not in message
    assert _run([*train, "--set", f"chat_template_path={file}", "--overwrite"]) == 0


def test_what_a_training_has_no_option_for_is_not_advised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, data = save_base(tmp_path / "base"), write_jsonl(tmp_path / "p.jsonl", made_up_pairs(8))
    train = training(tmp_path, base, data)
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    assert refused(capsys, *train).endswith("which can run code when loaded; convert them to safetensors")
    (base / "pytorch_model.bin").rename(base / "model.safetensors")
    edit_config(base, auto_map={"AutoModelForSequenceClassification": "own.X"}, model_type="own")
    assert refused(capsys, *train).endswith("needs code of its own, and training runs no code of a model's")


def test_a_split_is_chosen_as_the_message_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("alpha", "beta"):
        write_jsonl(folder / f"{name}.jsonl", made_up_pairs(8))
    (folder / "README.md").write_text(SPLITS)
    scoring = ["pairs", "--model", "baseline:longest", "--dataset", str(folder), "--output-dir", str(tmp_path / "run")]
    assert "choose one with --split, or with 'split' in a mixture" in refused(capsys, *scoring)
    assert _run([*scoring, "--split", "beta"]) == 0
    train = training(tmp_path, save_base(tmp_path / "base"), folder)
    assert "'dataset_train_split' in a recipe" in refused(capsys, *train)
    assert _run([*train, "--set", "dataset_train_split=beta", "--overwrite"]) == 0
    mixture = tmp_path / "mixture.yaml"
    mixture.write_text(f"seed: 1\nheld_out: 0.25\nsources:\n  - name: pairs\n    path: {folder}\n    split: beta\n")
    assert _run(["prepare", str(mixture), "--output-dir", str(tmp_path / "prepared")]) == 0


SPLITS = """---
configs:
- config_name: default
  data_files:
  - split: alpha
    path: alpha.jsonl
  - split: beta
    path: beta.jsonl
---
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import yaml

from rmeval.cli import train as cli
from rmeval.errors import UsageError
from tests.support.training import made_up_pairs, save_base, write_jsonl, write_recipe


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """The command in a program of its own, in an empty folder."""
    app = typer.Typer(pretty_exceptions_enable=False)
    cli.register(app)
    app.command("other")(lambda: None)  # With one command alone, typer takes no name.
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> object:
        return app(["train", *arguments], standalone_mode=False)

    return call


def test_a_model_is_trained_and_nothing_but_json_is_on_stdout(
    command: Callable[..., object], capfd: pytest.CaptureFixture[str]
) -> None:
    save_base(Path("base"))
    write_jsonl(Path("pairs.jsonl"), made_up_pairs(30))
    write_recipe(Path("recipe.yaml"), Path("base"), Path("pairs.jsonl"))
    capfd.readouterr()
    command("recipe.yaml", "--output-dir", "a model", "--set", "max_steps=4", "--set", "eval_steps=2", "--json")
    out, err = capfd.readouterr()
    record = json.loads(out)
    assert record == json.loads(Path("a model/training.json").read_text())
    assert record["recipe"]["max_steps"] == 4
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "step 2 of 4", "step 4 of 4", "held-out", "model written to 'a model'", "score it"
    ]  # fmt: skip
    assert lines[-1] == "score it: rmeval rewardbench --model 'a model'"
    page = Path("a model/curves.html").read_text()
    assert "<svg" in page
    assert "base · training" in page


def test_show_prints_the_whole_recipe_as_changed(
    command: Callable[..., object], capsys: pytest.CaptureFixture[str]
) -> None:
    command("rm-mistral-7b", "--show", "--set", "learning_rate=1e-6")
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["learning_rate"], shown["global_batch_size"]) == (1e-6, 512)


def test_explain_says_what_a_key_means(command: Callable[..., object], capsys: pytest.CaptureFixture[str]) -> None:
    command("--explain", "adam-beta1")
    assert capsys.readouterr().out.splitlines() == [
        "key      adam_beta1",
        "takes    number ≥ 0, < 1",
        "default  0.9",
        "meaning  Of Adam: how much of the mean gradient is kept from step to step.",
        "why      TRL's own.",
    ]
    command("--explain")
    lines = capsys.readouterr().out.splitlines()
    assert {"lora.r", "eval_suite"} < {line.split()[0] for line in lines}
    assert any(re.match(r"max_steps +whole number; default -1\. Stop after so many steps", line) for line in lines)
    with pytest.raises(UsageError, match="no key 'epochs' in a recipe"):
        command("--explain", "epochs")


def test_launch_configurations_are_found_by_name(
    command: Callable[..., object], capsys: pytest.CaptureFixture[str]
) -> None:
    command("--launch-config", "fsdp-8x80gb")
    config = yaml.safe_load(Path(capsys.readouterr().out.strip()).read_text())
    assert (config["distributed_type"], config["num_processes"]) == ("FSDP", 8)
    with pytest.raises(UsageError, match="no launch configuration 'fsdp-8'; did you mean"):
        command("--launch-config", "fsdp-8")


def test_wrong_use_is_one_clear_line(command: Callable[..., object]) -> None:
    with pytest.raises(UsageError, match=r"which recipe\? give a \.yaml file, or a name of `rmeval list recipes`"):
        command()
    with pytest.raises(UsageError, match="where to\\? give the model's folder with --output-dir"):
        command("rm-mistral-7b")
    with pytest.raises(UsageError, match="no recipe 'rm-mistral'; did you mean 'rm-mistral-7b'"):
        command("rm-mistral", "--output-dir", "out")
    with pytest.raises(UsageError, match="unknown key 'epochs'"):
        command("rm-mistral-7b", "--output-dir", "out", "--set", "epochs=2")
    assert not Path("out").exists()


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['trl'] = None\n"
        "import importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'trl' else find(name, *rest)\n"
        "import rmeval.trainer; from rmeval.trainer.train import train\n"
        "try: train('rm-mistral-7b', 'out')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "UsageError training needs trl: pip install 'rmeval[train]'\n"


@pytest.mark.parametrize("asked", ["recipe='rm-mistral-7b', show=True", "recipe='seed', explain=True", "explain=True"])
def test_showing_and_explaining_load_no_torch(asked: str) -> None:
    code = (
        "import sys, typer; from rmeval.cli import train\n"
        f"train.command({asked})\n"
        "assert not {'torch', 'transformers', 'datasets', 'pandas', 'trl'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

"""The user's mistakes: exit code 2, one line on stderr, nothing on stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rmeval.cli import _run, main
from tests.support.models.tiny import edit_config, save_tiny_model

ROW = {"prompt": "p", "chosen": "c", "rejected": "r"}
FILES = {
    "good.jsonl": json.dumps({**ROW, "subset": "kitchen"}),
    "no-rejected.jsonl": json.dumps({"prompt": "p", "chosen": "c", "answer": "r"}),
    "empty.jsonl": "",
    "broken.jsonl": f"{json.dumps(ROW)}\n{json.dumps(ROW)}\n{{broken",
    "null.jsonl": f"{json.dumps(ROW)}\n{json.dumps({**ROW, 'chosen': None})}",
    "number.jsonl": f"{json.dumps(ROW)}\n{json.dumps({**ROW, 'rejected': 7})}",
    "list.json": "[1, 2]",
    "words.txt": "some words",
}
BASELINE = ["--model", "baseline:longest"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, with the files in it."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text + "\n" if text else "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(code: int | None, out: str, err: str, words: list[str]) -> None:
    assert "Traceback" not in err
    assert (code, out) == (2, ""), err
    assert err.startswith("rmeval: error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    for word in words:
        assert word in err


def nothing_was_written(folder: Path) -> None:
    assert not list(folder.rglob("run.json"))
    assert not list(folder.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pairs", *BASELINE, "--dataset", "absent.jsonl"], ["no such file", "absent.jsonl"]),
        (["pairs", *BASELINE, "--dataset", "no-rejected.jsonl"], ["'rejected'", "'prompt', 'chosen', 'answer'"]),
        (["pairs", *BASELINE, "--dataset", "empty.jsonl"], ["empty.jsonl has no rows"]),
        (["pairs", *BASELINE, "--dataset", "broken.jsonl"], ["broken.jsonl line 3: not JSON"]),
        (["pairs", *BASELINE, "--dataset", "null.jsonl"], ["null.jsonl line 2", "'chosen'", "null"]),
        (["pairs", *BASELINE, "--dataset", "number.jsonl"], ["number.jsonl line 2", "'rejected'", "a number"]),
        (["pairs", *BASELINE, "--dataset", "good.jsonl", "--subset", "kitchn"], ["did you mean 'kitchen'?"]),
        (["rewardbnch", *BASELINE], ["rewardbnch", "rewardbench"]),
        (["rewardbench", *BASELINE, "--modle", "x"], ["--modle", "--model"]),
        (["mini", *BASELINE, "--output-dir", "good.jsonl/run"], ["cannot write", "good.jsonl/run"]),
        (["mini", *BASELINE, "--limit", "0"], ["--limit must be at least 1, not 0"]),
        (["mini", *BASELINE, "--batch-size", "x"], ["--batch-size takes a number or auto, not 'x'"]),
        (["pairs", *BASELINE], ["--dataset"]),
    ],
)
def test_the_real_command(arguments: list[str], words: list[str], here: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    done = subprocess.run(
        [sys.executable, "-m", "rmeval", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    check(done.returncode, done.stdout, done.stderr, words)
    nothing_was_written(here)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pairs", *BASELINE, "--dataset", "words.txt"], ["words.txt", "supported: .jsonl"]),
        (["pairs", *BASELINE, "--dataset", "list.json"], ["list.json row 1"]),
        (["pairs", *BASELINE, "--dataset", "good.jsonl", "--split", "test"], ["leave the split out"]),
        (["pairs", *BASELINE, "--dataset", "nobody/no-such-set"], ["'nobody/no-such-set'", "HF_HUB_OFFLINE"]),
        (["rewardbench", *BASELINE], ["'allenai/reward-bench'"]),
        (["mini", "--model", "baseline:longst"], ["did you mean 'longest'?"]),
        (["rewardbench", *BASELINE, "--dataset", "mini", "--weights", "equl"], ["did you mean 'equal'?"]),
        (["mini", *BASELINE, "--weights", "equal"], ["--weights"]),
        (["pairs", *BASELINE, "--dataset", "good.jsonl", "--lists", "gird"], ["did you mean 'grid'?"]),
        (["pairs", *BASELINE, "--dataset", "good.jsonl", "--map", "prompt"], ["--map takes FIELD=PATH"]),
        (["pairs", "--model", "mine:make", "--dataset", "good.jsonl"], ["pass --trust-remote-code"]),
        (["suite", "none.yaml", *BASELINE], ["no such file: none.yaml"]),
        (["mini", *BASELINE, "--dtype", "float32"], ["--dtype changes nothing of baseline:longest", "options: none"]),
        (["mini", "--model", "scores:x.jsonl", "--max-length", "3"], ["of the kind scores (its options: --steps)"]),
        (["mini", "--model", "folder", "--steps", "min"], ["--steps changes nothing of folder"]),
        (["mini", *BASELINE, "--limit", "-1"], ["--limit must be at least 1, not -1"]),
        (["mini", *BASELINE, "--limit", "many"], ["--limit"]),
        (["mini", *BASELINE, "--limit", "9", "--limit-per-subset", "2"], ["--limit-per-subset", "leave one out"]),
        (["mini", *BASELINE, "--include-prior-sets"], ["--include-prior-sets"]),
        (["mini", *BASELINE, "surplus"], ["surplus"]),
        (["mini"], ["--model"]),
        (["mini", "--model"], ["--model"]),
        (["mini", "--model", "../evil/../model"], ["no such folder: ../evil/../model"]),
        (["mini", "--model", "good.jsonl"], ["good.jsonl is a file"]),
    ],
)
def test_other_mistakes(arguments: list[str], words: list[str], here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = _run(arguments)
    check(code, *capfd.readouterr(), words)
    nothing_was_written(here)


def test_a_finished_run_is_not_written_over(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["mini", *BASELINE, "--output-dir", "run"]
    assert _run(arguments) == 0
    before = (here / "run" / "run.json").read_bytes()
    capfd.readouterr()
    check(_run(arguments), *capfd.readouterr(), ["run holds a finished run", "--overwrite"])
    assert (here / "run" / "run.json").read_bytes() == before


def test_an_output_folder_with_too_long_a_name(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check(_run(["mini", *BASELINE, "--output-dir", "x" * 300]), *capfd.readouterr(), ["cannot write"])


def test_no_command_prints_the_help_and_no_empty_error(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _run([])
    out, err = capfd.readouterr()
    assert "rewardbench" in out + err
    assert "rmeval: error: \n" not in err


def test_an_argument_that_is_not_utf8(here: Path) -> None:
    """A file name may be any bytes; its name is part of run.json."""
    name = os.fsdecode(b"g\xffd.jsonl")
    (here / "good.jsonl").rename(name)
    command = [sys.executable, "-m", "rmeval", "pairs", *BASELINE, "--dataset", name, "--output-dir", "run"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert b"Traceback" not in done.stderr
    assert done.returncode in (0, 2)
    assert (here / "run" / "run.json").exists() == (done.returncode == 0)


def test_a_reader_that_stops_early(here: Path) -> None:
    """``rmeval list findings | head -1`` is no error to print a traceback for."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m rmeval list findings | true"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr


# --- models -----------------------------------------------------------------------------------------------------


def refused_model(capfd: pytest.CaptureFixture[str], folder: Path, words: list[str]) -> None:
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(["mini", "--model", str(folder), "--limit", "1"])
    code = caught.value.code
    assert isinstance(code, int)
    check(code, *capfd.readouterr(), words)


def test_a_model_folder_without_weights(here: Path, tiny_model: Path) -> None:
    """The real command once more, because this one has torch loaded."""
    folder = here / "model"
    folder.mkdir()
    (folder / "config.json").write_text((tiny_model / "config.json").read_text())
    command = [sys.executable, "-m", "rmeval", "mini", "--model", "model"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    check(done.returncode, done.stdout, done.stderr, ["model has no weights"])
    nothing_was_written(here)


def test_a_model_with_two_outputs(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refused_model(capfd, save_tiny_model(here / "m", num_labels=2), ["has 2 outputs", "--output-index"])
    nothing_was_written(here / "runs")


def test_pickled_weights(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = save_tiny_model(here / "m")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    refused_model(capfd, folder, ["only pickled weights", "--allow-pickle"])


def test_code_of_the_models_own(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = save_tiny_model(here / "m")
    edit_config(folder, auto_map={"AutoModelForSequenceClassification": "evil.Model"})
    (folder / "evil.py").write_text("open('ran', 'w')")
    refused_model(capfd, folder, ["--trust-remote-code"])
    assert not (here / "ran").exists()


def test_an_empty_name_is_not_the_folder_one_is_in(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As from ``--model "$MODEL"`` with a variable that is not set."""
    monkeypatch.chdir(tiny_model)
    code = _run(["mini", "--model", "", "--limit", "1", "--output-dir", str(tmp_path / "run")])
    check(code, *capfd.readouterr(), [])


def test_weights_that_are_damaged(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = save_tiny_model(here / "m")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    refused_model(capfd, folder, ["cannot load"])


def test_a_fault_of_our_own_exits_with_70(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Not with 1, which is the gate's no: a CI must not take a fault for a worse model."""
    from rmeval.eval import evaluate as module

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(module, "evaluate", broken)
    assert _run(["mini", *BASELINE]) == 70
    assert "ZeroDivisionError: a fault" in capfd.readouterr().err


def test_ctrl_c_while_the_command_line_is_loaded() -> None:
    """The first half second, in which a wrong command is noticed."""
    code = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'rmeval.cli.shared': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from rmeval.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "interrupted\n")
    assert done.returncode in (130, -2)  # Python ends itself by the signal where it came inside an exec of its own.

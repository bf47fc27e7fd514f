from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval.errors import RunError
from rmeval.trainer.folder import Output

STARTED = {"recipe": {"seed": 1, "learning_rate": 1e-3}, "model": "sha256:a"}
OTHER = {"recipe": {"seed": 2, "learning_rate": 1e-3}, "model": "sha256:a"}


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path / "out")


def test_a_new_folder_begins_anew(output: Output) -> None:
    assert not output.check(STARTED, overwrite=False)
    assert not output.path.exists()
    output.begin(STARTED, resume=False)
    assert json.loads(output.started.read_text()) == STARTED


def test_the_same_command_goes_on(output: Output) -> None:
    output.begin({**STARTED, "data": "x"}, resume=False)
    (output.checkpoints / "checkpoint-1").mkdir()
    assert output.check(STARTED, overwrite=False)
    assert output.check(STARTED, overwrite=True)
    output.begin(STARTED, resume=True)
    assert (output.checkpoints / "checkpoint-1").exists()


def test_another_one_is_refused_and_says_why(output: Output) -> None:
    output.begin(STARTED, resume=False)
    with pytest.raises(RunError, match=r"an unfinished training of something else \(seed: 1, now 2\)"):
        output.check(OTHER, overwrite=False)
    assert not output.check(OTHER, overwrite=True)


def test_a_finished_one_is_refused_unless_asked(output: Output) -> None:
    output.begin(STARTED, resume=False)
    output.record.write_text("{}")
    with pytest.raises(RunError, match="holds a finished model"):
        output.check(STARTED, overwrite=False)
    assert not output.check(STARTED, overwrite=True)


def test_a_model_that_was_not_trained_here_is_never_replaced(output: Output) -> None:
    output.path.mkdir()
    (output.path / "config.json").write_text("{}")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="holds a model that was not trained here"):
            output.check(STARTED, overwrite=overwrite)


def test_beginning_anew_deletes_what_a_training_wrote_and_nothing_else(output: Output) -> None:
    output.begin(STARTED, resume=False)
    for name in ("model.safetensors", "tokenizer.json", "README.md", "training.json", "notes.txt"):
        (output.path / name).write_text("x")
    for name in ("adapter", "held-out", "mine"):
        (output.path / name).mkdir()
    output.begin(OTHER, resume=False)
    assert sorted(path.name for path in output.path.iterdir()) == ["checkpoints", "mine", "notes.txt"]
    assert json.loads(output.started.read_text()) == OTHER


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is a file; --output-dir takes a folder"):
        Output(tmp_path / "file").check(STARTED, overwrite=False)
    with pytest.raises(RunError, match="cannot write to the output folder"):
        Output(tmp_path / "file" / "out").begin(STARTED, resume=False)

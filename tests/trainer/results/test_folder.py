from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval.errors import RunError
from rmeval.files import LOCK
from rmeval.trainer.results.folder import Output, Started

STARTED: Started = {"recipe": {"seed": 1, "learning_rate": 1e-3}, "model": "sha256:a"}
OTHER: Started = {"recipe": {"seed": 2, "learning_rate": 1e-3}, "model": "sha256:a"}


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path / "out")


def begin(output: Output, started: Started, *, overwrite: bool = False) -> bool:
    """Begin as a training does; return whether it goes on."""
    with output.hold(overwrite=overwrite) as folder:
        resume = output.resumes(started, overwrite=overwrite)
        output.begin(folder, started, resume=resume)
    return resume


def finish(output: Output, *names: str) -> None:
    """Write files and the record that lists them."""
    with output.hold(overwrite=False) as folder:
        folder.claim(names)
        for name in names:
            (output.path / name).parent.mkdir(parents=True, exist_ok=True)
            (output.path / name).write_text("rmeval's")
        output.clear()
        output.record.write_text(json.dumps({"files": [*names, "training.json"]}))


def tree(output: Output) -> list[str]:
    return sorted(path.relative_to(output.path).as_posix() for path in output.path.rglob("*") if path.is_file())


def test_a_new_folder_begins_anew(output: Output) -> None:
    assert not begin(output, STARTED)
    assert json.loads(output.started.read_text()) == STARTED


def test_the_same_command_goes_on(output: Output) -> None:
    begin(output, {**STARTED, "data": "x"})
    (output.checkpoints / "checkpoint-1").mkdir()
    assert output.resumes(STARTED, overwrite=False)
    assert output.resumes(STARTED, overwrite=True)
    assert begin(output, STARTED)
    assert (output.checkpoints / "checkpoint-1").exists()


def test_it_goes_on_where_the_hidden_file_was_lost_in_a_copy(output: Output) -> None:
    begin(output, STARTED)
    (output.path / LOCK).unlink()
    assert begin(output, STARTED)
    (output.path / LOCK).unlink()
    assert not begin(output, OTHER, overwrite=True)


def test_another_one_is_refused_and_says_why(output: Output) -> None:
    begin(output, STARTED)
    with pytest.raises(RunError, match=r"an unfinished training of something else \(seed: 1, now 2\)"):
        begin(output, OTHER)
    assert json.loads(output.started.read_text()) == STARTED
    assert not begin(output, OTHER, overwrite=True)


def test_a_finished_one_is_refused_unless_asked(output: Output) -> None:
    begin(output, STARTED)
    finish(output, "config.json")
    assert tree(output) == ["config.json", "training.json"]
    with pytest.raises(RunError, match="holds a finished model"):
        begin(output, STARTED)
    assert not begin(output, STARTED, overwrite=True)
    assert tree(output) == [LOCK, "checkpoints/started.json"]


def test_a_model_that_was_not_trained_here_is_never_replaced(output: Output) -> None:
    output.path.mkdir()
    (output.path / "config.json").write_text("{}")
    for overwrite in (False, True):
        with pytest.raises(RunError, match=r"holds other files and no model trained here \(config.json\)"):
            begin(output, STARTED, overwrite=overwrite)


MINE = ("recipe.yaml", "README.md", "adapter/notes.txt", "held-out/my-test-set.jsonl", "checkpoints/checkpoint-9/mine")


def write_mine(output: Output, names: tuple[str, ...] = MINE) -> dict[str, str]:
    for name in names:
        (output.path / name).parent.mkdir(parents=True, exist_ok=True)
        (output.path / name).write_text("mine")
    return dict.fromkeys(names, "mine")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_the_users_files_is_refused_and_left_as_it_was(output: Output, overwrite: bool) -> None:
    mine = write_mine(output)
    with pytest.raises(
        RunError, match=r"holds other files and no model trained here \(README.md, adapter, checkpoints"
    ):
        begin(output, STARTED, overwrite=overwrite)
    assert {name: (output.path / name).read_text() for name in tree(output)} == mine


def test_overwriting_deletes_what_the_record_lists_and_nothing_else(output: Output) -> None:
    begin(output, STARTED)
    finish(output, "config.json", "README.md", "adapter/adapter_config.json", "held-out/run/run.json")
    mine = write_mine(output, ("notes.txt", "adapter/notes.txt", "held-out/my-test-set.jsonl"))
    begin(output, OTHER, overwrite=True)
    assert tree(output) == sorted([LOCK, "checkpoints/started.json", *mine])
    assert all((output.path / name).read_text() == "mine" for name in mine)


def test_a_record_that_lists_nothing_deletes_nothing(output: Output) -> None:
    output.path.mkdir()
    output.record.write_text('{"recipe": {}}')
    with pytest.raises(RunError, match="does not say which files the training wrote"):
        begin(output, STARTED, overwrite=True)
    assert tree(output) == ["training.json"]


def test_what_the_user_put_there_meanwhile_is_seen_before_training(output: Output) -> None:
    begin(output, STARTED)
    write_mine(output, ("README.md",))
    with pytest.raises(RunError, match=r"holds README\.md, which rmeval did not write and would replace"):
        begin(output, STARTED)
    assert (output.path / "README.md").read_text() == "mine"
    (output.path / "README.md").unlink()
    write_mine(output, ("checkpoints/notes.txt",))
    with output.hold(overwrite=False):
        output.clear()
    assert "checkpoints/notes.txt" in tree(output)


def test_checkpoints_of_the_users_are_not_taken_for_ours(output: Output) -> None:
    """A training was killed before it wrote anything, and then somebody else used the folder."""
    output.path.mkdir()
    (output.path / LOCK).write_text('{"what": "model trained here", "files": []}\n')
    write_mine(output, ("checkpoints/checkpoint-9/mine",))
    with pytest.raises(RunError, match="holds checkpoints, which rmeval did not write"):
        begin(output, STARTED)
    assert (output.checkpoints / "checkpoint-9" / "mine").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is a file; --output-dir takes a folder"):
        begin(Output(tmp_path / "file"), STARTED)
    with pytest.raises(RunError, match="cannot write to the output folder"):
        begin(Output(tmp_path / "file" / "out"), STARTED)

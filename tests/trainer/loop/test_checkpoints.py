from __future__ import annotations

import json
from pathlib import Path

from rmeval.trainer.loop import checkpoints


def make(folder: Path, step: int, *, whole: bool = True) -> Path:
    path = checkpoints.checkpoint(folder, step)
    path.mkdir()
    (path / "model.safetensors").write_text("weights")
    (path / "training_args.bin").write_text("pickle")
    state = {"best_global_step": 10, "log_history": [{"step": step}], "global_step": step, "max_steps": 20}
    (path / "trainer_state.json").write_text(json.dumps(state))
    if whole:
        checkpoints.seal(path)
    return path


def test_the_newest_whole_one_is_gone_on_from(tmp_path: Path) -> None:
    make(tmp_path, 5)
    make(tmp_path, 10)
    make(tmp_path, 100, whole=False)
    assert checkpoints.last_complete(tmp_path) == tmp_path / "checkpoint-10"  # By number, not by name.
    assert list(checkpoints.complete(tmp_path)) == [5, 10]


def test_there_may_be_none(tmp_path: Path) -> None:
    assert checkpoints.last_complete(tmp_path) is None
    assert checkpoints.last_complete(tmp_path / "absent") is None


def test_what_a_kill_left_is_dropped_and_whole_ones_stay(tmp_path: Path) -> None:
    make(tmp_path, 5)
    make(tmp_path, 10, whole=False)
    (tmp_path / "train.arrow").touch()
    checkpoints.drop_incomplete(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-5", "train.arrow"]


def test_prune_keeps_what_it_is_told(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        make(tmp_path, step)
    checkpoints.prune(tmp_path, keep={5, 15, None})
    assert list(checkpoints.complete(tmp_path)) == [5, 15]


def test_a_sealed_one_has_no_pickle_and_tells_its_state(tmp_path: Path) -> None:
    path = make(tmp_path, 20)
    assert not (path / "training_args.bin").exists()
    assert checkpoints.best_step(path) == 10
    assert checkpoints.history(path) == [{"step": 20}]
    assert (checkpoints.steps(path), checkpoints.is_over(path)) == (20, True)
    assert not checkpoints.is_over(make(tmp_path, 15))

"""Kill a training at many random moments, encoding, saving and finishing included: it ends with the same weights."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from rmeval.trainer.train import train
from tests.support.training import made_up_pairs, save_mistral, start, write_jsonl, write_recipe

KILLS = 30


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_many_kills(processes: int, tmp_path: Path) -> None:
    base = save_mistral(tmp_path / "base")
    data = write_jsonl(tmp_path / "pairs.jsonl", made_up_pairs(200))
    recipe = write_recipe(tmp_path / "recipe.yaml", base, data, max_steps=60, save_steps=1, eval_steps=5)
    for process in start(recipe, tmp_path / "whole", processes=processes):
        process.join()
    chance, killed, rounds = random.Random(processes), 0, 0
    while killed < KILLS:
        rounds += 1
        output = tmp_path / f"{rounds}"
        while not (output / "training.json").exists():
            started = start(recipe, output, processes=processes)
            time.sleep(chance.uniform(1.5, 5.0))
            alive = [process for process in started if process.is_alive()]
            for process in alive:
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
            for process in started:
                process.join()
            killed += bool(alive)
        name = "model.safetensors"
        assert (output / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
def test_two_processes_over_epochs_give_the_curve_of_one(tmp_path: Path) -> None:
    """With pairs left over at the end of each epoch, fewer than a step."""
    base = save_mistral(tmp_path / "base")
    data = write_jsonl(tmp_path / "pairs.jsonl", made_up_pairs(107))
    recipe = write_recipe(
        tmp_path / "recipe.yaml", base, data, max_steps=-1, num_train_epochs=3, save_steps=3, eval_steps=6
    )
    one = train(str(recipe), tmp_path / "one")
    for process in start(recipe, tmp_path / "two", processes=2):
        process.join()
    two = train_record(tmp_path / "two")
    assert one is not None
    for name in ("loss", "held_out_loss"):
        for (step, value), (other_step, other) in zip(one.record["curves"][name], two["curves"][name], strict=True):
            assert step == other_step
            assert value == pytest.approx(other, abs=1e-3)


def train_record(path: Path) -> dict[str, dict[str, list[list[float]]]]:
    import json

    record: dict[str, dict[str, list[list[float]]]] = json.loads((path / "training.json").read_text())
    return record

"""Kill a real process at random moments: nothing is lost, and the scores end byte-equal to an undisturbed run's."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from rmeval.eval.evaluate import evaluate
from rmeval.eval.scorers import ModelOptions
from rmeval.records import load_run

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["rmeval.eval.evaluate", "rmeval.eval.scorers.classifier"])


def run(model: Path, output: Path, cache: Path) -> None:
    """What the child process does: a whole run in small packs, on one thread."""
    import torch

    torch.set_num_threads(1)
    os.environ["RMEVAL_CACHE"] = str(cache)
    options = ModelOptions(dtype="bfloat16", device="cpu", batch_size=4, max_length=200)
    evaluate(str(model), "mini", model_options=options, output_dir=output)


def scores(output: Path) -> bytes:
    found: bytes = load_run(output).scores_table.column("score").to_numpy().tobytes()
    return found


def kill_until_done(model: Path, folder: Path, kills: int, chance: random.Random) -> int:
    """Start runs and kill them at random moments, then let one finish; return how many were killed."""
    killed = 0
    while killed < kills:
        child = CONTEXT.Process(target=run, args=(model, folder / "run", folder / "cache"))
        child.start()
        time.sleep(chance.uniform(0.05, 2.0))
        child.kill()  # Nothing happens where it has ended.
        child.join()
        if child.exitcode == 0:
            return killed
        killed += 1
        assert child.exitcode == -signal.SIGKILL
        if (folder / "run" / "run.json").exists():  # Killed between its last file and its end: the run must be whole.
            return killed
    child = CONTEXT.Process(target=run, args=(model, folder / "run", folder / "cache"))
    child.start()
    child.join()
    assert child.exitcode == 0
    return killed


def check(model: Path, folder: Path, kills: int, seed: int) -> None:
    undisturbed = CONTEXT.Process(target=run, args=(model, folder / "whole", folder / "other-cache"))
    undisturbed.start()
    undisturbed.join()
    assert undisturbed.exitcode == 0
    chance, killed, rounds = random.Random(seed), 0, 0
    while killed < kills:
        rounds += 1
        killed += kill_until_done(model, folder / str(rounds), min(8, kills - killed), chance)
        assert scores(folder / str(rounds) / "run") == scores(folder / "whole")


def test_a_few_kills(tiny_model: Path, tmp_path: Path) -> None:
    check(tiny_model, tmp_path, kills=4, seed=0)


@pytest.mark.slow
def test_a_thousand_kills(tiny_model: Path, tmp_path: Path) -> None:
    check(tiny_model, tmp_path, kills=1000, seed=1)

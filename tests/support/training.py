"""What the tests of ``rmeval.trainer`` have in common: tiny models, made-up pairs, recipes that take seconds."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import socket
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess as Process
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoModelForCausalLM

from tests.support.models.tiny import MISTRAL, save_tiny_model, tiny_config, tiny_tokenizer

WORDS = ("apple", "river", "stone", "cloud", "tree", "light", "sand", "wind")
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["rmeval.trainer.session"])  # TRL takes seconds to load: once for all processes.


def save_base(folder: Path, **changes: Any) -> Path:
    """Write a tiny classifier, smaller than the evaluator's: what trains it is not its size."""
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "max_position_embeddings": 512}
    return save_tiny_model(folder, **{**sizes, **changes})


def save_mistral(folder: Path) -> Path:
    """Write a tiny language model of Mistral's shape: no head, no padding token, a template that writes a BOS."""
    config = tiny_config("mistral", hidden_size=32, intermediate_size=48, num_hidden_layers=2, pad_token_id=None)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    tiny_tokenizer(template=MISTRAL, add_bos=True, pad=None).save_pretrained(folder)
    return folder


def made_up_pairs(number: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return pairs with prompts of their own, in which a good answer begins with the word good."""
    chance = random.Random(seed)

    def text(most: int) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(chance.randint(1, most)))

    return [
        {
            "prompt": f"Question {seed}.{n}: {text(4)} {text(4)}?",
            "chosen": f"good {text(12)}",
            "rejected": f"bad {text(12)}",
        }
        for n in range(number)
    ]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_recipe(path: Path, model: Path, data: Path, **changes: Any) -> Path:
    """Write a recipe of 10 steps with a checkpoint every 2."""
    values: dict[str, Any] = {
        "model_name_or_path": str(model),
        "dataset_name": str(data),
        "held_out": 0.3,
        "max_length": 128,
        "learning_rate": 1e-3,
        "global_batch_size": 8,
        "per_device_train_batch_size": 2,
        "max_steps": 10,
        "logging_steps": 1,
        "save_steps": 2,
        "eval_steps": 4,
        "use_cpu": True,
        **changes,
    }
    path.write_text(yaml.safe_dump(values))
    return path


class SmallRecipe:
    """A recipe of a few steps, each of two batches a device, for processes that train together."""

    def __init__(self, folder: Path, steps: int, **changes: Any) -> None:
        self.folder = folder
        base = save_mistral(folder / "base")
        data = write_jsonl(folder / "pairs.jsonl", made_up_pairs(40))
        values = {"max_steps": steps, "save_steps": 1, "eval_steps": 2, **changes}
        self.recipe = write_recipe(folder / "recipe.yaml", base, data, **values)

    def ended(self, name: str, processes: Sequence[Process], *, code: int, seconds: float) -> Path:
        """Wait for processes, which must end with this code; return the model's folder."""
        for process in processes:
            process.join(seconds)
        assert [process.exitcode for process in processes] == [code] * len(processes)
        return self.folder / name


def record(path: Path) -> dict[str, Any]:
    """Return the ``training.json`` of a model's folder."""
    found: dict[str, Any] = json.loads((path / "training.json").read_text())
    return found


def _run(recipe: str, output: str, overrides: Sequence[str]) -> None:
    from rmeval.trainer.train import train

    train(recipe, output, overrides=overrides)


def _begin(variables: dict[str, str], target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    os.environ.update(variables)
    target(*arguments)


def start(recipe: Path, output: Path, overrides: Sequence[str] = (), processes: int = 1) -> Sequence[Process]:
    """Start a training in a process of its own, or in several that train together."""
    return launch(_run, (str(recipe), str(output), list(overrides)), processes)


def launch(
    target: Callable[..., None], arguments: tuple[Any, ...], processes: int, variables: dict[str, str] | None = None
) -> Sequence[Process]:
    """Start processes, told of one another as ``torchrun`` does it, with variables in their environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = {"WORLD_SIZE": f"{processes}", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{port}"}
    started = []
    for rank in range(processes):
        own = {**together, "RANK": f"{rank}", "LOCAL_RANK": f"{rank}"} if processes > 1 else {}
        process = _CONTEXT.Process(target=_begin, args=({**own, **(variables or {})}, target, arguments))
        process.start()
        started.append(process)
    return started

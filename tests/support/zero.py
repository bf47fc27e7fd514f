"""DeepSpeed on CPU processes that talk over gloo, as ``accelerate launch`` tells them of it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from multiprocessing.process import BaseProcess as Process
from pathlib import Path
from typing import Any

import torch

from tests.support.training import launch


def start_zero(
    recipe: Path, output: Path, overrides: Sequence[str], *, config: Path, stop_at: int | None = None
) -> Sequence[Process]:
    """Start a training of two processes.

    Args:
        recipe: its file.
        output: the folder of the model.
        overrides: changes of the recipe.
        config: DeepSpeed's configuration.
        stop_at: end at once, as if killed, before the step after so many.
    """
    variables = {
        "ACCELERATE_USE_DEEPSPEED": "true",
        "ACCELERATE_DEEPSPEED_CONFIG_FILE": str(config),
        "DS_ACCELERATOR": "cpu",
    }
    return launch(_run, (str(recipe), str(output), list(overrides), stop_at), 2, variables)


def write_config(path: Path, stage: int, **changes: Any) -> Path:
    """Write a configuration in which weights of any size are divided, the small ones of the tests as well."""
    zero: dict[str, Any] = {"stage": stage}
    if stage == 3:
        zero |= {"stage3_gather_16bit_weights_on_model_save": True, "stage3_param_persistence_threshold": 0}
    path.write_text(
        json.dumps({"train_micro_batch_size_per_gpu": "auto", "gradient_accumulation_steps": "auto",
                    "zero_optimization": zero, **changes})
    )  # fmt: skip
    return path


def _run(recipe: str, output: str, overrides: Sequence[str], stop_at: int | None) -> None:
    from rmeval.trainer.loop.reward_trainer import PairTrainer
    from rmeval.trainer.train import train

    step = PairTrainer.training_step

    def training_step(self: Any, *arguments: Any, **options: Any) -> torch.Tensor:
        if stop_at is not None and self.state.global_step >= stop_at:
            os._exit(9)
        loss: torch.Tensor = step(self, *arguments, **options)
        if self.state.global_step == 0 and self.accelerator.deepspeed_plugin.zero_stage == 3:
            held = sum(parameter.numel() for parameter in self.model.parameters())
            (Path(output) / "checkpoints" / f"held-{self.args.process_index}.tmp").write_text(str(held))
        return loss

    PairTrainer.training_step = training_step  # type: ignore[method-assign]
    train(recipe, output, overrides=overrides)


def refusals(recipe: Path, configs: Sequence[Path], answers: Path) -> Process:
    """Write what is said of each configuration before anything is loaded: a list of lines, empty if nothing is."""
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    variables = {"ACCELERATE_USE_DEEPSPEED": "true", "DS_ACCELERATOR": "cpu", **alone}
    return launch(_ask, (str(recipe), list(map(str, configs)), str(answers)), 1, variables)[0]


def _ask(recipe: str, configs: Sequence[str], answers: str) -> None:
    from rmeval.errors import UsageError
    from rmeval.trainer.loop.arguments import reward_config
    from rmeval.trainer.loop.hardware import choose
    from rmeval.trainer.recipe_files import load_recipe

    said = []
    for config in configs:
        os.environ["ACCELERATE_DEEPSPEED_CONFIG_FILE"] = config
        loaded = load_recipe(recipe, [])
        try:
            reward_config(loaded, choose(loaded, devices=1), Path(answers).parent)
            said.append("")
        except UsageError as error:
            said.append(str(error))
    Path(answers).write_text(json.dumps(said))

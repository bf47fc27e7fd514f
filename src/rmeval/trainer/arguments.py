"""From a recipe to the arguments of TRL's ``RewardTrainer``."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from peft import LoraConfig
from transformers import PreTrainedModel
from trl.trainer.reward_config import RewardConfig

from rmeval.errors import UsageError
from rmeval.trainer.hardware import Hardware
from rmeval.trainer.recipe import Recipe

__all__ = ["lora_config", "reward_config"]

_SAME = (
    "learning_rate",
    "num_train_epochs",
    "max_steps",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "max_grad_norm",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "center_rewards_coefficient",
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "bf16",
    "seed",
    "logging_steps",
    "save_steps",
    "eval_steps",
    "metric_for_best_model",
)
"""Keys of a recipe that mean what they mean in ``RewardConfig``."""
_TWO_HOURS = 7200


def reward_config(recipe: Recipe, hardware: Hardware, folder: Path) -> RewardConfig:
    """Return the arguments; making them starts the communication between processes, where there are several.

    Raises:
        UsageError: if transformers knows no such schedule or optimizer.
    """
    names = {field.name for field in fields(RewardConfig)}
    # transformers 5.19 renamed the argument, and warns of the old name.
    checkpointing = "activation_checkpointing" if "activation_checkpointing" in names else "gradient_checkpointing"
    values: dict[str, Any] = {name: getattr(recipe, name) for name in _SAME}
    values |= {
        checkpointing: hardware.gradient_checkpointing,
        "output_dir": str(folder),
        "gradient_accumulation_steps": hardware.gradient_accumulation_steps,
        "optim": hardware.optim,
        "use_cpu": hardware.use_cpu,
        "max_length": None,  # With one, TRL drops longer pairs; ours are cut already.
        "eval_strategy": "steps",
        "save_strategy": "steps",
        "save_total_limit": None,  # Ours goes by which checkpoints are whole.
        "greater_is_better": recipe.metric_for_best_model == "accuracy",
        "logging_nan_inf_filter": False,
        "dataloader_pin_memory": not hardware.use_cpu,
        "ddp_timeout": _TWO_HOURS,  # The first process encodes the pairs while the others wait.
        "ddp_find_unused_parameters": False,
        # Where parameters are sharded, gradients that wait for the last batch of a step would be whole on each device.
        "accelerator_config": {"gradient_accumulation_kwargs": {"sync_each_batch": hardware.fsdp}},
        "disable_tqdm": True,
        "report_to": "none",
    }
    try:
        return RewardConfig(**values)
    except (ValueError, KeyError) as error:
        raise UsageError(f"the recipe cannot be carried out: {' '.join(str(error).split())[:300]}") from None


def lora_config(recipe: Recipe, model: PreTrainedModel) -> LoraConfig | None:
    """Return the adapters' configuration; None where all weights train."""
    if recipe.lora is None:
        return None
    targets = recipe.lora.target_modules
    return LoraConfig(
        task_type="SEQ_CLS",
        r=recipe.lora.r,
        lora_alpha=recipe.lora.lora_alpha,
        lora_dropout=0.0,
        target_modules=targets if isinstance(targets, str) else list(targets),
        modules_to_save=["score" if hasattr(model, "score") else "classifier"],
    )

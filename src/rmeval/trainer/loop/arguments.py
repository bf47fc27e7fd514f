"""From a recipe to the arguments of TRL's ``RewardTrainer``."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig
from transformers import PreTrainedModel, Trainer, get_scheduler
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames
from trl.trainer.reward_config import RewardConfig

from rmeval.errors import UsageError
from rmeval.trainer.loop.launched import launched
from rmeval.trainer.recipe import Recipe
from rmeval.training_info import Hardware

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
_OWN = ("model", "optimizer_dict")
"""What some optimizers are given in the place of parameters."""


def reward_config(recipe: Recipe, hardware: Hardware, folder: Path) -> RewardConfig:
    """Return the arguments; making them starts the communication between processes, where there are several.

    Raises:
        UsageError: if transformers knows no such schedule or optimizer, or it cannot be made here; if DeepSpeed is
            asked for and not there, or told otherwise than the recipe.
    """
    deepspeed = launched().deepspeed
    if deepspeed and find_spec("deepspeed") is None:
        raise UsageError("the launcher asks for DeepSpeed, which is not here: pip install deepspeed, or use FSDP")
    names = {field.name for field in fields(RewardConfig)}
    # transformers 5.19 renamed the argument, and warns of the old name.
    checkpointing = "activation_checkpointing" if "activation_checkpointing" in names else "gradient_checkpointing"
    values: dict[str, Any] = {name: getattr(recipe, name) for name in _SAME}
    values |= {
        checkpointing: hardware.gradient_checkpointing,
        "output_dir": str(folder),
        "gradient_accumulation_steps": hardware.gradient_accumulation_steps,
        "optim": hardware.optim,
        # Told to use CPUs, accelerate leaves DeepSpeed out; told of gloo alone, it does not.
        "use_cpu": hardware.use_cpu and not deepspeed,
        "ddp_backend": "gloo" if hardware.use_cpu and deepspeed else None,
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
        arguments = RewardConfig(**values)
    except (ValueError, KeyError) as error:
        raise UsageError(f"the recipe cannot be carried out: {' '.join(str(error).split())[:300]}") from None
    _check_deepspeed(arguments)
    _check_optimizer(arguments)
    _check_schedule(arguments)
    return arguments


def _check_deepspeed(arguments: RewardConfig) -> None:
    """See that DeepSpeed's configuration says nothing else than the recipe: it would be trained by, in silence.

    Raises:
        UsageError: if it does.
    """
    if arguments.deepspeed_plugin is None:
        return
    from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig

    config: dict[str, Any] = deepcopy(arguments.deepspeed_plugin.deepspeed_config)
    own = [name for name in ("optimizer", "scheduler") if name in config]
    if own:
        raise UsageError(
            f"DeepSpeed's configuration has its own {' and '.join(own)}: leave that out, the recipe says it (optim, "
            "lr_scheduler_type)"
        )
    ours = HfTrainerDeepSpeedConfig(config)
    ours.trainer_config_process(arguments)
    if ours.mismatches:
        different = ", ".join(line.removeprefix("- ds ").replace(" vs hf ", ", here ") for line in ours.mismatches)
        raise UsageError(
            f"DeepSpeed's configuration is not what the recipe and the number of devices make ({different}): set these "
            "to auto there, or leave them out"
        )


def _check_optimizer(arguments: RewardConfig) -> None:
    """Make the optimizer of a model of one parameter: what lacks a package or an argument shows before the real one.

    Raises:
        UsageError: if it cannot be made.
    """
    model = torch.nn.Linear(1, 1, bias=False, device=arguments.device)
    try:
        kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments, cast(PreTrainedModel, model))
        parameters = options.pop("params", model.parameters())
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer):  # Else a function that makes one.
            kind(parameters, **{name: value for name, value in options.items() if name not in _OWN})
    except Exception as error:  # Whatever the package raises, the user gets one line.
        raise UsageError(
            f"optim {OptimizerNames(arguments.optim).value} cannot be had: {_line(error)}; --set "
            "optim=adamw_torch_fused needs nothing"
        ) from None


def _check_schedule(arguments: RewardConfig) -> None:
    """Make the schedule of an optimizer of one parameter.

    Raises:
        UsageError: if it needs arguments, which a recipe does not have.
    """
    name = SchedulerType(arguments.lr_scheduler_type).value
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=arguments.learning_rate)
    try:
        get_scheduler(name, optimizer, num_warmup_steps=1, num_training_steps=2)
    except Exception as error:  # As above.
        raise UsageError(
            f"lr_scheduler_type {name} cannot be had: {_line(error)}; a recipe gives warmup_steps alone, which is "
            "enough for cosine, linear and constant_with_warmup"
        ) from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def lora_config(recipe: Recipe, model: PreTrainedModel) -> LoraConfig | None:
    """Return the adapters' configuration; None where all weights train.

    Raises:
        UsageError: if the model has no layer of a name that is to be adapted.
    """
    if recipe.lora is None:
        return None
    targets = recipe.lora.target_modules
    _check_targets(targets, model)
    return LoraConfig(
        task_type="SEQ_CLS",
        r=recipe.lora.r,
        lora_alpha=recipe.lora.lora_alpha,
        lora_dropout=0.0,
        target_modules=targets if isinstance(targets, str) else list(targets),
        modules_to_save=["score" if hasattr(model, "score") else "classifier"],
    )


def _check_targets(targets: str | tuple[str, ...], model: PreTrainedModel) -> None:
    """See that every name is one of the model's: peft passes over those that are not, if any is."""
    if targets == "all-linear":
        return
    names = [name for name, _ in model.named_modules()]
    try:
        if isinstance(targets, str):  # An expression, of whole names.
            missing = [] if any(re.fullmatch(targets, name) for name in names) else [targets]
        else:
            missing = [each for each in targets if not any(f".{name}".endswith(f".{each}") for name in names)]
    except re.error:
        missing = [str(targets)]
    if missing or not targets:
        linear = (name.rpartition(".")[2] for name, each in model.named_modules() if isinstance(each, torch.nn.Linear))
        raise UsageError(
            f"lora.target_modules: {type(model).__name__} has no layer {', '.join(missing) or 'of no name'} (its "
            f"linear layers: {', '.join(dict.fromkeys(linear))}; all-linear takes all but the head)"
        )

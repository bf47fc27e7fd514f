"""What the machine changes in how a recipe is carried out; never in what it computes."""

from __future__ import annotations

from importlib.util import find_spec

import torch

from rmeval.errors import UsageError
from rmeval.trainer.loop.launched import Launch, launched
from rmeval.trainer.recipe import Recipe
from rmeval.training_info import Hardware

__all__ = ["accumulation_steps", "choose"]

FUSED = "adamw_torch_fused"


def accumulation_steps(recipe: Recipe, devices: int) -> int:
    """Return how many batches make one step, so that a step is ``global_batch_size`` pairs whatever the devices.

    Raises:
        UsageError: if that does not come out whole.
    """
    at_once = recipe.per_device_train_batch_size * devices
    steps, rest = divmod(recipe.global_batch_size, at_once)
    if rest or not steps:
        raise UsageError(
            f"global_batch_size {recipe.global_batch_size} is not a multiple of per_device_train_batch_size "
            f"{recipe.per_device_train_batch_size} x {devices} {'device' if devices == 1 else 'devices'} = {at_once}"
        )
    return steps


def choose(recipe: Recipe, devices: int) -> Hardware:
    """Choose optimizer, attention and accumulation for this machine.

    Raises:
        UsageError: if the batch does not divide, or the recipe asks for what there is not.
    """
    cuda = torch.cuda.is_available() and not recipe.use_cpu
    launch = launched()
    fsdp = launch.fsdp
    if cuda and devices == 1 and torch.cuda.device_count() > 1:
        count = torch.cuda.device_count()
        raise UsageError(
            f"{count} GPUs are visible to one process: use them all with `accelerate launch --num_processes {count} -m "
            "rmeval train …`, or one with CUDA_VISIBLE_DEVICES=0"
        )
    if launch.sharded and recipe.eval_suite is not None:
        raise UsageError(
            "eval_suite scores checkpoints, which are in parts: set fsdp_state_dict_type to FULL_STATE_DICT, or "
            "--set eval_suite=null"
        )
    if launch.sharded and recipe.lora is not None:
        raise UsageError(
            "checkpoints in parts would lose the adapters: set fsdp_state_dict_type to FULL_STATE_DICT (peft does not "
            "find them where FSDP checkpoints activations)"
        )
    notes = []
    optim = recipe.optim
    if optim.startswith("paged_adamw") and (reason := _unpaged(cuda, launch)):
        optim = FUSED
        notes.append(f"{recipe.optim} needs {reason}: {FUSED} instead, whose state is 32-bit too")
    attention = recipe.attn_implementation
    if attention is not None and attention.startswith("flash_attention") and (reason := _no_flash(cuda)):
        attention = None
        notes.append(f"{recipe.attn_implementation} needs {reason}: transformers' own choice instead")
    if recipe.bf16 and cuda and not torch.cuda.is_bf16_supported():
        raise UsageError("this GPU does not compute in bfloat16: --set bf16=false")
    checkpointing = recipe.gradient_checkpointing and not fsdp
    if recipe.gradient_checkpointing and fsdp:
        notes.append("gradient checkpointing is FSDP's (fsdp_activation_checkpointing)")
    return Hardware(
        devices=devices,
        device=torch.cuda.get_device_name() if cuda else "cpu",
        gradient_accumulation_steps=accumulation_steps(recipe, devices),
        optim=optim,
        attn_implementation=attention,
        gradient_checkpointing=checkpointing,
        fsdp=fsdp,
        use_cpu=recipe.use_cpu or not (cuda or torch.backends.mps.is_available()),
        notes=tuple(notes),
    )


def _unpaged(cuda: bool, launch: Launch) -> str | None:
    """Say what a paged optimizer lacks here, if anything."""
    if not cuda:
        return "a GPU"
    if launch.fsdp or launch.deepspeed:
        return f"whole tensors, and {'FSDP' if launch.fsdp else 'DeepSpeed'} shards them"
    return None if find_spec("bitsandbytes") is not None else "bitsandbytes"


def _no_flash(cuda: bool) -> str | None:
    if not cuda:
        return "a GPU"
    return None if find_spec("flash_attn") is not None else "the package flash-attn"

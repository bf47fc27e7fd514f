"""FSDP2 on CPU processes that talk over gloo. accelerate lets only GPUs do it, so its state is told so here."""

from __future__ import annotations

import gc
import json
import os
import weakref
from collections.abc import Sequence
from multiprocessing.process import BaseProcess as Process
from pathlib import Path
from typing import Any

import torch

from tests.support.training import launch

FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_ACTIVATION_CHECKPOINTING": "true",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
}


def start_fsdp(
    recipe: Path,
    output: Path,
    overrides: Sequence[str] = (),
    *,
    kind: str | None = "FULL_STATE_DICT",
    stop_at: int | None = None,
    probe: Path | None = None,
) -> Sequence[Process]:
    """Start a training of two processes.

    Args:
        recipe: its file.
        output: the folder of the model.
        overrides: changes of the recipe.
        kind: how checkpoints are written; None for accelerate's default.
        stop_at: end at once, as if killed, before the step after so many.
        probe: a file for what the first process had in memory in the first step.
    """
    variables = FSDP | ({} if kind is None else {"FSDP_STATE_DICT_TYPE": kind})
    return launch(_run, (str(recipe), str(output), list(overrides), stop_at, probe), 2, variables)


def _run(recipe: str, output: str, overrides: Sequence[str], stop_at: int | None, probe: Path | None) -> None:
    _let_cpus_shard()
    _watch(stop_at, probe)
    from rmeval.trainer.train import train

    train(recipe, output, overrides=overrides)


def _let_cpus_shard() -> None:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, DistributedType

    begin, whole = AcceleratorState.__init__, Accelerator.get_state_dict

    def begin_sharded(self: Any, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        plugin = options.get("fsdp_plugin") or self.__dict__.get("fsdp_plugin")
        if plugin is not None:
            self.distributed_type = DistributedType.FSDP
            if options.get("fsdp_plugin") is not None and self._mixed_precision != "no":
                plugin.set_mixed_precision(self._mixed_precision)
            self.fsdp_plugin = plugin

    def get_state_dict(self: Any, *arguments: Any, **options: Any) -> dict[str, torch.Tensor]:
        found = whole(self, *arguments, **options)
        # gloo leaves tensors that have yet to arrive; on a GPU the copy to the CPU waits for them.
        return {name: (each.wait() if hasattr(each, "wait") else each).detach().clone() for name, each in found.items()}

    AcceleratorState.__init__ = begin_sharded
    Accelerator.get_state_dict = get_state_dict


def _watch(stop_at: int | None, probe: Path | None) -> None:
    """Note what is in memory in each batch of the first step, and stop when told."""
    from rmeval.trainer.loop.reward_trainer import PairTrainer

    begin, step = PairTrainer.__init__, PairTrainer.training_step
    seen: list[dict[str, int]] = []

    def begin_watched(self: Any, **options: Any) -> None:
        begin(self, **options)
        self.originals = [weakref.ref(parameter) for parameter in self.model.parameters()]

    def training_step(self: Any, model: Any, *arguments: Any, **options: Any) -> torch.Tensor:
        if stop_at is not None and self.state.global_step >= stop_at:
            os._exit(9)
        loss: torch.Tensor = step(self, model, *arguments, **options)
        if probe is not None and self.state.global_step == 0 and self.args.process_index == 0:
            gc.collect()
            alive = [each() for each in self.originals]
            own = sum(each.to_local().nbytes for each in model.parameters())
            counts = {"parameters": len(alive), "alive": sum(each is not None for each in alive)}
            seen.append(counts | {"sharded_bytes": own, "whole_gradients": sum(map(_whole_gradients, model.modules()))})
            probe.write_text(json.dumps(seen))
        return loss

    PairTrainer.__init__ = begin_watched  # type: ignore[method-assign]
    PairTrainer.training_step = training_step  # type: ignore[method-assign]


def _whole_gradients(module: Any) -> int:
    """Return the bytes of gradients that FSDP keeps unsharded in a module that it wraps."""
    state = module._get_fsdp_state() if hasattr(module, "_get_fsdp_state") else None
    groups = [] if state is None else getattr(state, "_fsdp_param_groups", None) or [state._fsdp_param_group]
    total = 0
    for parameter in (each for group in groups if group is not None for each in group.fsdp_params):
        whole = getattr(parameter, "_unsharded_param", None)
        kept = [None if whole is None else whole.grad, parameter.unsharded_accumulated_grad]
        total += sum(each.nbytes for each in kept if each is not None)
    return total

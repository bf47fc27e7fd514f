"""How the processes were launched: what ``accelerate launch`` says in the environment, and what cannot end well."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from rmeval.errors import UsageError

__all__ = ["Launch", "launched"]


_GATHER = "stage3_gather_16bit_weights_on_model_save"


@dataclass(frozen=True, slots=True)
class Launch:
    """What the launcher decided."""

    fsdp: bool
    sharded: bool
    """Whether each process writes its own part of a checkpoint."""
    deepspeed: bool
    zero3: bool = False
    """Whether that is DeepSpeed with weights in parts."""


def launched() -> Launch:
    """Read the environment.

    Raises:
        UsageError: if no whole model could be written when training is over; it is better known before the first step.
    """
    fsdp, deepspeed = _is_on("ACCELERATE_USE_FSDP"), _is_on("ACCELERATE_USE_DEEPSPEED")
    zero3 = deepspeed and _is_zero3()
    return Launch(fsdp, fsdp and _state_dict_type() == "SHARDED_STATE_DICT", deepspeed, zero3)


def _is_on(name: str) -> bool:
    return os.environ.get(name, "false").lower() in ("true", "1")


def _state_dict_type() -> str:
    """Return how FSDP writes checkpoints, by accelerate's default where nothing is said.

    Raises:
        UsageError: if their parts cannot be merged.
    """
    default = "SHARDED_STATE_DICT" if os.environ.get("FSDP_VERSION", "1") == "2" else "FULL_STATE_DICT"
    found = os.environ.get("FSDP_STATE_DICT_TYPE", default).upper()
    # accelerate takes numbers, too: those of torch's StateDictType.
    found = {"1": "FULL_STATE_DICT", "2": "LOCAL_STATE_DICT", "3": "SHARDED_STATE_DICT"}.get(found, found)
    if found not in ("FULL_STATE_DICT", "SHARDED_STATE_DICT"):
        raise UsageError(
            f"fsdp_state_dict_type is {found}: no whole model can be made of such checkpoints; set it to "
            "FULL_STATE_DICT or SHARDED_STATE_DICT"
        )
    return found


def _is_zero3() -> bool:
    """Return whether DeepSpeed divides the weights among the processes, and see that it gathers them when it writes.

    Raises:
        UsageError: if it does not, or its configuration cannot be read.
    """
    # What accelerate goes by, and takes for "auto" in DeepSpeed's own configuration.
    stage: object = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    gathered: object = _is_on("ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL")
    file = os.environ.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", "none")
    if file != "none":
        try:
            zero = json.loads(Path(file).read_text(encoding="utf-8")).get("zero_optimization", {})
            own = zero.get("stage", 0), zero.get(_GATHER, False)
        except (OSError, ValueError, AttributeError) as error:
            raise UsageError(f"cannot read DeepSpeed's configuration {file}: {error}") from None
        stage, gathered = (
            mine if mine != "auto" else given for mine, given in zip(own, (stage, gathered), strict=True)
        )
    if str(stage) == "3" and gathered is not True:
        raise UsageError(
            "DeepSpeed's ZeRO-3 would write no whole model: set zero3_save_16bit_model (in DeepSpeed's own "
            f"configuration {_GATHER}) to true, or use FSDP"
        )
    return str(stage) == "3"

"""What DeepSpeed's ways need: models that are loaded whole, and checkpoints that are read as data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from rmeval.errors import RunError
from rmeval.trainer.loop.launched import launched

__all__ = ["load_whole", "read_as_data"]

_FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def load_whole() -> None:
    """Have transformers load models whole from here on.

    Where DeepSpeed's ZeRO-3 is set up it would divide each one among the processes as it is loaded: one whose
    embeddings and head are about to be made, and those that one scores by itself, which would wait for the others.
    """
    if launched().deepspeed:
        from transformers.integrations.deepspeed import unset_hf_deepspeed_config

        unset_hf_deepspeed_config()


@contextmanager
def read_as_data(checkpoint: Path | None) -> Iterator[None]:
    """Have DeepSpeed read a checkpoint as tensors, plain values and objects of its own classes; it asks for any pickle.

    Raises:
        RunError: if something else is in it.
    """
    if checkpoint is None or not launched().deepspeed:
        yield
        return
    files = sorted(checkpoint.glob("global_step*/*.pt"))
    names = sorted({name for file in files for name in get_unsafe_globals_in_checkpoint(file)})
    classes = [_class_of_deepspeed(name, checkpoint) for name in names]
    before = os.environ.get(_FORCE)
    os.environ[_FORCE] = "1"
    try:
        with safe_globals([*classes]):
            yield
    finally:
        if before is None:
            del os.environ[_FORCE]
        else:
            os.environ[_FORCE] = before


def _class_of_deepspeed(name: str, checkpoint: Path) -> type:
    module, _, attribute = name.rpartition(".")
    if module.partition(".")[0] == "deepspeed":
        found = getattr(import_module(module), attribute, None)
        if isinstance(found, type) and found.__module__.partition(".")[0] == "deepspeed":  # Not what it imports.
            return found
    raise RunError(
        f"the checkpoint {checkpoint} holds {name}, which DeepSpeed does not write and which may run when it is read: "
        "start anew in another --output-dir"
    )

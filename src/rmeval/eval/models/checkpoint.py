"""What loading any checkpoint has in common, whatever class of transformers it becomes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from rmeval.data_prep.text.audit import Audit
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.device import free_bytes
from rmeval.eval.models.folder import ModelFolder
from rmeval.eval.models.own_code import auto_map, needs_own_code

__all__ = ["error_line", "note_folder", "why_no_float32", "without_adapter"]


def note_folder(folder: ModelFolder, audit: Audit, *, own_code: bool = False) -> None:
    """Tell the audit what of a folder was left aside; ``own_code`` says that its code was not."""
    if folder.has_adapter_beside:
        audit.note("adapter-beside", str(folder.path))
    if not own_code and auto_map(folder.config) and (folder.head is not None or not needs_own_code(folder.config)):
        audit.note("code-not-run", ", ".join(auto_map(folder.config)))


@contextmanager
def without_adapter(folder: ModelFolder) -> Iterator[Path]:
    """Return a folder without the adapter that lies beside a whole model.

    Where peft is installed, transformers would add it to weights that may hold it already, without a word.
    """
    if not folder.has_adapter_beside:
        yield folder.path
        return
    with tempfile.TemporaryDirectory() as view:
        for file in folder.path.iterdir():
            if not file.name.startswith("adapter_"):
                (Path(view) / file.name).symlink_to(file.resolve())
        yield Path(view)


def why_no_float32(folder: ModelFolder, options: ModelOptions, dtype: torch.dtype, device: torch.device) -> str | None:
    """Say why the weights cannot be in memory in float32 beside ``dtype``; None where they can, a fifth to spare."""
    if "flash" in (options.attn_implementation or ""):
        return f"{options.attn_implementation} computes in low precision only"
    size = sum(file.stat().st_size for file in (*folder.path.glob("*.safetensors"), *folder.path.glob("*.bin")))
    stored: torch.dtype = getattr(
        torch, str(folder.config.get("dtype") or folder.config.get("torch_dtype") or "float32")
    )
    needed = 1.2 * size / stored.itemsize * (torch.float32.itemsize + dtype.itemsize)
    free = free_bytes(device)
    if free is None or needed < free:
        return None
    return f"it needs {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} are free"


def error_line(error: Exception) -> str:
    """Return the first sentence or so of an error, on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__

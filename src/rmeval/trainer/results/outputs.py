"""From the best checkpoint to the finished model: weights and tokenizer, whole, in the output folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from accelerate.utils import merge_fsdp_weights
from transformers import PreTrainedTokenizerBase

from rmeval.errors import RunError
from rmeval.eval.models.folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, ModelFolder
from rmeval.files import OutputFolder, replacing, write_text
from rmeval.trainer.loop.model import load_adapted, load_weights
from rmeval.trainer.recipe import Recipe
from rmeval.trainer.results.folder import MODEL_FILES, Output

__all__ = ["merge_shards", "write_model"]

_WHOLE = "whole/model.safetensors"
"""Below ``checkpoints/``: the weights of a checkpoint in parts, put together."""

_TOKENIZER_FILES = tuple(
    pattern for pattern in MODEL_FILES if "safetensors" not in pattern and pattern != "config.json"
)


def write_model(
    output: Output,
    folder: OutputFolder,
    best: Path,
    recipe: Recipe,
    base: ModelFolder,
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    """Write the model of a checkpoint into the output folder; with LoRA merged, and the adapter in ``adapter/``.

    Raises:
        RunError: if the folder cannot be written to, or has files of these names that rmeval did not write.
    """
    try:
        merged, whole = output.checkpoints / "merged", output.checkpoints / _WHOLE
        if recipe.lora is None:
            if whole.exists():  # The checkpoint is in parts, and these are its weights.
                load_weights(base, recipe, tokenizer, whole).save_pretrained(merged)
                tokenizer.save_pretrained(merged)
                best = merged
            _link(best, folder, "", MODEL_FILES)
            return
        _link(best, folder, "adapter/", (ADAPTER_WEIGHTS, *_TOKENIZER_FILES))
        folder.claim([f"adapter/{ADAPTER_CONFIG}"])
        _write_adapter_config(best / ADAPTER_CONFIG, output.path / "adapter" / ADAPTER_CONFIG, recipe, base)
        load_adapted(base, recipe, tokenizer, best).save_pretrained(merged)
        tokenizer.save_pretrained(merged)
        _link(merged, folder, "", MODEL_FILES)
    except OSError as error:
        raise RunError(f"cannot write the model to {output.path}: {error.strerror or error}") from None


def merge_shards(output: Output, best: Path) -> None:
    """Put together a checkpoint that FSDP wrote in parts, in the first process; all processes call it and wait.

    Raises:
        RunError: if it cannot be written.
    """
    whole = output.checkpoints / _WHOLE
    try:
        merge_fsdp_weights(str(best / "pytorch_model_fsdp_0"), str(whole.parent))
    except OSError as error:
        raise RunError(f"cannot write the model to {whole}: {error.strerror or error}") from None


def _link(source: Path, folder: OutputFolder, below: str, patterns: tuple[str, ...]) -> None:
    """Put files into the output folder, each whole or not at all, and without a copy where the disk can do that."""
    paths = sorted({path for pattern in patterns for path in source.glob(pattern) if path.is_file()})
    folder.claim(f"{below}{path.name}" for path in paths)
    for path in paths:
        with replacing(folder.path / below / path.name) as temporary:
            try:
                os.link(path, temporary)
            except OSError:  # Another disk, or one that knows no links.
                shutil.copyfile(path, temporary)


def _write_adapter_config(source: Path, target: Path, recipe: Recipe, base: ModelFolder) -> None:
    """Write the adapter's configuration with the base model as the recipe names it, not as this machine stores it."""
    config = json.loads(source.read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": recipe.model_name_or_path, "revision": base.revision}
    write_text(target, json.dumps(config, indent=2, sort_keys=True) + "\n")

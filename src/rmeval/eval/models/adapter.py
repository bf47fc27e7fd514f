"""PEFT adapters: merged into the weights of the model that they adapt, which is then a model like any other."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import transformers
from safetensors import safe_open

from rmeval.data_prep.text.audit import Audit
from rmeval.errors import ModelError
from rmeval.eval.models.folder import ADAPTER_WEIGHTS

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PREFIX = "base_model.model."
"""What peft puts before the name of a weight."""


def adapter_weights(adapter: Path) -> set[str]:
    """Return which of the model's own weights an adapter holds whole, such as its head: names as the model has them."""
    with safe_open(adapter / ADAPTER_WEIGHTS, "pt") as file:
        return {name.removeprefix(_PREFIX) for name in file.keys()}  # noqa: SIM118 (not a mapping)


def merge_adapter(model: PreTrainedModel, adapter: Path, audit: Audit) -> PreTrainedModel:
    """Merge an adapter into a classifier and return it, with the padding token of the adapter's tokenizer.

    Raises:
        ModelError: if peft is not installed, or the adapter does not fit the model.
    """
    if find_spec("peft") is None:
        raise ModelError(f"{adapter} is a PEFT adapter, and peft is not installed: pip install 'rmeval[train]'")
    from peft import PeftModel

    rows = _embedding_rows(model, adapter)
    if rows is not None and rows != model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(rows, mean_resizing=False)  # The adapter's own replace them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The two libraries warn of each other's names.
        try:
            adapted = PeftModel.from_pretrained(model, str(adapter))
        except KeyError as error:
            raise ModelError(f"{adapter} names weights that its file does not hold: {error}") from None
        if adapted.peft_config["default"].is_prompt_learning:
            kind = str(adapted.peft_config["default"].peft_type).rpartition(".")[2].lower().replace("_", " ")
            raise ModelError(f"{adapter} is a PEFT adapter of the kind {kind}, which cannot be merged into weights")
        found = adapted.load_adapter(str(adapter), "default")  # Again, as the first time does not say what was missing.
        if found.missing_keys:
            raise ModelError(
                f"{len(found.missing_keys)} weights of the adapter {adapter} are not in its file under the names that "
                f"the model has, such as {found.missing_keys[0]}: it is another model's, or another version's"
            )
        for name in found.unexpected_keys:
            audit.note("unused-weights", name)
        merged = adapted.merge_and_unload()
    if (adapter / "tokenizer_config.json").exists():
        tokenizer = transformers.AutoTokenizer.from_pretrained(adapter, trust_remote_code=False, local_files_only=True)
        config = merged.config.get_text_config()
        config.pad_token_id = merged.config.pad_token_id = tokenizer.pad_token_id
    return merged  # type: ignore[no-any-return]


def _embedding_rows(model: PreTrainedModel, adapter: Path) -> int | None:
    """Return how many rows the adapter's embeddings have; None where it holds none.

    peft keeps them under the module's name, with ``base_layer`` or ``modules_to_save`` behind it.
    """
    table = model.get_input_embeddings()
    name = next(name for name, module in model.named_modules() if module is table).rpartition(".")[2]
    with safe_open(adapter / ADAPTER_WEIGHTS, "pt") as file:
        for key in file.keys():  # noqa: SIM118 (as above)
            if name in key.split(".") and key.endswith(".weight") and "lora" not in key:
                return int(file.get_slice(key).get_shape()[0])
    return None

"""The model as it is before the first step: padding token, embeddings and head, each explicit and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rmeval.data_prep.text.encode import Encoder
from rmeval.data_prep.text.template import load_template
from rmeval.errors import ModelError
from rmeval.eval.models.folder import ModelFolder, locate
from rmeval.eval.models.hushed import hushed
from rmeval.eval.models.loading import skeleton
from rmeval.eval.models.padding import padding_of
from rmeval.trainer.data.made import made
from rmeval.trainer.recipe import Recipe
from rmeval.training_info import ModelRecord

__all__ = [
    "build_encoder",
    "build_model",
    "build_tokenizer",
    "load_adapted",
    "load_weights",
    "locate_base",
]

PAD = "[PAD]"
_HEADS = ("score", "classifier")
"""What transformers calls the layer that gives the score: in decoders, in encoders."""


def locate_base(recipe: Recipe) -> ModelFolder:
    """Find the base model, or download it.

    Raises:
        ModelError: if there is none, or it may not be loaded.
    """
    folder = locate(made(recipe.model_name_or_path), revision=recipe.model_revision, weights=not recipe.from_scratch)
    if folder.adapter is not None:
        raise ModelError(f"{folder.name} is a PEFT adapter: train on a whole model, such as the one it adapts")
    return folder


def build_tokenizer(folder: ModelFolder, recipe: Recipe) -> PreTrainedTokenizerBase:
    """Load the tokenizer, with the recipe's template, padding token and maximum length; it cuts off on the left.

    Raises:
        ModelError: if it cannot be loaded or has no chat template.
    """
    try:
        # Given here, the sides are saved with the tokenizer; set later, they would be lost.
        tokenizer: PreTrainedTokenizerBase = transformers.AutoTokenizer.from_pretrained(
            folder.path,
            trust_remote_code=False,
            local_files_only=True,
            padding_side="right",
            truncation_side="left",
        )
    except Exception as error:  # Whatever transformers raises, the user gets one line.
        raise ModelError(f"cannot load the tokenizer of {folder.name}: {_line(error)}") from None
    tokenizer.chat_template = load_template(tokenizer, recipe.chat_template_path).saved
    pad = recipe.pad_token or tokenizer.pad_token
    if recipe.pad_token is None and pad in (None, tokenizer.eos_token):
        pad = PAD
    tokenizer.add_special_tokens({"pad_token": pad})  # Adds it to the vocabulary only where it is not there.
    tokenizer.model_max_length = recipe.max_length
    return tokenizer


def build_encoder(folder: ModelFolder, recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> Encoder:
    """Return what turns conversations into tokens as the finished model will have them.

    Raises:
        ModelError: if the base model's configuration cannot be used.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(
            folder.path, num_labels=1, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # As above.
        raise ModelError(f"cannot read the configuration of {folder.name}: {_line(error)}") from None
    model = skeleton(folder.name, config)
    _set_pad(model, tokenizer)
    before = padding_of(model, tokenizer.pad_token_id).read_before
    return Encoder(tokenizer, load_template(tokenizer), recipe.max_length, before)


def build_model(
    folder: ModelFolder, recipe: Recipe, tokenizer: PreTrainedTokenizerBase, attention: str | None
) -> tuple[PreTrainedModel, ModelRecord]:
    """Load the base model as a classifier with one output and make it ready; the same each time for the same recipe.

    Raises:
        ModelError: if it cannot be loaded, weights of its body are missing, or its positions are too few.
    """
    transformers.set_seed(recipe.seed)
    model, missing = _load(folder, recipe, attention)
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions is not None and recipe.max_length > positions:
        raise ModelError(
            f"max_length {recipe.max_length} is more than the {positions} positions {folder.name} has: "
            f"--set max_length={positions}"
        )
    added = _fit_embeddings(model, len(tokenizer))
    _set_pad(model, tokenizer)
    head = _draw_head(model, recipe) if missing else "kept"
    parameters = model.num_parameters()
    record = ModelRecord(
        base=recipe.model_name_or_path,
        revision=folder.revision,
        fingerprint=folder.fingerprint,
        architecture=type(model).__name__,
        parameters=parameters,
        trainable=parameters,
        pad_token=str(tokenizer.pad_token),
        pad_token_id=int(tokenizer.pad_token_id),
        embeddings_added=added,
        head=head,
        from_scratch=recipe.from_scratch,
    )
    return model, record


def _set_pad(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Let the model have the tokenizer's padding token."""
    for config in (model.config, model.config.get_text_config()):
        config.pad_token_id = tokenizer.pad_token_id


def _load(folder: ModelFolder, recipe: Recipe, attention: str | None) -> tuple[PreTrainedModel, list[str]]:
    """Return the model and which of its weights are new: those of the head, or none."""
    options: dict[str, Any] = {"dtype": getattr(torch, recipe.dtype), "attn_implementation": attention}
    auto: Any = transformers.AutoModelForSequenceClassification
    try:
        if recipe.from_scratch:
            config = transformers.AutoConfig.from_pretrained(
                folder.path, num_labels=1, trust_remote_code=False, local_files_only=True
            )
            model = auto.from_config(config, trust_remote_code=False, **options)
            return model, [name for name, _ in model.named_parameters() if name.split(".")[0] in _HEADS]
        with hushed():  # Its report of missing weights is ours to judge.
            model, report = auto.from_pretrained(
                folder.path,
                num_labels=1,
                trust_remote_code=False,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                **options,
            )
    except Exception as error:  # As above.
        raise ModelError(f"cannot load {folder.name}: {_line(error)}") from None
    missing = sorted(report["missing_keys"])
    body = [key for key in missing if key.startswith(model.base_model_prefix + ".")]
    if body:
        raise ModelError(f"{folder.name} lacks {len(body)} weights of the model's body (such as {body[0]})")
    return model, missing


def _fit_embeddings(model: PreTrainedModel, vocabulary: int) -> int:
    """Add embeddings where the vocabulary has more tokens than the model; return how many."""
    before = embeddings(model).shape[0]
    if vocabulary <= before:  # Many models have spare rows; these stay.
        return 0
    model.resize_token_embeddings(vocabulary, mean_resizing=False)
    weight = embeddings(model)
    with torch.no_grad():
        weight[before:] = weight[:before].float().mean(dim=0).to(weight.dtype)
    return vocabulary - before


def embeddings(model: PreTrainedModel) -> torch.Tensor:
    """Return the weights of the input embeddings: shape (tokens, hidden)."""
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, torch.Tensor)  # noqa: S101 - what every model has
    return weight


def _draw_head(model: PreTrainedModel, recipe: Recipe) -> str:
    """Draw a new head's weights and say how; an encoder's head, which has hidden layers, keeps transformers' own.

    The default standard deviation is that of Stiennon et al. (2020, arXiv 2009.01325): scores then begin with a
    variance of about 1 whatever the width, if the last hidden state is of unit variance.
    """
    head = getattr(model, "score", None)
    if not isinstance(head, torch.nn.Linear):
        return f"as transformers draws it, seed {recipe.seed}"
    std = recipe.head_init_std or (head.in_features + 1) ** -0.5
    generator = torch.Generator().manual_seed(recipe.seed)
    drawn = torch.empty(head.weight.shape).normal_(0.0, std, generator=generator)
    with torch.no_grad():
        head.weight.copy_(drawn)
    return f"normal, standard deviation {std:.6g}, seed {recipe.seed}"


def load_adapted(
    folder: ModelFolder, recipe: Recipe, tokenizer: PreTrainedTokenizerBase, adapter: Path
) -> PreTrainedModel:
    """Return the base model with an adapter merged into its weights: merged in float32, kept in the recipe's dtype."""
    from peft import PeftModel

    exact = recipe.model_copy(update={"dtype": "float32"})
    model, _ = build_model(folder, exact, tokenizer, None)
    merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    return merged.to(getattr(torch, recipe.dtype))  # type: ignore[no-any-return]


def load_weights(
    folder: ModelFolder, recipe: Recipe, tokenizer: PreTrainedTokenizerBase, file: Path
) -> PreTrainedModel:
    """Return the base model with other weights, all of them, in the dtype that they have."""
    weights = safetensors.torch.load_file(file)
    model, _ = build_model(folder, recipe.model_copy(update={"dtype": "float32"}), tokenizer, None)
    model.load_state_dict(weights)
    model.config.use_cache = False  # As the trainer leaves it: the same files, however checkpoints are written.
    return model.to(dtype=next(iter(weights.values())).dtype)  # type: ignore[no-any-return, call-arg]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

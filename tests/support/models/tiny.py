"""Tiny random classifiers with a byte tokenizer, built here: real models of the real classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
)

SPECIAL = ("<bos>", "<eos>", "<pad>", "<|im_start|>", "<|im_end|>")

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
)
"""Takes any role in any order, writes no BOS."""

MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
"""Writes a BOS, refuses a system message, ends answers with EOS: the shape of Mistral-7B-Instruct's template."""


def tiny_tokenizer(
    *, template: str | None = CHATML, add_bos: bool = False, pad: str | None = "<pad>", **extra: Any
) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose tokens are bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate([*SPECIAL, *alphabet])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    if add_bos:
        core.post_processor = processors.TemplateProcessing(
            single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", 0)]
        )
    extra = {"bos_token": "<bos>", "eos_token": "<eos>", **extra}
    if pad is not None:
        extra["pad_token"] = pad
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        chat_template=template,
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
        **extra,
    )


def tiny_config(model_type: str = "llama", **changes: Any) -> Any:
    """Return the configuration of a tiny classifier of that type."""
    fields: dict[str, Any] = {
        "vocab_size": len(SPECIAL) + 256,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "num_labels": 1,
        "pad_token_id": 2,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    if model_type.startswith(("gemma", "qwen3")):
        fields["head_dim"] = 16
    if model_type in ("bert", "deberta-v2"):
        fields.pop("num_key_value_heads")
    return AutoConfig.for_model(model_type, **{**fields, **changes})


def save_tiny_model(
    folder: Path,
    *,
    model_type: str = "llama",
    template: str | None = CHATML,
    add_bos: bool = False,
    pad: str | None = "<pad>",
    seed: int = 0,
    **changes: Any,
) -> Path:
    """Write a tiny classifier with its tokenizer; the weights depend on the seed alone."""
    tokenizer = tiny_tokenizer(template=template, add_bos=add_bos, pad=pad)
    changes.setdefault("pad_token_id", None if pad is None else SPECIAL.index(pad))
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_config(tiny_config(model_type, **changes), dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():  # Default weights are so small that all scores are nearly equal.
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_tiny_language_model(
    folder: Path,
    *,
    model_type: str = "llama",
    template: str | None = CHATML,
    add_bos: bool = False,
    seed: int = 0,
    **changes: Any,
) -> Path:
    """Write a tiny language model with its tokenizer; the weights depend on the seed alone."""
    tokenizer = tiny_tokenizer(template=template, add_bos=add_bos)
    torch.manual_seed(seed)
    config = tiny_config(model_type, **changes)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():  # As above.
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def edit_config(folder: Path, **changes: Any) -> None:
    """Change values of a model folder's ``config.json``."""
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

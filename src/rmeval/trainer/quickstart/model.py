"""The tokenizer and the first weights' shape: all that a model needs before it is trained from scratch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlamaConfig, PreTrainedTokenizerFast

__all__ = ["MAX_LENGTH", "make_config", "make_tokenizer", "write_model"]

MAX_LENGTH = 512
"""Tokens the model has positions for."""
_VOCABULARY = 2048
_PAD, _BOS, _EOS = "<|pad|>", "<|begin|>", "<|end|>"
_ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] | trim + eos_token }}"
    "{% endfor %}"
)
"""Takes any role in any order; the tokenizer adds the BOS."""


def make_tokenizer(texts: Iterable[str], vocabulary: int = _VOCABULARY) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on the texts: digits stand alone, and every text can be encoded."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    special = [_PAD, _BOS, _EOS, *_ROLES]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.post_processor = processors.TemplateProcessing(
        single=f"{_BOS} $A", pair=f"{_BOS} $A {_BOS} $B", special_tokens=[(_BOS, special.index(_BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=_PAD,
        bos_token=_BOS,
        eos_token=_EOS,
        extra_special_tokens=list(_ROLES),
        chat_template=_TEMPLATE,
        model_max_length=MAX_LENGTH,
        padding_side="right",
        truncation_side="left",
    )


def make_config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """Return the configuration of a Llama classifier with one output and about 850,000 weights."""
    from transformers import LlamaConfig

    config = LlamaConfig(
        architectures=["LlamaForSequenceClassification"],
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=336,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=MAX_LENGTH,
        initializer_range=0.05,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        use_cache=False,
    )
    config.num_labels = 1
    return config


def write_model(folder: Path, texts: Iterable[str]) -> None:
    """Write a tokenizer trained on the texts and the configuration; the weights are drawn when training begins."""
    tokenizer = make_tokenizer(texts)
    tokenizer.save_pretrained(folder)
    make_config(tokenizer).save_pretrained(folder)

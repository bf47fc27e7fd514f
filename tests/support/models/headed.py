"""Tiny models with reward heads that transformers does not know, laid out as their own libraries leave them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

from rmeval.errors import RmevalError
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.types import Conversation, Message
from tests.support.models.tiny import CHATML, tiny_config, tiny_tokenizer
from tests.support.scoring import said

WIDTH = 64
Weights = dict[str, Tensor]
Oracle = Callable[[Weights, Tensor], Tensor]
"""From the head's weights and the states of one conversation, shape (tokens, width), to its score."""


def sample() -> list[Conversation]:
    found = []
    for i in range(16):
        prompt = (Message("user", f"question {i % 7} " * (1 + i % 5)),)
        found.append(Conversation(prompt, (Message("assistant", "ab " * ((i * i) % 40)),), f"e{i}"))
    return found


def save_body(
    folder: Path, model_type: str = "llama", *, template: str = CHATML, pad: str = "<pad>", **changes: Any
) -> Path:
    """Write a causal language model, as the heads' own libraries leave it beside or around them."""
    torch.manual_seed(0)
    config = tiny_config(model_type, **changes)
    del config.id2label, config.label2id
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
    model.save_pretrained(folder)
    tiny_tokenizer(template=template, pad=pad).save_pretrained(folder)
    return folder


def add_to_weights(folder: Path, head: Weights, *, drop: str = "lm_head") -> None:
    """Write the head into the model's own file."""
    weights = {name: value for name, value in load_file(folder / "model.safetensors").items() if drop not in name}
    save_file({**weights, **head}, folder / "model.safetensors", metadata={"format": "pt"})


def states(
    folder: Path,
    model_type: str = "llama",
    *,
    conversations: list[Conversation] | None = None,
    last: int = 1 << 20,
) -> list[tuple[list[int], Tensor]]:
    """The tokens of each conversation and the body's hidden states of its last ones, one conversation at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    fields = json.loads((folder / "config.json").read_text())
    config = AutoConfig.for_model(model_type, **{name: fields[name] for name in fields if name != "model_type"})
    body = AutoModel.from_config(config, dtype=torch.float32)
    own = load_file(folder / "model.safetensors")
    prefixes = ("gpt_neox", "transformer", "model.model", "model")
    prefix = next(name for name in prefixes if any(key.startswith(f"{name}.") for key in own))
    body.load_state_dict({name.removeprefix(f"{prefix}."): own[name] for name in own if name.startswith(f"{prefix}.")})
    found = []
    for each in conversations or sample():
        text = tokenizer.apply_chat_template(
            [{"role": m.role, "content": m.content} for m in each.messages], tokenize=False
        )
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            found.append((ids, body.eval()(input_ids=torch.tensor([ids[-last:]])).last_hidden_state[0]))
    return found


def scores(folder: Path, conversations: list[Conversation] | None = None, **options: Any) -> list[float]:
    given = {"dtype": "float32", "device": "cpu", "cache": False, **options}
    scorer = load_scorer(str(folder), ModelOptions(**given))
    return [score.value for score in said(scorer, conversations or sample())]


def near(expected: list[float]) -> list[Any]:
    return [pytest.approx(score, abs=1e-5 * max(1.0, abs(score))) for score in expected]


def random(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.3


def refused(folder: Path, **options: Any) -> str:
    with pytest.raises(RmevalError) as caught:
        load_scorer(str(folder), ModelOptions(device="cpu", **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- with Llama 3's tokens --------------------------------------------------------------------------------------

LLAMA_3 = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>' }}"
    "{{ '\n\n' + (message['content'] | trim) + '<|eot_id|>' }}{% endfor %}"
)
_SPECIAL = {
    "<|begin_of_text|>": 128000,
    "<|start_header_id|>": 128006,
    "<|end_header_id|>": 128007,
    "<|eot_id|>": 128009,
    "[PAD]": 128256,
}
_LINES = r"\s*[\r\n]+|[^\r\n\p{L}]?\p{L}+|\s+|[^\s\p{L}]+"


def llama_3_tokenizer(template: str = LLAMA_3) -> PreTrainedTokenizerFast:
    """Bytes, and of Llama 3's tokens those of an assistant's header, under their numbers."""
    word = "assistant"
    alphabet = {token: place for place, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    parts = {word[:size]: 300 + size for size in range(2, len(word))}
    line = "\u010a"
    vocabulary = {**alphabet, **parts, word: 78191, 2 * line: 271, 3 * line: 1432, **_SPECIAL}
    merges = [(word[:size], word[size]) for size in range(1, len(word))] + [(line, line), (2 * line, line)]
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    split = pre_tokenizers.Split(Regex(_LINES), "isolated")
    core.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        chat_template=template,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="[PAD]",
        additional_special_tokens=["<|start_header_id|>", "<|end_header_id|>"],
    )

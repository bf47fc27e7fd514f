"""PEFT adapter folders as ``--model``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from rmeval.errors import ModelError
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.types import Conversation, Message
from tests.tiny import MISTRAL, tiny_config, tiny_tokenizer

OPTIONS = ModelOptions(dtype="float32", device="cpu", cache=False)
CONVERSATIONS = [
    Conversation((Message("user", "question " * n),), (Message("assistant", "yes " * n),)) for n in range(1, 6)
]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A tiny language model, whose padding token is the EOS token that ends an answer."""
    torch.manual_seed(0)
    config = tiny_config("llama", hidden_size=32, num_hidden_layers=1, pad_token_id=1)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(tmp_path / "base")
    tiny_tokenizer(template=MISTRAL, pad="<eos>").save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def adapt(base: Path, folder: Path, *, head: bool = True, task: str = "SEQ_CLS", tokenizer: bool = True) -> list[float]:
    """Write an adapter with weights that are not zero; return the adapted model's own scores."""
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
    config = LoraConfig(task_type=task, r=2, target_modules=["q_proj"], modules_to_save=["score"] if head else None)
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.normal_()
    adapted.save_pretrained(str(folder))
    own = tiny_tokenizer(template=MISTRAL, pad="<pad>" if tokenizer else "<eos>")
    if tokenizer:
        own.save_pretrained(folder)
        adapted.config.pad_token_id = 2
    scores = []
    for conversation in CONVERSATIONS:
        chat = [{"role": message.role, "content": message.content} for message in conversation.messages]
        ids = own(own.apply_chat_template(chat, tokenize=False), return_tensors="pt")
        with torch.no_grad():
            scores.append(adapted(**ids).logits.item())
    return scores


def test_an_adapter_scores_as_peft_does(base: Path, tmp_path: Path) -> None:
    expected = adapt(base, tmp_path / "adapter")
    scorer = load_scorer(str(tmp_path / "adapter"), OPTIONS)
    assert [score.value for score in scorer.score(CONVERSATIONS)] == pytest.approx(expected, abs=1e-5)
    assert not scorer.info.untrained_head
    assert not [finding for finding in scorer.findings() if finding.code in ("untrained-head", "unused-weights")]


def test_without_a_tokenizer_of_its_own_it_takes_that_of_its_base(base: Path, tmp_path: Path) -> None:
    expected = adapt(base, tmp_path / "adapter", tokenizer=False)
    found = load_scorer(str(tmp_path / "adapter"), OPTIONS).score(CONVERSATIONS)
    assert [score.value for score in found] == pytest.approx(expected, abs=1e-5)


def test_its_fingerprint_is_of_adapter_and_base(base: Path, tmp_path: Path) -> None:
    adapt(base, tmp_path / "adapter")
    one = load_scorer(str(tmp_path / "adapter"), OPTIONS).info.fingerprint
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.model_max_length = 99
    tokenizer.save_pretrained(base)
    other = load_scorer(str(tmp_path / "adapter"), OPTIONS).info.fingerprint
    assert one.split("+")[0] == other.split("+")[0]
    assert one.split("+")[1] != other.split("+")[1]


def test_a_head_that_nobody_trained_is_an_error(base: Path, tmp_path: Path) -> None:
    adapt(base, tmp_path / "adapter", head=False, task="FEATURE_EXTRACTION")
    edit(tmp_path / "adapter", task_type="SEQ_CLS")
    with pytest.raises(ModelError, match=r"the head of .* is untrained"):
        load_scorer(str(tmp_path / "adapter"), OPTIONS)


def edit(adapter: Path, **changes: object) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_what_cannot_be_loaded_is_one_clear_line(base: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapt(base, adapter)
    for changes, message in (
        ({"task_type": "CAUSAL_LM"}, "not one of a sequence classifier"),
        ({"task_type": "SEQ_CLS", "base_model_name_or_path": "./absent"}, "cannot be had: no such folder: ./absent"),
        ({"base_model_name_or_path": str(adapter)}, "is a PEFT adapter of another adapter"),
    ):
        edit(adapter, **changes)
        with pytest.raises(ModelError) as caught:
            load_scorer(str(adapter), OPTIONS)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_pickled_adapters_are_refused(base: Path, tmp_path: Path) -> None:
    adapt(base, tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").rename(tmp_path / "adapter" / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"without adapter_model\.safetensors"):
        load_scorer(str(tmp_path / "adapter"), OPTIONS)


def test_a_pickled_base_is_loaded_where_that_was_allowed(base: Path, tmp_path: Path) -> None:
    expected = adapt(base, tmp_path / "adapter")
    torch.save(AutoModelForCausalLM.from_pretrained(base).state_dict(), base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="--allow-pickle"):
        load_scorer(str(tmp_path / "adapter"), OPTIONS)
    scorer = load_scorer(str(tmp_path / "adapter"), replace(OPTIONS, allow_pickle=True))
    assert [score.value for score in scorer.score(CONVERSATIONS)] == pytest.approx(expected, abs=1e-5)

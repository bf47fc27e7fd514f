"""PEFT adapter folders as ``--model``."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import (
    IA3Config,
    LoHaConfig,
    LoraConfig,
    PeftConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptTuningConfig,
    get_peft_model,
)
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from rmeval.errors import ModelError
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.types import Conversation, Message
from tests.support.models.tiny import MISTRAL, tiny_config, tiny_tokenizer
from tests.support.scoring import said

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
    assert [score.value for score in said(scorer, CONVERSATIONS)] == pytest.approx(expected, abs=1e-5)
    assert not scorer.info.untrained_head
    assert not [finding for finding in scorer.findings() if finding.code in ("untrained-head", "unused-weights")]


def test_without_a_tokenizer_of_its_own_it_takes_that_of_its_base(base: Path, tmp_path: Path) -> None:
    expected = adapt(base, tmp_path / "adapter", tokenizer=False)
    found = said(load_scorer(str(tmp_path / "adapter"), OPTIONS), CONVERSATIONS)
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
    with pytest.raises(ModelError, match=r"the head of .* is untrained .*; save the adapter with its head"):
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
    assert [score.value for score in said(scorer, CONVERSATIONS)] == pytest.approx(expected, abs=1e-5)


# --- an adapter beside weights that hold it already -------------------------------------------------------------


@pytest.mark.parametrize("weights", ["whole", "in shards"])
def test_merged_weights_beside_their_adapter_do_not_get_it_twice(base: Path, tmp_path: Path, weights: str) -> None:
    """What is in the folder's weights decides, with and without peft."""
    expected = adapt(base, tmp_path / "adapter")
    merged = PeftModel.from_pretrained(
        AutoModelForSequenceClassification.from_pretrained(base, num_labels=1), tmp_path / "adapter"
    ).merge_and_unload()
    merged.config.pad_token_id = 2
    merged.save_pretrained(tmp_path / "alone", max_shard_size="20KB" if weights == "in shards" else "1GB")
    AutoTokenizer.from_pretrained(tmp_path / "adapter").save_pretrained(tmp_path / "alone")
    assert len(list((tmp_path / "alone").glob("model*.safetensors"))) > (2 if weights == "in shards" else 0)
    beside = Path(shutil.copytree(tmp_path / "alone", tmp_path / "beside"))
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(tmp_path / "adapter" / name, beside)
    scorer = load_scorer(str(beside), OPTIONS)
    assert [score.value for score in said(scorer, CONVERSATIONS)] == pytest.approx(expected, abs=1e-5)
    (finding,) = [each for each in scorer.findings() if each.code == "adapter-beside"]
    assert finding.severity == "warning"
    alone = load_scorer(str(tmp_path / "alone"), OPTIONS)
    assert [score.value for score in said(alone, CONVERSATIONS)] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("way", ["save_embedding_layers", "modules_to_save"])
def test_an_adapter_that_holds_resized_embeddings(base: Path, tmp_path: Path, way: str) -> None:
    """A padding token was added: peft keeps the whole table, under one name or another."""
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
    tokenizer = tiny_tokenizer(template=MISTRAL, pad=None)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.config.pad_token_id = tokenizer.pad_token_id
    whole = ["score", "embed_tokens"] if way == "modules_to_save" else ["score"]
    config = LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["q_proj"], modules_to_save=whole)
    adapted = get_peft_model(model, config)
    adapted.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=True)
    tokenizer.save_pretrained(tmp_path / "adapter")
    scorer = load_scorer(str(tmp_path / "adapter"), OPTIONS)
    for conversation, score in zip(CONVERSATIONS, said(scorer, CONVERSATIONS), strict=True):
        chat = [{"role": message.role, "content": message.content} for message in conversation.messages]
        ids = tokenizer(tokenizer.apply_chat_template(chat, tokenize=False), return_tensors="pt")
        with torch.no_grad():
            assert score.value == pytest.approx(adapted(**ids).logits.item(), abs=1e-5)


# --- adapters that do not fit -----------------------------------------------------------------------------------


def classifier(base: Path) -> Path:
    """Give the base a head."""
    AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32).save_pretrained(base)
    return base


def renamed(folder: Path, old: str, new: str) -> None:
    file = folder / "adapter_model.safetensors"
    save_file({name.replace(old, new): value for name, value in load_file(file).items()}, file, {"format": "pt"})


@pytest.mark.parametrize(
    ("old", "new"), [("model.layers", "model.language_model.layers"), ("lora_B", "lora_b"), ("layers.0", "layers.1")]
)
def test_an_adapter_with_other_names_than_the_models_is_refused(base: Path, tmp_path: Path, old: str, new: str) -> None:
    """peft warns, and leaves the model as it was: the scores would be those of the base."""
    adapt(base, tmp_path / "adapter")
    renamed(tmp_path / "adapter", old, new)
    with pytest.raises(
        ModelError, match=r"weights of the adapter .* are not in its file under the names .*lora_"
    ) as caught:
        load_scorer(str(tmp_path / "adapter"), OPTIONS)
    assert "\n" not in str(caught.value)


def test_weights_of_an_adapter_that_the_model_has_no_place_for_are_found(base: Path, tmp_path: Path) -> None:
    own = adapt(base, tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    weights = load_file(file)
    more = {name.replace("layers.0", "layers.7"): value.clone() for name, value in weights.items() if "lora" in name}
    save_file({**weights, **more}, file, {"format": "pt"})
    scorer = load_scorer(str(tmp_path / "adapter"), OPTIONS)
    assert [each.value for each in said(scorer, CONVERSATIONS)] == pytest.approx(own, abs=1e-5)
    assert [each.count for each in scorer.findings() if each.code == "unused-weights"] == [2]


def test_an_adapter_without_the_head_that_it_names_is_one_line(base: Path, tmp_path: Path) -> None:
    adapt(classifier(base), tmp_path / "adapter")
    renamed(tmp_path / "adapter", "score", "classifier")
    with pytest.raises(ModelError, match=r"names weights that its file does not hold: .*score"):
        load_scorer(str(tmp_path / "adapter"), OPTIONS)


@pytest.mark.parametrize("kind", [PromptTuningConfig, PrefixTuningConfig])
def test_what_cannot_be_merged_is_said(base: Path, tmp_path: Path, kind: type[PeftConfig]) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(classifier(base), dtype=torch.float32)
    get_peft_model(model, kind(task_type="SEQ_CLS", num_virtual_tokens=3)).save_pretrained(str(tmp_path / "adapter"))  # type: ignore[call-arg]
    with pytest.raises(ModelError, match=r"of the kind (prompt|prefix) tuning, which cannot be merged"):
        load_scorer(str(tmp_path / "adapter"), OPTIONS)


def test_adapters_of_other_kinds_score_as_peft_does(base: Path, tmp_path: Path) -> None:
    kinds: list[PeftConfig] = [
        LoraConfig(task_type="SEQ_CLS", r=2, use_rslora=True, target_modules="all-linear"),
        LoraConfig(task_type="SEQ_CLS", r=2, use_dora=True, target_modules=["v_proj"]),
        LoraConfig(task_type="SEQ_CLS", r=2, rank_pattern={"v_proj": 4}, target_modules=["q_proj", "v_proj"]),
        LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["q_proj"], trainable_token_indices={"embed_tokens": [3]}),
        IA3Config(task_type="SEQ_CLS", target_modules=["k_proj"], feedforward_modules=[]),
        LoHaConfig(task_type="SEQ_CLS", r=2, target_modules=["q_proj"]),
    ]
    tokenizer = tiny_tokenizer(template=MISTRAL, pad="<eos>")
    for place, config in enumerate(kinds):
        torch.manual_seed(place)
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
        adapted = get_peft_model(model, config).eval()
        with torch.no_grad():
            for parameter in adapted.parameters():
                if parameter.requires_grad:
                    parameter.normal_(0, 0.5)
        folder = tmp_path / f"adapter-{place}"
        adapted.save_pretrained(str(folder))
        own = []
        for conversation in CONVERSATIONS:
            chat = [{"role": message.role, "content": message.content} for message in conversation.messages]
            with torch.no_grad():
                ids = tokenizer(tokenizer.apply_chat_template(chat, tokenize=False), return_tensors="pt")
                own.append(adapted(**ids).logits.item())
        found = said(load_scorer(str(folder), OPTIONS), CONVERSATIONS)
        assert [each.value for each in found] == pytest.approx(own, abs=1e-4), config


@pytest.mark.parametrize("name", ["adapter", "checkpoint-10"])
def test_a_model_one_folder_deeper_is_named(base: Path, tmp_path: Path, name: str) -> None:
    adapt(base, tmp_path / "run" / name)
    with pytest.raises(ModelError, match=f"has no config.json: .*; {name} in it may be one"):
        load_scorer(str(tmp_path / "run"), OPTIONS)
    assert said(load_scorer(str(tmp_path / "run" / name), OPTIONS), CONVERSATIONS)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoTokenizer

from rmeval.errors import ModelError
from rmeval.trainer.loop.model import build_model, build_tokenizer, locate_base
from rmeval.trainer.recipe_files import load_recipe
from rmeval.training_info import ModelRecord
from tests.support.models.tiny import tiny_config, tiny_tokenizer
from tests.support.training import save_base, write_recipe

BYTES = 261


def build(folder: Path, base: Path, **changes: Any) -> tuple[Any, Any, ModelRecord]:
    recipe = load_recipe(str(write_recipe(folder / "recipe.yaml", base, base, **changes)))
    found = locate_base(recipe)
    tokenizer = build_tokenizer(found, recipe)
    model, record = build_model(found, recipe, tokenizer, None)
    return model, tokenizer, record


def save_causal(folder: Path, *, pad: str | None = None, **changes: Any) -> Path:
    """Write a tiny language model: a base without a head."""
    config = tiny_config("llama", hidden_size=32, num_hidden_layers=1, pad_token_id=None, **changes)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    tiny_tokenizer(pad=pad).save_pretrained(folder)
    return folder


def test_a_padding_token_is_added_where_there_is_none(tmp_path: Path) -> None:
    base = save_causal(tmp_path / "base")
    model, tokenizer, record = build(tmp_path, base)
    assert (record.pad_token, record.pad_token_id, record.embeddings_added) == ("[PAD]", BYTES, 1)
    assert model.config.pad_token_id == tokenizer.pad_token_id == BYTES
    weight = model.get_input_embeddings().weight
    assert weight.shape[0] == BYTES + 1
    torch.testing.assert_close(weight[-1], weight[:-1].mean(dim=0))
    before: Any = transformers.AutoModelForCausalLM.from_pretrained(base).get_input_embeddings()
    assert torch.equal(weight[:-1], before.weight)


def test_one_that_is_the_end_of_an_answer_too_is_replaced(tmp_path: Path) -> None:
    _, tokenizer, record = build(tmp_path, save_causal(tmp_path / "base", pad="<eos>"))
    assert record.pad_token == "[PAD]"
    assert tokenizer.eos_token == "<eos>"


def test_the_tokenizers_own_is_kept(tmp_path: Path) -> None:
    _, _, record = build(tmp_path, save_causal(tmp_path / "base", pad="<pad>"))
    assert (record.pad_token, record.pad_token_id, record.embeddings_added) == ("<pad>", 2, 0)


def test_a_spare_row_is_used_and_none_is_lost(tmp_path: Path) -> None:
    model, _, record = build(tmp_path, save_causal(tmp_path / "base", vocab_size=300))
    assert (record.pad_token_id, record.embeddings_added) == (BYTES, 0)
    assert model.get_input_embeddings().weight.shape[0] == 300


def test_a_new_head_is_drawn_by_seed(tmp_path: Path) -> None:
    base = save_causal(tmp_path / "base")
    one, _, record = build(tmp_path, base)
    same, _, _ = build(tmp_path, base)
    other, _, _ = build(tmp_path, base, seed=1)
    wide, _, _ = build(tmp_path, base, head_init_std=5.0)
    assert record.head == "normal, standard deviation 0.174078, seed 42"  # 1 / sqrt(33)
    assert one.score.weight.shape == (1, 32)
    assert torch.equal(one.score.weight, same.score.weight)
    assert not torch.equal(one.score.weight, other.score.weight)
    torch.testing.assert_close(wide.score.weight, one.score.weight * 5.0 * 33**0.5)
    assert one.config.num_labels == 1


def test_a_head_that_is_there_is_kept(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    model, _, record = build(tmp_path, base)
    assert record.head == "kept"
    before: Any = transformers.AutoModelForSequenceClassification.from_pretrained(base)
    assert torch.equal(model.score.weight, before.score.weight)


def test_from_scratch_needs_no_weights(tmp_path: Path) -> None:
    base = save_causal(tmp_path / "base")
    (base / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="has no weights"):
        build(tmp_path, base)
    one, _, record = build(tmp_path, base, from_scratch=True)
    same, _, _ = build(tmp_path, base, from_scratch=True)
    assert record.from_scratch
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter, same.get_parameter(name))


def test_what_scores_reads_as_what_trained(tmp_path: Path) -> None:
    _, tokenizer, _ = build(tmp_path, save_causal(tmp_path / "base"), max_length=77)
    tokenizer.save_pretrained(tmp_path / "saved")
    for each in (tokenizer, AutoTokenizer.from_pretrained(tmp_path / "saved")):
        assert (each.model_max_length, each.truncation_side, each.padding_side) == (77, "left", "right")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_length": 5000}, "max_length 5000 is more than the 2048 positions"),
        ({"chat_template_path": "absent.jinja"}, "cannot read the chat template absent.jinja"),
    ],
)
def test_what_cannot_be_is_one_clear_line(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        build(tmp_path, save_causal(tmp_path / "base"), **changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)

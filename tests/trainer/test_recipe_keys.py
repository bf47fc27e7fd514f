"""What is said of a recipe's keys is true of the recipe."""

from __future__ import annotations

from dataclasses import fields

import pytest
import yaml
from peft import LoraConfig
from pydantic import ValidationError
from trl.trainer.reward_config import RewardConfig

from rmeval.errors import UsageError
from rmeval.trainer.recipe import Lora, Recipe
from rmeval.trainer.recipe_files import load_recipe
from rmeval.trainer.recipe_keys import BEGIN, END, Key, find_keys, keys, table
from tests.conftest import REPOSITORY

KEYS = {key.name: key for key in keys()}
BASE: dict[str, object] = {"model_name_or_path": "m", "dataset_name": "d"}


def test_every_key_is_explained_and_every_default_has_its_reason() -> None:
    assert set(KEYS) == set(Recipe.model_fields) | {f"lora.{name}" for name in Lora.model_fields}
    for key in KEYS.values():
        assert key.meaning.endswith((".", "…")), key.name
        assert bool(key.why) == (key.default is not None), key.name


def test_the_docs_have_the_table() -> None:
    page = (REPOSITORY / "docs" / "train.md").read_text()
    assert f"{BEGIN}\n{table()}\n{END}" in page, "write it again: python -m rmeval.trainer.recipe_keys docs/train.md"


def test_a_key_reads_as_the_recipe_has_it() -> None:
    assert KEYS["adam_beta1"].takes == "number ≥ 0, < 1"
    assert KEYS["max_train_samples"].takes == "whole number > 0 or null"
    assert KEYS["metric_for_best_model"].takes == "loss or accuracy"
    assert KEYS["pad_token"].takes == "text that is not empty or null"
    assert KEYS["lora"].takes == "keys `lora.…` or null"
    assert KEYS["seed"] == Key(
        name="seed",
        takes="whole number ≥ 0, < 2^32",
        default="42",
        meaning="Of the head, the order of the pairs and the split.",
        why="TRL's own, and that of RM-Mistral-7B's shuffle.",
    )
    assert KEYS["dataset_name"].default is None


@pytest.mark.parametrize("key", [key for key in KEYS.values() if key.default is not None], ids=lambda key: key.name)
def test_a_default_can_be_written_as_it_is_shown(key: Key) -> None:
    assert key.default is not None
    given = yaml.safe_load(key.default)
    name = key.name.removeprefix("lora.")
    if name == key.name:
        assert Recipe.model_validate({**BASE, name: given}) == Recipe.model_validate(BASE)
    else:
        assert Lora.model_validate({name: given}) == Lora()


BOUNDED = [key for key in KEYS.values() if (">" in key.takes or "≥" in key.takes) and "." not in key.name]


@pytest.mark.parametrize("key", BOUNDED, ids=lambda key: key.name)
def test_bounds_are_those_that_are_held(key: Key) -> None:
    good, bad = (0, -1) if "≥ 0" in key.takes else (1, 0)
    others = {**BASE, "save_steps": 1}  # Which every eval_steps is a multiple of.
    assert Recipe.model_validate({**others, key.name: good})
    with pytest.raises(ValidationError):
        Recipe.model_validate({**others, key.name: bad})


def test_reasons_that_name_a_number_of_somebody_else_name_the_right_one() -> None:
    trl = {field.name: field.default for field in fields(RewardConfig)}
    peft = LoraConfig()
    mistral, lora = load_recipe("rm-mistral-7b"), load_recipe("rm-mistral-7b-lora")
    checked = 0
    for key in KEYS.values():
        if key.why.startswith("TRL's own"):
            assert Recipe.model_fields[key.name].default == trl[key.name], key.name
            checked += 1
        if key.why.startswith(("As RM-Mistral-7B", "RM-Mistral-7B's")):
            assert Recipe.model_fields[key.name].default == getattr(mistral, key.name), key.name
            checked += 1
    assert checked >= 15
    assert (Lora().r, Lora().lora_alpha, lora.lora and lora.lora.r) == (2 * peft.r, 2 * Lora().r, 64)
    assert (trl["save_steps"], mistral.global_batch_size, mistral.weight_decay) == (500, 512, 0.001)
    assert (mistral.learning_rate, lora.learning_rate) == (5e-6, 1e-4)
    assert load_recipe("smollm2-ultrafeedback").learning_rate == 5e-5


def test_a_key_is_found_as_it_is_typed() -> None:
    assert [key.name for key in find_keys("learning-rate")] == ["learning_rate"]
    assert [key.name for key in find_keys("lora")] == ["lora", "lora.r", "lora.lora_alpha", "lora.target_modules"]
    with pytest.raises(UsageError, match="no key 'lerning_rate' in a recipe; did you mean 'learning_rate'"):
        find_keys("lerning_rate")
    with pytest.raises(UsageError, match=r"did you mean 'lora\.lora_alpha'"):
        find_keys("lora_alpha")

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from trl.trainer.reward_config import RewardConfig

from rmeval.errors import UsageError
from rmeval.trainer.recipe import Lora, Recipe
from rmeval.trainer.recipe_files import load_recipe, recipe_names

OURS = {
    "description", "model_name_or_path", "model_revision", "from_scratch", "dtype", "attn_implementation",
    "head_init_std", "lora", "dataset_name", "dataset_revision", "dataset_train_split", "dataset_test_split",
    "held_out", "report_datasets", "max_train_samples", "max_eval_samples", "margin", "global_batch_size", "eval_suite",
}  # fmt: skip
"""Keys for which TRL's RewardConfig has none."""


def test_keys_are_trls_where_it_has_one() -> None:
    trl = {field.name for field in fields(RewardConfig)}
    assert set(Recipe.model_fields) - OURS <= trl
    assert not OURS & trl


@pytest.mark.parametrize("name", recipe_names())
def test_packaged_recipes_load_and_come_back_from_yaml(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert recipe.description
    copy = tmp_path / "copy.yaml"
    copy.write_text(recipe.to_yaml())
    assert load_recipe(str(copy)) == recipe


def test_rm_mistral_7b_is_the_cards_recipe() -> None:
    recipe = load_recipe("rm-mistral-7b")
    expected = {
        "model_name_or_path": "mistralai/Mistral-7B-Instruct-v0.2",
        "num_train_epochs": 1.0,
        "learning_rate": 5e-6,
        "global_batch_size": 512,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.03,
        "weight_decay": 1e-3,
        "bf16": True,
        "attn_implementation": "flash_attention_2",
        "gradient_checkpointing": True,
        "optim": "paged_adamw_32bit",
        "max_length": 4096,
        "pad_token": "[PAD]",
        "seed": 42,
        "margin": False,
        "center_rewards_coefficient": None,
        "lora": None,
    }
    assert {key: getattr(recipe, key) for key in expected} == expected


def test_overrides() -> None:
    given = [
        "learning_rate=1e-4",
        "bf16=false",
        "lora.r=8",
        "held_out=200",
        "report-datasets=[a.jsonl, b/c]",
        "max_steps=3",
    ]
    recipe = load_recipe("rm-mistral-7b", given)
    assert (recipe.learning_rate, recipe.bf16, recipe.lora) == (1e-4, False, Lora(r=8))
    assert (recipe.held_out, recipe.report_datasets, recipe.max_steps) == (200, ("a.jsonl", "b/c"), 3)
    assert isinstance(recipe.held_out, int)
    assert load_recipe("rm-mistral-7b-lora", ["lora=null"]).lora is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("lerning_rate=1", "unknown key 'lerning_rate'; did you mean 'learning_rate'?"),
        ("lora.alpha=1", "unknown key 'lora.alpha'; did you mean 'lora_alpha'?"),
        ("learning_rate=fast", "learning_rate: input should be a valid number"),
        ("learning_rate=-1", "learning_rate: input should be greater than 0, found -1"),
        ("lora.r=0", "lora.r: input should be greater than 0, found 0"),
        ("held_out=x", "held_out: input should be a valid integer, unable to parse"),
        ("learning_rate=.inf", "learning_rate: input should be a finite number"),
        ("model_name_or_path=null", "model_name_or_path: input should be a valid string"),
        ("metric_for_best_model=recall", "metric_for_best_model: input should be 'loss' or 'accuracy'"),
        ("eval_steps=70", "eval_steps (70) is not a multiple of save_steps (50)"),
        ("held_out=1.5", "held_out is a fraction that is less than 1"),
        ("max_steps=0", "max_steps is a number of steps"),
        ("dtype=bfloat16", None),
        ("learning_rate", "'learning_rate' is not of the form key=value"),
        ("seed=4294967296", "seed: input should be less than 4294967296"),
        ("pad_token=''", "pad_token: string should have at least 1 character"),
        ("seed=[", "the value of seed line 1 is not YAML"),
    ],
)
def test_a_wrong_value_is_one_clear_line(override: str, message: str | None) -> None:
    if message is None:
        load_recipe("rm-mistral-7b", [override])
        return
    with pytest.raises(UsageError) as caught:
        load_recipe("rm-mistral-7b", [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bfloat16_weights_need_bfloat16_computing() -> None:
    with pytest.raises(UsageError, match="dtype is bfloat16 and bf16 is false"):
        load_recipe("rm-mistral-7b-lora", ["bf16=false"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset_name: x", "the key 'model_name_or_path' is missing"),
        ("- a\n- b", "is not a list of keys with values"),
        ("a: [1", "line 1 is not YAML"),
        ("seed: 1\nseed: 2", "line 2 is not YAML that can be read: 'seed' is there twice"),
        ("lora: {r: 1, r: 2}", "line 1 is not YAML that can be read: 'r' is there twice"),
        ("", "the key 'model_name_or_path' is missing"),
    ],
)
def test_a_wrong_file_is_one_clear_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_recipe(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recipe 'rm-mistal-7b'; did you mean 'rm-mistral-7b'"):
        load_recipe("rm-mistal-7b")
    with pytest.raises(UsageError, match=r"no such file: .*absent\.yaml"):
        load_recipe(str(tmp_path / "absent.yaml"))

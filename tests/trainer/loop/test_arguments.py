"""What the card's recipe becomes: every argument of TRL's that is not its default."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from transformers import AutoModelForSequenceClassification
from transformers.trainer_pt_utils import AcceleratorConfig
from trl.trainer.reward_config import RewardConfig

from rmeval.errors import UsageError
from rmeval.trainer.loop.arguments import lora_config, reward_config
from rmeval.trainer.loop.hardware import choose
from rmeval.trainer.recipe_files import load_recipe
from tests.support.models.tiny import tiny_config

CARD = {
    "learning_rate": 5e-6,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.03,
    "num_train_epochs": 1.0,
    "weight_decay": 1e-3,
    "max_grad_norm": 1.0,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-8,
    "bf16": True,
    "seed": 42,
    "center_rewards_coefficient": None,
}


@pytest.mark.parametrize(("devices", "fsdp"), [(1, False), (8, False), (8, True)])
def test_the_cards_recipe_is_composed_as_the_card_says(
    devices: int, fsdp: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", str(fsdp).lower())
    recipe = load_recipe("rm-mistral-7b", ["use_cpu=true"])
    hardware = choose(recipe, devices)
    arguments = reward_config(recipe, hardware, tmp_path)
    plain = RewardConfig(output_dir=str(tmp_path), use_cpu=True)
    names = sorted(field.name for field in fields(RewardConfig))
    changed = {name: getattr(arguments, name) for name in names if getattr(arguments, name) != getattr(plain, name)}
    print("\n".join(f"{name}: {value}" for name, value in changed.items()))
    assert {name: getattr(arguments, name) for name in CARD} == CARD
    assert arguments.per_device_train_batch_size * devices * arguments.gradient_accumulation_steps == 512
    # Gradients wait for the last batch of a step, save where they would be whole on each device.
    assert isinstance(arguments.accelerator_config, AcceleratorConfig)
    assert arguments.accelerator_config.gradient_accumulation_kwargs == {"sync_each_batch": fsdp}
    # These change what is computed; all else is how it is carried out.
    assert set(changed) & {"max_length", "label_smoothing_factor", "neftune_noise_alpha", "group_by_length"} == {
        "max_length"
    }
    assert arguments.max_length is None  # Our encoder has cut them.


def test_layers_that_are_to_be_adapted_must_be_there() -> None:
    """All of them: peft passes over a misspelt one beside another."""
    model = AutoModelForSequenceClassification.from_config(tiny_config("mistral", num_labels=1))
    for targets in ("all-linear", "[q_proj, v_proj]", "[self_attn.q_proj]", "'.*q_proj'"):
        found = lora_config(load_recipe("rm-mistral-7b-lora", [f"lora.target_modules={targets}"]), model)
        assert found is not None
    for targets, missing in (
        ("[q_proj, v_porj]", "v_porj"), ("[proj]", "proj"), ("'q_proj'", "q_proj"), ("'['", "["), ("[]", "of no name"),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            lora_config(load_recipe("rm-mistral-7b-lora", [f"lora.target_modules={targets}"]), model)
        assert str(caught.value) == (
            f"lora.target_modules: MistralForSequenceClassification has no layer {missing} (its linear layers: q_proj, "
            "k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, score; all-linear takes all but the head)"
        )

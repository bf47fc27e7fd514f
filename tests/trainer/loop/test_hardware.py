from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from rmeval.errors import UsageError
from rmeval.trainer.loop.hardware import accumulation_steps, choose
from rmeval.trainer.loop.launched import launched
from rmeval.trainer.recipe_files import load_recipe


@pytest.mark.parametrize(
    ("devices", "each", "steps"), [(1, 4, 128), (8, 4, 16), (64, 8, 1), (3, 4, None), (128, 8, None)]
)
def test_the_batch_of_a_step_is_kept_whatever_the_devices(devices: int, each: int, steps: int | None) -> None:
    recipe = load_recipe("rm-mistral-7b", [f"per_device_train_batch_size={each}"])
    if steps is None:
        with pytest.raises(
            UsageError, match=rf"global_batch_size 512 is not a multiple of .* {each} x {devices} devices"
        ):
            accumulation_steps(recipe, devices)
    else:
        assert accumulation_steps(recipe, devices) == steps
        assert steps * each * devices == 512


def test_what_a_cpu_lacks_is_replaced_and_noted() -> None:
    found = choose(load_recipe("rm-mistral-7b", ["use_cpu=true"]), devices=1)
    assert (found.optim, found.attn_implementation, found.device) == ("adamw_torch_fused", None, "cpu")
    assert found.gradient_checkpointing
    assert found.notes == (
        "paged_adamw_32bit needs a GPU: adamw_torch_fused instead, whose state is 32-bit too",
        "flash_attention_2 needs a GPU: transformers' own choice instead",
    )


def test_with_fsdp_its_own_checkpointing_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    found = choose(load_recipe("rm-mistral-7b", ["use_cpu=true"]), devices=8)
    assert found.fsdp
    assert not found.gradient_checkpointing
    assert "gradient checkpointing is FSDP's (fsdp_activation_checkpointing)" in found.notes


@pytest.mark.parametrize(
    ("variables", "overrides", "message"),
    [
        ({"FSDP_STATE_DICT_TYPE": "LOCAL_STATE_DICT"}, (), "fsdp_state_dict_type is LOCAL_STATE_DICT: no whole model"),
        ({"FSDP_STATE_DICT_TYPE": "2"}, (), "fsdp_state_dict_type is LOCAL_STATE_DICT: no whole model"),
        ({"FSDP_VERSION": "2"}, ("eval_suite=mini",), "eval_suite scores checkpoints, which are in parts"),
        ({"FSDP_VERSION": "2"}, ("lora.r=4",), "checkpoints in parts would lose the adapters"),
    ],
)
def test_checkpoints_that_end_in_no_whole_model_are_refused_before_anything_is_loaded(
    variables: dict[str, str], overrides: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ACCELERATE_USE_FSDP": "true", **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=message):
        choose(load_recipe("rm-mistral-7b", ["use_cpu=true", *overrides]), devices=8)


@pytest.mark.parametrize(
    ("variables", "sharded"),
    [
        ({}, False),  # FSDP 1, whole: accelerate's defaults.
        ({"FSDP_VERSION": "2"}, True),
        ({"FSDP_VERSION": "2", "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT"}, False),
        ({"FSDP_STATE_DICT_TYPE": "sharded_state_dict"}, True),
        ({"ACCELERATE_USE_FSDP": "false", "FSDP_VERSION": "2"}, False),
    ],
)
def test_how_checkpoints_are_written(variables: dict[str, str], sharded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCELERATE_USE_FSDP": "true", **variables}.items():
        monkeypatch.setenv(name, value)
    assert launched().sharded == sharded


ZERO3 = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}
GATHERED = "stage3_gather_16bit_weights_on_model_save"


def test_zero_3_that_gathers_no_whole_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe("rm-mistral-7b", ["use_cpu=true"])
    for name, value in ZERO3.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="ZeRO-3 would write no whole model: set zero3_save_16bit_model"):
        choose(recipe, devices=8)
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL", "true")
    assert launched().zero3
    choose(recipe, devices=8)
    file = tmp_path / "deepspeed.json"
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_CONFIG_FILE", str(file))
    for zero, refused in (
        ({"stage": 3}, True),
        ({"stage": 3, GATHERED: True}, False),
        ({"stage": "auto", GATHERED: "auto"}, False),  # What accelerate says: 3, and true.
        ({"stage": 2}, False),
    ):
        file.write_text(json.dumps({"zero_optimization": zero}))
        with pytest.raises(UsageError, match="no whole model") if refused else nullcontext():
            choose(recipe, devices=8)
            assert launched().zero3 == (zero["stage"] != 2)
    file.write_text("[")
    with pytest.raises(UsageError, match="cannot read DeepSpeed's configuration"):
        choose(recipe, devices=8)

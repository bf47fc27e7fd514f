from __future__ import annotations

import pytest

from rmeval.errors import UsageError
from rmeval.trainer.hardware import accumulation_steps, choose
from rmeval.trainer.recipe import load_recipe


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

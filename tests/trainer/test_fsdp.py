"""FSDP2 on two CPU processes: what a training on 8 GPUs would do, as far as that can be seen without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rmeval.trainer.train import train
from tests.support.fsdp import start_fsdp
from tests.support.training import SmallRecipe, record

STEPS = 4


class Setting(SmallRecipe):
    def sharded(self, name: str, *overrides: str, code: int = 0, **options: Any) -> Path:
        processes = start_fsdp(self.recipe, self.folder / name, overrides, **options)
        return self.ended(name, processes, code=code, seconds=120)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(tmp_path_factory.mktemp("fsdp"), STEPS)


@pytest.fixture(scope="module")
def whole(setting: Setting) -> Path:
    """A training that nothing stopped, with whole checkpoints."""
    return setting.sharded("whole", probe=setting.folder / "probe.json")


def weights(path: Path) -> bytes:
    return (path / "model.safetensors").read_bytes()


def test_the_curve_is_that_of_one_process(setting: Setting, whole: Path) -> None:
    one = train(str(setting.recipe), setting.folder / "one")
    assert one is not None
    found = record(whole)
    assert (found["hardware"]["fsdp"], found["hardware"]["gradient_accumulation_steps"]) == (True, 2)
    for name in ("loss", "grad_norm", "margin", "accuracy", "held_out_loss", "learning_rate"):
        expected = one.record["curves"][name]
        assert [step for step, _ in found["curves"][name]] == [step for step, _ in expected]
        assert [value for _, value in found["curves"][name]] == pytest.approx([v for _, v in expected], abs=1e-4)
    assert found["model"] == one.record["model"]


def test_a_device_holds_its_share_alone(setting: Setting, whole: Path) -> None:
    """No parameter of before FSDP is alive, and gradients between the batches of a step are sharded, too."""
    batches = json.loads((setting.folder / "probe.json").read_text())
    assert len(batches) == 2
    bytes_in_all = sum(each.nbytes for each in load_file(whole / "model.safetensors").values())
    for batch in batches:
        assert batch["parameters"] > 0
        assert batch["alive"] == 0
        assert batch["whole_gradients"] == 0
        assert batch["sharded_bytes"] == pytest.approx(bytes_in_all / 2, rel=0.01)


@pytest.mark.parametrize("kind", ["FULL_STATE_DICT", None])
def test_killed_and_started_again_it_ends_with_the_same_weights(
    setting: Setting, whole: Path, kind: str | None
) -> None:
    """With whole checkpoints, and with those in parts, which are accelerate's default."""
    name = f"killed {kind}"
    output = setting.sharded(name, kind=kind, stop_at=3, code=9)
    assert sorted(path.name for path in (output / "checkpoints").glob("checkpoint-*"))[-1] == "checkpoint-3"
    assert any((output / "checkpoints" / "checkpoint-3").glob("*.safetensors")) == (kind is not None)
    setting.sharded(name, kind=kind)
    assert weights(output) == weights(whole)
    assert (output / "config.json").read_bytes() == (whole / "config.json").read_bytes()
    assert record(output)["curves"] == record(whole)["curves"]
    assert {path.name for path in output.iterdir()} == {path.name for path in whole.iterdir()}


def test_adapters_are_those_of_one_process_and_survive_a_kill(setting: Setting) -> None:
    changes = ("lora.r=4", "learning_rate=0.01", "max_steps=2")
    one = train(str(setting.recipe), setting.folder / "lora one", overrides=changes)
    assert one is not None
    two = setting.sharded("lora", *changes, stop_at=1, code=9)
    setting.sharded("lora", *changes)
    for name in ("model.safetensors", "adapter/adapter_model.safetensors"):
        expected, found = load_file(one.path / name), load_file(two / name)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            assert torch.allclose(found[key], value, atol=1e-4), key
    learned = load_file(two / "adapter" / "adapter_model.safetensors")
    assert all(value.any() for key, value in learned.items() if "lora_B" in key)  # They begin with zeros.
    assert record(two)["model"] == one.record["model"]

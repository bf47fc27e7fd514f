"""DeepSpeed's ZeRO on two CPU processes: what a training on GPUs would do, as far as that can be seen without them."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rmeval.errors import RunError
from rmeval.trainer.loop.zero import read_as_data
from rmeval.trainer.train import train
from tests.support.training import SmallRecipe, record
from tests.support.zero import refusals, start_zero, write_config

pytestmark = pytest.mark.skipif(find_spec("deepspeed") is None, reason="deepspeed is not installed")
STEPS = 4
LORA = ("lora.r=4", "learning_rate=0.01", "gradient_checkpointing=true")


class Setting(SmallRecipe):
    def sharded(self, name: str, stage: int, *overrides: str, code: int = 0, stop_at: int | None = None) -> Path:
        config = write_config(self.folder / f"zero{stage}.json", stage)
        processes = start_zero(self.recipe, self.folder / name, overrides, config=config, stop_at=stop_at)
        return self.ended(name, processes, code=code, seconds=240)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(tmp_path_factory.mktemp("zero"), STEPS, use_cpu=False)


@pytest.mark.parametrize("stage", [2, 3])
def test_the_curve_is_that_of_one_process_also_after_a_kill(setting: Setting, stage: int) -> None:
    """With a suite scored by the first process alone meanwhile, from a checkpoint that is a whole model."""
    changes = ("eval_suite=mini",) if stage == 3 else ()
    one = train(str(setting.recipe), setting.folder / f"one {stage}", overrides=changes)
    assert one is not None
    whole = setting.sharded(f"whole {stage}", stage, *changes)
    found = record(whole)
    assert (found["hardware"]["devices"], found["hardware"]["gradient_accumulation_steps"]) == (2, 2)
    for name, expected in one.record["curves"].items():
        assert [step for step, _ in found["curves"][name]] == [step for step, _ in expected]
        assert [value for _, value in found["curves"][name]] == pytest.approx([v for _, v in expected], abs=1e-4), name
    assert found["model"] == one.record["model"]

    killed = setting.sharded(f"killed {stage}", stage, *changes, stop_at=3, code=9)
    names = sorted(path.name for path in (killed / "checkpoints").glob("checkpoint-*"))
    assert names[-1] == "checkpoint-3"
    setting.sharded(f"killed {stage}", stage, *changes)
    for file in ("model.safetensors", "config.json"):
        assert (killed / file).read_bytes() == (whole / file).read_bytes()
    assert record(killed)["curves"] == found["curves"]
    assert {path.name for path in killed.iterdir()} == {path.name for path in whole.iterdir()}
    weights, ours = load_file(one.path / "model.safetensors"), load_file(whole / "model.safetensors")
    assert weights.keys() == ours.keys()
    assert all(torch.allclose(ours[name], weight, atol=1e-4) for name, weight in weights.items())


def test_zero_3_divides_the_weights(setting: Setting) -> None:
    """Between its passes a process holds nothing whole; the model was loaded whole, and is written whole."""
    output = setting.sharded("divided", 3, stop_at=1, code=9)
    held = [int((output / "checkpoints" / f"held-{rank}.tmp").read_text()) for rank in (0, 1)]
    assert held == [0, 0]


@pytest.mark.parametrize("stage", [2, 3])
def test_adapters_are_those_of_one_process_and_survive_a_kill(setting: Setting, stage: int) -> None:
    one = train(str(setting.recipe), setting.folder / f"lora one {stage}", overrides=LORA)
    assert one is not None
    two = setting.sharded(f"lora {stage}", stage, *LORA, stop_at=3, code=9)
    setting.sharded(f"lora {stage}", stage, *LORA)
    for name in ("model.safetensors", "adapter/adapter_model.safetensors"):
        expected, found = load_file(one.path / name), load_file(two / name)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            assert torch.allclose(found[key], value, atol=1e-3), key
    learned = load_file(two / "adapter" / "adapter_model.safetensors")
    assert all(value.any() for key, value in learned.items() if "lora_B" in key)  # They begin with zeros.
    assert record(two)["model"] == one.record["model"]


def test_a_configuration_that_says_otherwise_than_the_recipe_is_refused(setting: Setting, tmp_path: Path) -> None:
    """It would be what trains: optimizer, schedule, batch and clipping of the recipe would be passed over."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, ""),
        ({"optimizer": {"type": "SGD", "params": {"lr": 1}}}, "has its own optimizer: leave that out"),
        ({"scheduler": {"type": "WarmupLR", "params": {}}}, "has its own scheduler: leave that out"),
        ({"gradient_accumulation_steps": 3}, "(gradient_accumulation_steps=3, here gradient_accumulation_steps=4)"),
        ({"gradient_clipping": 7.0}, "(gradient_clipping=7.0, here max_grad_norm=1.0): set these to auto"),
        ({"fp16": {"enabled": True}}, "fp16.enabled=True, here fp16"),
    ]
    configs = [write_config(tmp_path / f"{n}.json", 2, **changes) for n, (changes, _) in enumerate(cases)]
    process = refusals(setting.recipe, configs, tmp_path / "answers.json")
    process.join(120)
    assert process.exitcode == 0
    for said, (_, message) in zip(json.loads((tmp_path / "answers.json").read_text()), cases, strict=True):
        assert message in said
        assert bool(message) == bool(said)


class Trap:
    """Runs a command where it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_a_checkpoint_is_read_as_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where DeepSpeed asks for more, as it does for its own classes; what these import is not theirs."""
    scaler = pytest.importorskip("deepspeed.runtime.fp16.loss_scaler").LossScaler(2.0)
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    file = tmp_path / "global_step1" / "zero_pp_rank_0_mp_rank_00_optim_states.pt"
    file.parent.mkdir()
    torch.save({"scaler": scaler}, file)
    with read_as_data(tmp_path):
        assert torch.load(file, weights_only=False)["scaler"].cur_scale == 2.0
    with read_as_data(None):  # A new training: nothing is read.
        assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
    torch.save({"scaler": Trap(f"touch {tmp_path / 'ran'}")}, file)
    with pytest.raises(RunError, match=r"holds posix\.system, which DeepSpeed does not write"), read_as_data(tmp_path):
        torch.load(file, weights_only=False)
    assert not (tmp_path / "ran").exists()

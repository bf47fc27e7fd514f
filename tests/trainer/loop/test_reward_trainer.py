from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, PreTrainedModel, TrainerCallback
from trl.trainer.reward_trainer import RewardTrainer

from rmeval.trainer.data.batches import PairBatches
from rmeval.trainer.data.encoded import lengths
from rmeval.trainer.loop import checkpoints
from rmeval.trainer.loop.arguments import reward_config
from rmeval.trainer.loop.hardware import choose
from rmeval.trainer.loop.reward_trainer import NonFiniteError, PairTrainer
from rmeval.trainer.recipe import Recipe
from rmeval.trainer.recipe_files import load_recipe
from tests.support.models.tiny import tiny_tokenizer
from tests.support.training import save_base, write_recipe


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


def load(base: Path) -> Any:
    return AutoModelForSequenceClassification.from_pretrained(base, dtype=torch.float32)


def recipe_of(folder: Path, base: Path, **changes: Any) -> Recipe:
    return load_recipe(str(write_recipe(folder / "recipe.yaml", base, folder / "none", **changes)))


def pairs_of(number: int, seed: int = 0, **columns: list[float]) -> Dataset:
    chance = np.random.default_rng(seed)

    def ids() -> list[list[int]]:
        return [chance.integers(5, 200, chance.integers(3, 30)).tolist() for _ in range(number)]

    return Dataset.from_dict({"chosen_ids": ids(), "rejected_ids": ids(), **columns})


def trainer_of(recipe: Recipe, model: PreTrainedModel, pairs: Dataset, folder: Path, **options: Any) -> Any:
    batches = PairBatches(
        lengths(pairs),
        global_batch_size=recipe.global_batch_size,
        batch_size=recipe.per_device_train_batch_size,
        devices=1,
        seed=recipe.seed,
    )
    arguments = reward_config(recipe, choose(recipe, 1), folder)
    arguments.eval_strategy = "no" if "eval_dataset" not in options else arguments.eval_strategy
    return PairTrainer(
        batches=batches, model=model, args=arguments, train_dataset=pairs, processing_class=tiny_tokenizer(), **options
    )


class _Fixed(torch.nn.Module):
    """Gives the rewards that it is told, whatever it reads."""

    def __init__(self, rewards: list[float]) -> None:
        super().__init__()
        self.rewards = torch.nn.Parameter(torch.tensor(rewards)[:, None])

    def forward(self, **inputs: Any) -> Any:
        return type("Output", (), {"logits": self.rewards})()


@pytest.mark.parametrize(
    ("changes", "margins", "expected"),
    [
        # Margins of 2 and -1: -log sigmoid(m) = log(1 + exp(-m)).
        ({}, None, (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2),
        ({}, [0.5, 1.0], (math.log(1 + math.exp(-1.5)) + math.log(1 + math.exp(2))) / 2),
        # Sums of the rewards: 4 and 0.
        ({"center_rewards_coefficient": 0.1}, None, 0.8 + (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2),
    ],
)
def test_the_loss_of_two_pairs_by_hand(
    changes: dict[str, Any], margins: list[float] | None, expected: float, base: Path, tmp_path: Path
) -> None:
    trainer = trainer_of(recipe_of(tmp_path, base, **changes), load(base), pairs_of(8), tmp_path / "out")
    inputs: dict[str, Any] = {"input_ids": torch.ones(4, 3, dtype=torch.long), "attention_mask": torch.ones(4, 3)}
    if margins is not None:
        inputs["margin"] = torch.tensor(margins)
    loss = trainer.compute_loss(_Fixed([3.0, -0.5, 1.0, 0.5]), inputs)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_the_loss_is_trls(base: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, base, center_rewards_coefficient=0.01)
    trainer = trainer_of(recipe, load(base), pairs_of(6, margin=[0.1] * 6), tmp_path / "out")
    batch = trainer.data_collator([trainer.train_dataset[place] for place in range(6)])
    ours = trainer.compute_loss(trainer.model, dict(batch))
    trls = RewardTrainer.compute_loss(trainer, trainer.model, dict(batch))
    assert "margin" in batch
    assert ours.item() == pytest.approx(trls.item(), rel=1e-6)


def score(model: Any, ids: list[int]) -> torch.Tensor:
    """One conversation at a time, without padding: what training must agree with."""
    found: torch.Tensor = model(input_ids=torch.tensor([ids])).logits[0, 0]
    return found


def plain_step(model: Any, pairs: Dataset, rate: float) -> float:
    """Take one step of AdamW on all pairs at once, in plain PyTorch; return the loss."""
    model.eval()  # There is no dropout.
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    margins = torch.stack([score(model, pair["chosen_ids"]) - score(model, pair["rejected_ids"]) for pair in pairs])
    loss = torch.log1p(torch.exp(-margins)).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("pairs", [8, 7, 5])
def test_one_step_is_plain_pytorchs(pairs: int, base: Path, tmp_path: Path) -> None:
    """With 7 and 5 pairs the batches of the step differ in size: the mean is over pairs all the same."""
    changes = {"warmup_steps": 0, "lr_scheduler_type": "constant", "max_steps": 1, "optim": "adamw_torch"}
    recipe = recipe_of(tmp_path, base, **changes)
    data = pairs_of(pairs)
    trainer = trainer_of(recipe, load(base), data, tmp_path / "out")
    trainer.train()
    plain = load(base)
    loss = plain_step(plain, data, recipe.learning_rate)
    assert trainer.state.log_history[0]["loss"] == pytest.approx(loss, rel=1e-5)
    trained = dict(trainer.model.named_parameters())
    start = dict(load(base).named_parameters())
    for name, parameter in plain.named_parameters():
        # Adam's first step is the gradient's sign, nearly: where that is about 0, rounding decides.
        moved = (parameter - start[name]).abs() > 0.5 * recipe.learning_rate
        assert moved.float().mean() > 0.5 or name.endswith("embed_tokens.weight")
        torch.testing.assert_close(trained[name][moved], parameter[moved], rtol=0, atol=1e-2 * recipe.learning_rate)


def test_each_step_logs_what_is_true_of_its_pairs(base: Path, tmp_path: Path) -> None:
    data = pairs_of(8)
    trainer = trainer_of(recipe_of(tmp_path, base, max_steps=1), load(base), data, tmp_path / "out")
    model = load(base)
    margins = [(score(model, pair["chosen_ids"]) - score(model, pair["rejected_ids"])).item() for pair in data]
    trainer.train()
    logged = trainer.state.log_history[0]
    assert logged["accuracy"] == np.mean(np.array(margins) > 0)
    assert logged["margin"] == pytest.approx(np.mean(margins), abs=1e-5)


@pytest.mark.parametrize("held_out", [5, 8, 11])
def test_held_out_metrics_are_means_over_pairs(held_out: int, base: Path, tmp_path: Path) -> None:
    """Batches of 8 pairs: with 5 or 11 the last one is smaller, and counts for less."""
    data = pairs_of(held_out, seed=1)
    trainer = trainer_of(recipe_of(tmp_path, base), load(base), pairs_of(8), tmp_path / "out", eval_dataset=data)
    found = trainer.evaluate()
    model = load(base)
    margins = np.array(
        [(score(model, pair["chosen_ids"]) - score(model, pair["rejected_ids"])).item() for pair in data]
    )
    assert found["eval_loss"] == pytest.approx(np.log1p(np.exp(-margins)).mean(), abs=1e-5)
    assert found["eval_accuracy"] == (margins > 0).mean()
    assert found["eval_margin"] == pytest.approx(margins.mean(), abs=1e-5)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(base: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, base, save_steps=1, eval_steps=1, max_steps=6)
    trainer = trainer_of(recipe, load(base), pairs_of(16), tmp_path / "out")

    class Spoil(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.global_step == 2:
                with torch.no_grad():
                    trainer.model.score.weight.fill_(math.nan)

    trainer.add_callback(Spoil())
    with pytest.raises(NonFiniteError) as caught:
        trainer.train()
    message = str(caught.value)
    assert "the loss became nan at step 3" in message
    assert "checkpoint-2" in message
    assert "\n" not in message
    kept = checkpoints.last_complete(tmp_path / "out")
    assert kept is not None
    saved = AutoModelForSequenceClassification.from_pretrained(kept)
    assert all(torch.isfinite(parameter).all() for parameter in saved.parameters())


def test_a_gradient_that_is_not_finite_stops_before_the_step(base: Path, tmp_path: Path) -> None:
    trainer = trainer_of(recipe_of(tmp_path, base, max_steps=1), load(base), pairs_of(8), tmp_path / "out")
    trainer.model.score.weight.register_hook(lambda gradient: gradient * math.inf)
    before = trainer.model.score.weight.detach().clone()
    with pytest.raises(NonFiniteError, match=r"the gradient became (nan|inf) at step 1: there is no checkpoint yet"):
        trainer.train()
    assert torch.equal(trainer.model.score.weight, before)


def test_checkpoints_hold_no_pickled_arguments_and_only_the_newest_and_the_best_stay(
    base: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(tmp_path, base, save_steps=1, eval_steps=1, max_steps=5)
    trainer = trainer_of(recipe, load(base), pairs_of(40), tmp_path / "out", eval_dataset=pairs_of(8, seed=1))
    trainer.train()
    kept = checkpoints.complete(tmp_path / "out")
    assert set(kept) == {trainer.state.best_global_step, 5}
    losses = {entry["step"]: entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry}
    assert trainer.state.best_global_step == min(losses, key=lambda step: losses[step])
    assert checkpoints.best_step(kept[5]) == trainer.state.best_global_step
    assert not list((tmp_path / "out").rglob("training_args.bin"))
    assert not list((tmp_path / "out").rglob("README.md"))

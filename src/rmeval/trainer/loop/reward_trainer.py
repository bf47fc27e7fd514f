"""TRL's ``RewardTrainer``, with what it leaves open: batches by length, exact means, whole checkpoints, a stop at NaN.

The loss is that of TRL, the mean over pairs of ``-log sigmoid(r(chosen) - r(rejected))``, with margin and centring
(Eisenstein et al., 2023, arXiv 2312.09244, Eq. 2) if asked for. The training loop, the optimizer and the resumption are
those of transformers' ``Trainer``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import EvalPrediction, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer

from rmeval.errors import RmevalError
from rmeval.eval.models.folder import ADAPTER_WEIGHTS
from rmeval.trainer.data.batches import PairBatches
from rmeval.trainer.loop import checkpoints
from rmeval.trainer.loop.launched import launched
from rmeval.trainer.loop.metrics import pair_metrics

__all__ = ["NonFiniteError", "PairTrainer", "Reporter"]


class NonFiniteError(RmevalError):
    """The loss or its gradient is NaN or infinite; the weights are those of before the step."""


class PairTrainer(RewardTrainer):
    """Trains with batches of ``PairBatches``.

    Args:
        batches: which pairs make a step; of the training set's lengths.
        arguments: those of ``RewardTrainer``, the data sets already encoded.
    """

    loss_is_scaled_for_ga = True  # compute_loss has divided by the pairs of the whole step.

    def __init__(self, *, batches: PairBatches, args: RewardConfig, train_dataset: Dataset, **arguments: Any) -> None:
        super().__init__(
            args=args,
            train_dataset=train_dataset,
            compute_metrics=_held_out_metrics,
            preprocess_logits_for_metrics=_rows_of_pairs,
            **arguments,
        )
        self._pairs, self._batches = train_dataset, batches
        self._centering: float | None = args.center_rewards_coefficient
        self._folder = Path(str(args.output_dir))
        self._sums = torch.zeros(3, device=self.args.device)
        """Wins, margins and pairs on this device since the last log."""
        self.add_callback(_Epochs(batches))
        self._adapter = _adapter_names(self.model)
        self._frozen = self._frozen_adapter() if launched().zero3 else {}

    def exact_trainable(self) -> int:
        """Make the parameters that training changes float32; return how many numbers they have.

        None is kept: FSDP makes sharded ones of them, and who still holds an original holds all of its memory.
        """
        assert self.model is not None  # noqa: S101 - it was given one
        count = 0
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()  # bfloat16 would swallow small steps.
                count += parameter.numel()
        return count

    # --- what is run together -----------------------------------------------------------------------------------

    def get_train_dataloader(self) -> torch.utils.data.DataLoader[Any]:
        """Return the batches; accelerate gives each device its share."""
        loader = torch.utils.data.DataLoader(
            self._pairs,
            batch_sampler=self._batches,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        prepared: torch.utils.data.DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    # --- exact means --------------------------------------------------------------------------------------------

    def get_batch_samples(self, *arguments: Any, **options: Any) -> tuple[list[Any], torch.Tensor]:
        """Return the batches of a step and its pairs, counted over all devices."""
        samples, _ = super().get_batch_samples(*arguments, **options)
        pairs = sum(batch["input_ids"].shape[0] // 2 for batch in samples)
        return samples, self.accelerator.gather(torch.tensor([pairs], device=self.args.device)).sum()

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the Bradley–Terry loss of a batch: its sum over pairs, divided by the pairs of the step.

        Over the batches and devices of a step these add up to the mean over its pairs, and so do their gradients,
        though batches differ in size. TRL's own is the mean of a batch, and takes batches of one size only.
        """
        margin = inputs.pop("margin", 0.0)
        outputs = model(**inputs, use_cache=False)
        chosen, rejected = outputs.logits.float().squeeze(-1).chunk(2)
        losses = -torch.nn.functional.logsigmoid(chosen - rejected - margin)
        if self._centering is not None:
            losses = losses + self._centering * (chosen + rejected) ** 2
        if num_items_in_batch is None:
            loss = losses.mean()
        else:  # Gradients are averaged over devices.
            loss = losses.sum() * self.accelerator.num_processes / num_items_in_batch
            differences = (chosen - rejected).detach()
            wins = (differences > 0).sum()
            self._sums += torch.stack([wins, differences.sum(), torch.tensor(len(chosen), device=wins.device)])
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log; while training also accuracy and margin of the pairs since the last time."""
        if "loss" in logs:
            wins, margin, pairs = self.accelerator.gather(self._sums[None]).sum(dim=0).tolist()
            logs |= {"accuracy": wins / pairs, "margin": margin / pairs}
            self._sums.zero_()
        super().log(logs, start_time)

    # --- a stop at NaN ------------------------------------------------------------------------------------------

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        """Run forward and backward on a batch.

        Raises:
            NonFiniteError: if its loss is NaN or infinite.
        """
        loss: torch.Tensor = super().training_step(*arguments, **options)
        if not torch.isfinite(loss):
            raise self._non_finite("loss", loss.item())
        return loss

    def _get_grad_norm(self, *arguments: Any, **options: Any) -> Any:
        norm = super()._get_grad_norm(*arguments, **options)
        if not np.isfinite(float(norm)):  # Before the optimizer spoils the weights with it.
            raise self._non_finite("gradient", float(norm))
        return norm

    def _non_finite(self, what: str, value: float) -> NonFiniteError:
        last = checkpoints.last_complete(self._folder)
        kept = f"the last good checkpoint is {last}" if last is not None else "there is no checkpoint yet"
        return NonFiniteError(
            f"the {what} became {value} at step {self.state.global_step + 1}: {kept}; start anew in another "
            "--output-dir with a lower learning_rate or with bf16=false"
        )

    # --- whole checkpoints --------------------------------------------------------------------------------------

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        super()._save_checkpoint(*arguments, **options)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            step = self.state.global_step
            checkpoints.seal(checkpoints.checkpoint(self._folder, step))
            checkpoints.prune(self._folder, keep={step, self.state.best_global_step})

    def _save(self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None) -> None:
        super()._save(output_dir, state_dict)
        if self._adapter and state_dict is not None and self.args.should_save:
            # Gathered from all devices. peft goes by the names of modules, which FSDP's activation checkpointing has
            # changed: it leaves out the adapters of every layer.
            weights = self._frozen | state_dict
            adapter = {name: weights[source].contiguous() for name, source in self._adapter.items()}
            save_file(adapter, Path(output_dir or self._folder) / ADAPTER_WEIGHTS, metadata={"format": "pt"})

    def _frozen_adapter(self) -> dict[str, torch.Tensor]:
        """Return what peft writes of weights that do not train (embeddings with new rows): ZeRO-3 gathers none."""
        assert self.model is not None  # noqa: S101 - it was given one
        sources, first = set(self._adapter.values()), self.args.should_save
        weights = self.model.named_parameters() if first else ()
        return {name: each.detach().clone() for name, each in weights if name in sources and not each.requires_grad}

    def create_model_card(self, *arguments: Any, **options: Any) -> None:
        """Write none: the card is written once, with the results."""

    def _send_telemetry(self) -> None:
        """Send none."""


class Reporter(TrainerCallback):
    """Tells the caller how far training is, and what was measured."""

    def __init__(self, progress: Callable[[int, int], None] | None, note: Callable[[str], None] | None) -> None:
        self._progress, self._note = progress, note

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        """Report the step."""
        if self._progress:
            self._progress(state.global_step, state.max_steps)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        """Report the held-out metrics."""
        metrics = rest["metrics"]
        if self._note and "eval_accuracy" in metrics:
            self._note(
                f"step {state.global_step} of {state.max_steps}: held-out loss {metrics['eval_loss']:.4f}, "
                f"accuracy {metrics['eval_accuracy']:.1%}, calibration error {metrics['eval_ece']:.3f}"
            )


class _Epochs(TrainerCallback):
    """Tells the batches which epoch begins; accelerate does not pass it on where it skips batches."""

    def __init__(self, batches: PairBatches) -> None:
        self._batches = batches

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        """Draw the batches of this epoch."""
        self._batches.set_epoch(int(state.epoch or 0))


def _adapter_names(model: torch.nn.Module | None) -> dict[str, str]:
    """Return what peft calls the weights of an adapter in its file, and what the model does; empty without adapters."""
    if not isinstance(model, PeftModel):
        return {}
    names = list(model.state_dict())
    numbered = {name: torch.tensor(number) for number, name in enumerate(names)}
    return {name: names[int(number)] for name, number in get_peft_model_state_dict(model, numbered).items()}


def _rows_of_pairs(logits: torch.Tensor, labels: object) -> torch.Tensor:
    """Turn logits, first all chosen and then all rejected, into float32 of shape (pairs, 2)."""
    return torch.stack(logits.float().squeeze(-1).chunk(2), dim=1)


def _held_out_metrics(prediction: EvalPrediction) -> dict[str, float]:
    scores = np.asarray(prediction.predictions, dtype=np.float64)
    return pair_metrics(scores[:, 0] - scores[:, 1])

"""A recipe: everything that decides how a reward model is trained, in one typed file.

Keys are those of TRL's ``RewardConfig`` and transformers' ``TrainingArguments`` where these have one. A recipe says
nothing of the machine: the same one runs on a CPU and on a cluster, with the same batch of pairs a step.
"""

from __future__ import annotations

from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Lora", "Recipe"]


class _Strict(BaseModel):
    """A key's docstring says what it means and, in a second paragraph, why its default is what it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Lora(_Strict):
    """Low-rank adapters (Hu et al., 2021, arXiv 2106.09685); the keys are peft's ``LoraConfig``'s.

    There is no dropout: TRL turns all of a reward model's off, so that chosen and rejected are compared by one model.
    """

    r: int = Field(default=16, gt=0)
    """Rank of the adapters.

    Twice peft's own, for a small model; the recipe that ships for 7 billion weights has 64."""
    lora_alpha: int = Field(default=32, gt=0)
    """The adapters' output is scaled by ``lora_alpha / r``.

    Twice the default rank; with another ``r``, change it along."""
    target_modules: str | tuple[str, ...] = "all-linear"
    """Names of the layers that get adapters, or an expression for whole names. The head is always trained whole.

    Needs no names, which differ from model to model."""


class Recipe(_Strict):
    """How to train; the defaults are those of a small model on a few thousand pairs."""

    description: str = ""
    """One line for ``rmeval list recipes`` and the model card.

    Nothing is computed from it."""

    # --- the model ---
    model_name_or_path: str
    """Hub id or folder of the base model."""
    model_revision: str | None = None
    """Branch, tag or commit of a Hub model.

    The Hub's default branch. Name a commit to repeat a training later."""
    from_scratch: bool = False
    """Draw all weights at random, with ``seed``; the model's folder then needs its configuration and tokenizer only.

    A reward model begins with what a language model has learned."""
    chat_template_path: str | None = None
    """File of a Jinja chat template; null for the tokenizer's own.

    The text that the base model knows."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What the weights are kept and updated in. ``bf16`` says what is computed in.

    In bfloat16 an update that is small beside its weight is rounded away."""
    attn_implementation: str | None = None
    """``flash_attention_2``, ``sdpa``, …; null for transformers' choice, which also stands in where that is missing.

    transformers knows what the model and the hardware can do."""
    pad_token: str | None = Field(default=None, min_length=1)
    """The padding token, added where the vocabulary lacks it. null: the tokenizer's own, unless that is its EOS token
    (which would hide the end of an answer from the model); then ``[PAD]``.

    Right for any tokenizer; the recipes that ship name theirs to be explicit."""
    head_init_std: float | None = Field(default=None, gt=0)
    """Standard deviation of a new head's normal weights; null for ``1 / sqrt(hidden_size + 1)``.

    Scores begin in a similar range for every width of model."""
    lora: Lora | None = None
    """Train low-rank adapters, with the keys ``lora.…``; null to train all weights.

    As RM-Mistral-7B was trained; adapters are for models whose optimizer state does not fit."""

    # --- the data ---
    dataset_name: str
    """A folder written by ``rmeval prepare``, a file of pairs, or a Hub id."""
    dataset_revision: str | None = None
    """Branch, tag or commit of a Hub data set.

    The Hub's default branch. Name a commit to repeat a training later."""
    dataset_train_split: str | None = None
    """The split that trains; null for the only split, or ``train``.

    What nearly all data sets call it."""
    dataset_test_split: str | None = None
    """The split of held-out pairs; null for ``test`` where there is one.

    What ``rmeval prepare`` and most data sets call it."""
    held_out: int | float = Field(default=0.1, ge=0)
    """Where there is no split of held-out pairs: the share of prompts (a fraction below 1), or the number of pairs a
    subset (a whole number), that is held out; 0 for none. One half chooses the best checkpoint, the other is reported.

    Of a few thousand pairs a tenth leaves a hundred or more to report; of fewer, hold out more."""
    report_datasets: tuple[str, ...] = ()
    """More pairs, files or Hub ids, each scored once when training is over.

    The held-out pairs are always reported."""
    max_train_samples: int | None = Field(default=None, gt=0)
    """At most so many pairs, drawn by hash.

    All pairs train."""
    max_eval_samples: int | None = Field(default=None, gt=0)
    """At most so many pairs choose the best checkpoint, drawn by hash; all of the other half are reported.

    All of that half choose. Set it where scoring them takes long beside training."""
    max_length: int = Field(default=4096, gt=0)
    """Tokens. A longer conversation loses its beginning, as in scoring; no pair is dropped.

    RM-Mistral-7B's, and the most that scoring reads unless told otherwise."""

    # --- the loss ---
    margin: bool = False
    """Ask for a margin: the column ``margin`` as it is, else the rank, from 0 to 1, of the difference of the pair's two
    scores among those of its source; 0 where a source has neither.

    The loss of RM-Mistral-7B has none."""
    center_rewards_coefficient: float | None = Field(default=None, gt=0)
    """Weight of a term that draws the mean of a pair's two scores to 0.

    Plain Bradley-Terry; TRL recommends 0.01 to those who want it."""

    # --- the optimizer ---
    num_train_epochs: float = Field(default=1.0, gt=0)
    """How often each pair comes.

    As RM-Mistral-7B."""
    max_steps: int = -1
    """Stop after so many steps, whatever ``num_train_epochs`` says; -1 for whole epochs.

    ``num_train_epochs`` counts."""
    learning_rate: float = Field(default=1e-5, gt=0)
    """The largest step, which is reached when the warm-up ends.

    Between the 5e-6 of RM-Mistral-7B and the 5e-5 of the recipe for SmolLM2's 135 million weights. The recipe with
    LoRA has 1e-4."""
    lr_scheduler_type: str = "cosine"
    """How the learning rate falls, by transformers' name: ``cosine``, ``linear``, ``constant_with_warmup``, …

    As RM-Mistral-7B."""
    warmup_steps: float = Field(default=0.03, ge=0)
    """Steps of warm-up; below 1, their share of all steps (which older releases call ``warmup_ratio``).

    As RM-Mistral-7B."""
    weight_decay: float = Field(default=0.0, ge=0)
    """How strongly weights are drawn to 0.

    TRL's own; RM-Mistral-7B has 0.001."""
    max_grad_norm: float = Field(default=1.0, ge=0)
    """A longer gradient is shortened to this length; 0 leaves it as it is.

    TRL's own."""
    adam_beta1: float = Field(default=0.9, ge=0, lt=1)
    """Of Adam: how much of the mean gradient is kept from step to step.

    TRL's own."""
    adam_beta2: float = Field(default=0.999, ge=0, lt=1)
    """Of Adam: how much of the mean squared gradient is kept from step to step.

    TRL's own."""
    adam_epsilon: float = Field(default=1e-8, gt=0)
    """Of Adam: added to what a step is divided by.

    TRL's own."""
    optim: str = "adamw_torch_fused"
    """The optimizer, by transformers' name. A paged AdamW falls back to ``adamw_torch_fused`` where the hardware or
    bitsandbytes is not to be had.

    TRL's own; needs no package, on a CPU or a GPU."""
    global_batch_size: int = Field(default=64, gt=0)
    """Pairs a step, over all devices and accumulation steps: a multiple of ``per_device_train_batch_size`` times the
    number of devices.

    An eighth of RM-Mistral-7B's 512, of which a few thousand pairs make too few steps."""
    per_device_train_batch_size: int = Field(default=8, gt=0)
    """Pairs in memory at a time. Changes memory and speed, not what a step is made of.

    TRL's own."""
    per_device_eval_batch_size: int = Field(default=8, gt=0)
    """Held-out pairs in memory at a time.

    TRL's own."""
    bf16: bool = False
    """Compute in bfloat16; weights, gradients and optimizer state stay what ``dtype`` says.

    Runs everywhere, and on a CPU a training that was stopped ends with the same weights, bit for bit. Turn it on where
    the hardware computes in bfloat16."""
    gradient_checkpointing: bool = False
    """Keep the input of each layer only, and compute the rest again for the gradient.

    Takes another forward pass; turn it on where memory does not suffice."""
    use_cpu: bool = False
    """Train on the CPU although there is a GPU.

    A GPU is there to be used."""
    seed: int = Field(default=42, ge=0, lt=2**32)
    """Of the head, the order of the pairs and the split.

    TRL's own, and that of RM-Mistral-7B's shuffle."""

    # --- while training ---
    logging_steps: int = Field(default=10, gt=0)
    """A point of the curves every so many steps.

    TRL's own."""
    save_steps: int = Field(default=50, gt=0)
    """A checkpoint every so many steps.

    What a stop may lose at most. TRL's 500 are more steps than a few thousand pairs
    make."""
    eval_steps: int = Field(default=50, gt=0)
    """Held-out pairs are scored every so many steps; a multiple of ``save_steps``.

    Every checkpoint may be the best."""
    metric_for_best_model: Literal["loss", "accuracy"] = "loss"
    """What chooses the best checkpoint, on held-out pairs that are not the reported ones.

    Of few pairs the loss moves with every score, accuracy only where a decision changes."""
    eval_suite: str | None = None
    """A suite (``mini``, ``rewardbench``) to score at every evaluation; it chooses nothing.

    It takes time at every evaluation."""

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.eval_steps % self.save_steps:
            raise ValueError(
                f"eval_steps ({self.eval_steps}) is not a multiple of save_steps ({self.save_steps}): the best "
                "checkpoint is one that was evaluated"
            )
        if self.dtype == "bfloat16" and not self.bf16:
            raise ValueError("dtype is bfloat16 and bf16 is false: weights in bfloat16 are computed with in bfloat16")
        if isinstance(self.held_out, float) and self.held_out >= 1:
            raise ValueError("held_out is a fraction that is less than 1, or a whole number of pairs")
        if self.max_steps == 0 or self.max_steps < -1:
            raise ValueError("max_steps is a number of steps, or -1 for whole epochs")
        return self

    def to_yaml(self) -> str:
        """Return the recipe as YAML, with every key; ``recipe_files.load_recipe`` reads it back as the same recipe."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)

"""Tokens a second of training: rmeval's batches beside plain TRL, and beside TRL's grouping by length, in turn.

    python benchmarks/train.py MODEL DATASET [--pairs 64] [--rounds 3] [--bf16] …

All three train the same model on the same encoded pairs for one epoch, with the same optimizer, batch, checkpointing
and dtype; only which pairs share a batch differs. A token is a token of the data: padding is work, not a result. Prints
each one's tokens a second, how much it pads, and the ratio to plain TRL with its spread over the rounds, which are
interleaved.

``--from-scratch`` takes a folder with a configuration and a tokenizer only: a 7B-shaped model needs no download.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # TRL would send some.

import numpy as np
import torch
import transformers
from datasets import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback
from trl import RewardTrainer

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoder
from rmeval.data_prep.text.template import Template
from rmeval.trainer.data.batches import PairBatches
from rmeval.trainer.data.encoded import lengths, open_encoded, write_encoded
from rmeval.trainer.data.pairs import load_pairs
from rmeval.trainer.loop.arguments import lora_config, reward_config
from rmeval.trainer.loop.hardware import choose
from rmeval.trainer.loop.model import build_model, build_tokenizer, locate_base
from rmeval.trainer.loop.reward_trainer import PairTrainer
from rmeval.trainer.recipe import Recipe

WAYS = ("plain TRL", "TRL by length", "rmeval")


class Clock(TrainerCallback):  # type: ignore[misc]
    """Times the steps but for the first, which allocates and warms up, and counts the tokens and places of each."""

    def __init__(self) -> None:
        self.seconds, self.started = 0.0, 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Start after the first step; stop after each later one."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        if state.global_step == 1:
            self.started = now
        else:
            self.seconds = now - self.started


class Counter:
    """A collator that counts tokens and places of the batches after the first step."""

    def __init__(self, collate: Any, skip: int) -> None:
        self.collate, self.skip, self.tokens, self.places = collate, skip, 0, 0

    def __call__(self, pairs: list[dict[str, Any]]) -> dict[str, Any]:
        """Collate, and count."""
        batch: dict[str, Any] = self.collate(pairs)
        self.skip -= 1
        if self.skip < 0:
            self.tokens += int(batch["attention_mask"].sum())
            self.places += batch["input_ids"].numel()
        return batch


def main() -> None:
    """Parse, run, print."""
    arguments = parse()
    recipe = Recipe(
        model_name_or_path=arguments.model,
        from_scratch=arguments.from_scratch,
        dataset_name=arguments.dataset,
        held_out=0,
        max_train_samples=arguments.pairs,
        max_length=arguments.max_length,
        pad_token="[PAD]",  # noqa: S106 - not that kind of token
        dtype="bfloat16" if arguments.lora and arguments.bf16 else "float32",
        bf16=arguments.bf16,
        lora={"r": arguments.lora} if arguments.lora else None,
        gradient_checkpointing=arguments.gradient_checkpointing,
        attn_implementation=arguments.attn_implementation,
        global_batch_size=arguments.global_batch_size,
        per_device_train_batch_size=arguments.batch_size,
    )
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        pairs = encode(recipe, Path(folder))
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for number in range(arguments.rounds):
            for way in WAYS[number % 3 :] + WAYS[: number % 3]:
                found[way].append(run(way, recipe, pairs, Path(folder)))
                print(f"round {number + 1}, {way}: {found[way][-1][0]:,.0f} tokens/s", flush=True)
    report(recipe, pairs, found)


def encode(recipe: Recipe, folder: Path) -> Dataset:
    """Encode the pairs once, for all."""
    base = locate_base(recipe)
    tokenizer = build_tokenizer(base, recipe)
    template = Template(str(tokenizer.chat_template), "tokenizer")
    encoder = Encoder(tokenizer, template, recipe.max_length, int(tokenizer.pad_token_id))
    write_encoded(folder / "pairs.arrow", load_pairs(recipe).train, encoder, Audit())
    return open_encoded(folder / "pairs.arrow")


def run(way: str, recipe: Recipe, pairs: Dataset, folder: Path) -> tuple[float, float]:
    """Train one epoch; return tokens a second, and places a token (1 without padding)."""
    hardware = choose(recipe, 1)
    settings = reward_config(recipe, hardware, folder / "out")
    settings.eval_strategy = settings.save_strategy = "no"
    base = locate_base(recipe)
    tokenizer = build_tokenizer(base, recipe)
    model, _ = build_model(base, recipe, tokenizer, hardware.attn_implementation)
    data = pairs
    common = {"model": model, "processing_class": tokenizer, "peft_config": lora_config(recipe, model)}
    trainer: Trainer
    if way == "rmeval":
        batches = PairBatches(
            lengths(data),
            global_batch_size=recipe.global_batch_size,
            batch_size=recipe.per_device_train_batch_size,
            devices=1,
            seed=recipe.seed,
        )
        trainer = PairTrainer(batches=batches, args=settings, train_dataset=data, **common)
    else:
        if way == "TRL by length":
            settings.train_sampling_strategy = "group_by_length"
            settings.remove_unused_columns = False
            data = data.add_column("length", lengths(data).max(axis=1))
        trainer = RewardTrainer(args=settings, train_dataset=data, **common)
    trainer.remove_callback(PrinterCallback)
    clock, counter = Clock(), Counter(trainer.data_collator, hardware.gradient_accumulation_steps)
    trainer.data_collator = counter
    trainer.add_callback(clock)
    trainer.train()
    return counter.tokens / clock.seconds, counter.places / counter.tokens


def report(recipe: Recipe, pairs: Dataset, found: dict[str, list[tuple[float, float]]]) -> None:
    """Print what was found, and what it is of."""
    sizes = lengths(pairs)
    hardware = choose(recipe, 1)
    print(
        f"\n{len(pairs):,} pairs of {recipe.dataset_name}, {sizes.sum():,} tokens, mean {sizes.mean():.0f}, longest "
        f"{sizes.max():,}; {recipe.global_batch_size} pairs a step, {recipe.per_device_train_batch_size} a batch; "
        f"{'bfloat16' if recipe.bf16 else 'float32'}, checkpointing {hardware.gradient_checkpointing}, "
        f"{hardware.device}"
    )
    print(f"computing only once what a pair shares would save {shared(pairs) / sizes.sum():.1%} of the tokens")
    plain = [speed for speed, _ in found[WAYS[0]]]
    for way, rounds in found.items():
        speeds = [speed for speed, _ in rounds]
        ratios = [speed / other for speed, other in zip(speeds, plain, strict=True)]
        print(
            f"{way:14} {statistics.median(speeds):9,.0f} tokens/s   {rounds[0][1]:.2f} places a token   "
            f"{statistics.median(ratios):.2f}x plain ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    if torch.cuda.is_available():
        print(f"most memory in use: {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
    print(f"model FLOP/s of rmeval, at 6 a token and weight: {flops(recipe, found) / 1e12:.2f} TFLOP/s")


def shared(pairs: Dataset) -> int:
    """Return the tokens in which chosen and rejected begin alike, over all pairs."""
    total = 0
    for pair in pairs:
        chosen, rejected = np.array(pair["chosen_ids"]), np.array(pair["rejected_ids"])
        least = min(len(chosen), len(rejected))
        differ = np.flatnonzero(chosen[:least] != rejected[:least])
        total += int(differ[0]) if len(differ) else least
    return total


def flops(recipe: Recipe, found: dict[str, list[tuple[float, float]]]) -> float:
    """Return the model's floating point operations a second: forward and backward, embeddings left out.

    With LoRA the weights' own gradients are not computed: 4 operations a token and weight, not 6.
    """
    base = locate_base(recipe)
    with torch.device("meta"):
        config = transformers.AutoConfig.from_pretrained(base.path, num_labels=1)
        model = transformers.AutoModelForSequenceClassification.from_config(config)
    weights = model.num_parameters() - model.get_input_embeddings().weight.numel()
    return (4 if recipe.lora else 6) * weights * statistics.median(speed for speed, _ in found["rmeval"])


def parse() -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-length", type=int, default=1024)
    parser.add_argument("--global-batch-size", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--lora", type=int, default=0, metavar="RANK")
    parser.add_argument("--attn-implementation")
    for flag in ("--bf16", "--gradient-checkpointing", "--from-scratch"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()

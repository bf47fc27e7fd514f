"""One training, from its start or from where it was stopped, to the finished folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from transformers import PrinterCallback
from transformers.trainer_utils import IntervalStrategy
from trl.trainer.reward_config import RewardConfig

from rmeval.data_prep.text.audit import Audit
from rmeval.errors import RunError
from rmeval.eval.engine.kernels.allocator import keep_freed_memory
from rmeval.files import OutputFolder, room
from rmeval.trainer.data.batches import PairBatches
from rmeval.trainer.data.encoded import lengths, open_encoded, unreadable, write_encoded
from rmeval.trainer.data.pairs import load_pairs, without
from rmeval.trainer.loop import checkpoints
from rmeval.trainer.loop.arguments import lora_config, reward_config
from rmeval.trainer.loop.hardware import choose
from rmeval.trainer.loop.launched import launched
from rmeval.trainer.loop.model import build_encoder, build_model, build_tokenizer, locate_base
from rmeval.trainer.loop.processes import by_the_first
from rmeval.trainer.loop.quiet import quiet
from rmeval.trainer.loop.reward_trainer import PairTrainer, Reporter
from rmeval.trainer.loop.suite import SuiteCallback
from rmeval.trainer.loop.zero import load_whole, read_as_data
from rmeval.trainer.recipe import Recipe
from rmeval.trainer.results.finish import Learned, Training, TrainingData, finish, scoring_options
from rmeval.trainer.results.folder import Output, Started
from rmeval.trainer.results.held_out import overlaps
from rmeval.trainer.results.outputs import merge_shards
from rmeval.trainer.trained import Trained
from rmeval.training_info import Tokens
from rmeval.types import Progress

__all__ = ["run"]

Note = Callable[[str], None] | None


def run(
    recipe: Recipe,
    output_dir: Path,
    *,
    overwrite: bool,
    command: Sequence[str],
    progress: Progress | None,
    note: Note,
) -> Trained | None:
    """Carry out a recipe; see ``rmeval.trainer.train.train``."""
    begun = time.perf_counter()
    output = Output(output_dir)
    hardware = choose(recipe, devices=int(os.environ.get("WORLD_SIZE", "1")))
    if hardware.use_cpu:
        keep_freed_memory()
    with quiet(), room(output.path), ExitStack() as stack:
        arguments = reward_config(recipe, hardware, output.checkpoints)
        first = arguments.process_index == 0

        def begin() -> tuple[OutputFolder, Training, TrainingData]:
            """Hold the folder and prepare the data: what the first process does for all."""
            folder = stack.enter_context(output.hold(overwrite=overwrite))
            job = Training(recipe, output, locate_base(recipe), hardware, command, begun, progress, note)
            return folder, job, _prepare(job, folder, overwrite)

        begun_here = by_the_first(first, begin)
        if not (output.checkpoints / "train.arrow").exists():
            raise RunError(f"{output.path} is not the first process's: give a folder that all machines share")
        if begun_here is None:
            _learn(Training(recipe, output, locate_base(recipe), hardware), arguments)
            return None
        folder, job, prepared = begun_here
        record = finish(job, folder, prepared, _learn(job, arguments))
    return Trained(output.path, record)


def _prepare(job: Training, folder: OutputFolder, overwrite: bool) -> TrainingData:
    """Read, divide and encode the pairs; the first process does it for all."""
    output, recipe, base, progress, note = job.output, job.recipe, job.base, job.progress, job.note
    started: Started = {"recipe": recipe.model_dump(mode="json"), "model": base.fingerprint}
    resume = output.resumes(started, overwrite=overwrite)
    pairs = load_pairs(recipe, progress)
    if note:
        for warning in pairs.record.warnings:
            note(f"warning: {warning}")
    started["data"] = pairs.record.fingerprint
    output.begin(folder, started, resume=resume and output.resumes(started, overwrite=overwrite))
    checkpoints.drop_incomplete(output.checkpoints)
    load_whole()
    # The encoder keeps a tokenizer of its own: it changes its truncation, which is saved with a tokenizer.
    encoder = build_encoder(base, recipe, build_tokenizer(base, recipe))
    train, selection = Audit(), Audit()
    file = output.checkpoints / "train.arrow"
    lost = write_encoded(file, pairs.train, encoder, train, margins=pairs.margins, progress=progress)
    missed = write_encoded(
        output.checkpoints / "selection.arrow", pairs.selection, encoder, selection, progress=progress
    )
    before, pairs = pairs, without(pairs, lost, missed, unreadable(pairs.report, encoder))
    if note:
        for why, count in pairs.record.dropped.items() - before.record.dropped.items():
            note(f"warning: left out {count:,} pairs: {why}")
    truncated = sum(finding.count for finding in train.findings() if finding.code == "truncated")
    train.merge(selection)
    shared = overlaps(recipe.report_datasets, pairs.train)
    return TrainingData(pairs, shared, (*pairs.findings, *train.findings()), truncated)


def _learn(job: Training, arguments: RewardConfig) -> Learned:
    """Train, from the last whole checkpoint if there is one; all processes do."""
    output, recipe, base, hardware, note = job.output, job.recipe, job.base, job.hardware, job.note
    train, selection = (open_encoded(output.checkpoints / f"{name}.arrow") for name in ("train", "selection"))
    sizes = lengths(train)
    batches = PairBatches(
        sizes,
        global_batch_size=recipe.global_batch_size,
        batch_size=recipe.per_device_train_batch_size,
        devices=hardware.devices,
        seed=recipe.seed,
    )
    tokenizer = build_tokenizer(base, recipe)
    load_whole()
    model, record = build_model(base, recipe, tokenizer, hardware.attn_implementation)
    if not len(selection):
        arguments.eval_strategy = IntervalStrategy.NO
    trainer = PairTrainer(
        batches=batches,
        model=model,
        args=arguments,
        train_dataset=train,
        # Read in order: neighbours of one length need no padding.
        eval_dataset=selection.select(np.argsort(lengths(selection).max(axis=1))) if len(selection) else None,
        processing_class=tokenizer,
        peft_config=lora_config(recipe, model),
    )
    load_whole()
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Reporter(job.progress, note))
    if recipe.eval_suite is not None:
        trainer.add_callback(
            SuiteCallback(recipe.eval_suite, output.checkpoints, recipe.eval_steps, scoring_options(hardware), note)
        )
    last = checkpoints.last_complete(output.checkpoints)
    if last is not None and note:
        note(f"going on from {last}")
    trainable = record.trainable if recipe.lora is None else trainer.exact_trainable()
    if last is None or not checkpoints.is_over(last):
        with read_as_data(last):
            trainer.train(resume_from_checkpoint=None if last is None else str(last))
    trainer.accelerator.wait_for_everyone()
    last, best = checkpoints.best(output.checkpoints)
    if launched().sharded:
        merge_shards(output, best)
    tokens = Tokens(int(sizes.sum()), batches.padded_tokens(), 0)
    return Learned(replace(record, trainable=trainable), tokens, checkpoints.steps(last))

"""One training, from its start or from where it was stopped, to the finished folder."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PrinterCallback
from transformers.trainer_utils import IntervalStrategy
from trl.trainer.reward_config import RewardConfig

from rmeval.data_prep.audit import Audit
from rmeval.data_prep.encode import Encoder
from rmeval.data_prep.template import load_template
from rmeval.errors import RunError
from rmeval.eval.engine.allocator import keep_freed_memory
from rmeval.eval.environment import environment
from rmeval.eval.scorers.folder import ModelFolder
from rmeval.eval.scorers.options import ModelOptions
from rmeval.files import OutputFolder, replacing, room, write_text
from rmeval.trainer import checkpoints
from rmeval.trainer.arguments import lora_config, reward_config
from rmeval.trainer.batches import PairBatches
from rmeval.trainer.card import model_card
from rmeval.trainer.curves import Curves, curves_of, draw
from rmeval.trainer.data import TrainingPairs, load_pairs, without
from rmeval.trainer.encoded import lengths, open_encoded, unreadable, write_encoded
from rmeval.trainer.folder import ABOUT, Output
from rmeval.trainer.hardware import Hardware, choose
from rmeval.trainer.launched import launched
from rmeval.trainer.model import ModelRecord, build_model, build_tokenizer, locate_base
from rmeval.trainer.outputs import merge_shards, write_model
from rmeval.trainer.processes import by_the_first
from rmeval.trainer.quiet import quiet
from rmeval.trainer.recipe import Recipe
from rmeval.trainer.record import SCHEMA_VERSION, Tokens, TrainingRecord, read_licences
from rmeval.trainer.report import overlaps, report
from rmeval.trainer.reward_trainer import PairTrainer, Reporter
from rmeval.trainer.suite import SuiteCallback, check_suite, read_suite
from rmeval.trainer.train import Trained
from rmeval.types import Finding, Progress

__all__ = ["run"]

Note = Callable[[str], None] | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What the first process knows of the data."""

    pairs: TrainingPairs
    overlaps: dict[str, int]
    """Data set to report -> pairs of it whose prompt trains."""
    findings: tuple[Finding, ...]
    truncated: int
    """Conversations of the training pairs that lost their beginning."""


@dataclass(frozen=True, slots=True)
class _Learned:
    """What is left of the training when the trainer is gone."""

    model: ModelRecord
    tokens: Tokens
    steps: int


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
    if recipe.eval_suite is not None:
        check_suite(recipe.eval_suite)
    hardware = choose(recipe, devices=int(os.environ.get("WORLD_SIZE", "1")))
    if hardware.use_cpu:
        keep_freed_memory()
    with quiet(), room(output.path), ExitStack() as stack:
        arguments = reward_config(recipe, hardware, output.checkpoints)
        first = arguments.process_index == 0

        def begin() -> tuple[OutputFolder, ModelFolder, _Prepared]:
            folder = stack.enter_context(output.hold(overwrite=overwrite))
            base = locate_base(recipe)
            return folder, base, _prepare(output, folder, recipe, base, overwrite, progress, note)

        begun_here = by_the_first(first, begin)
        if not (output.checkpoints / "train.arrow").exists():
            raise RunError(f"{output.path} is not the first process's: give a folder that all machines share")
        base = locate_base(recipe) if begun_here is None else begun_here[1]
        learned = _learn(
            output, recipe, base, hardware, arguments, progress if first else None, note if first else None
        )
        if begun_here is None:
            return None
        folder, _, prepared = begun_here
        record = _finish(output, folder, recipe, base, hardware, prepared, learned, command, begun, progress, note)
    return Trained(output.path, record.to_json())


def _prepare(
    output: Output,
    folder: OutputFolder,
    recipe: Recipe,
    base: ModelFolder,
    overwrite: bool,
    progress: Progress | None,
    note: Note,
) -> _Prepared:
    """Read, divide and encode the pairs; the first process does it for all."""
    started: dict[str, Any] = {"recipe": recipe.model_dump(mode="json"), "model": base.fingerprint}
    resume = output.resumes(started, overwrite=overwrite)
    pairs = load_pairs(recipe, progress)
    if note:
        for warning in pairs.record.warnings:
            note(f"warning: {warning}")
    started |= {"data": pairs.record.fingerprint}
    output.begin(folder, started, resume=resume and output.resumes(started, overwrite=overwrite))
    checkpoints.drop_incomplete(output.checkpoints)
    tokenizer = build_tokenizer(base, recipe)
    pad = int(tokenizer.pad_token_id)
    # The encoder keeps a tokenizer of its own: it changes its truncation, which is saved with a tokenizer.
    encoder = Encoder(tokenizer, load_template(tokenizer), recipe.max_length, pad)
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
    return _Prepared(pairs, shared, (*pairs.findings, *train.findings()), truncated)


def _learn(
    output: Output,
    recipe: Recipe,
    base: ModelFolder,
    hardware: Hardware,
    arguments: RewardConfig,
    progress: Progress | None,
    note: Note,
) -> _Learned:
    """Train, from the last whole checkpoint if there is one; all processes do."""
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
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Reporter(progress, note))
    if recipe.eval_suite is not None:
        trainer.add_callback(
            SuiteCallback(recipe.eval_suite, output.checkpoints, recipe.eval_steps, _options(hardware), note)
        )
    last = checkpoints.last_complete(output.checkpoints)
    if last is not None and note:
        note(f"going on from {last}")
    trainable = record.trainable if recipe.lora is None else trainer.exact_trainable()
    if last is None or not checkpoints.is_over(last):
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    trainer.accelerator.wait_for_everyone()
    last, best = checkpoints.best(output.checkpoints)
    if launched().sharded:
        merge_shards(output, best)
    tokens = Tokens(int(sizes.sum()), batches.padded_tokens(), 0)
    return _Learned(replace(record, trainable=trainable), tokens, checkpoints.steps(last))


def _finish(
    output: Output,
    folder: OutputFolder,
    recipe: Recipe,
    base: ModelFolder,
    hardware: Hardware,
    prepared: _Prepared,
    learned: _Learned,
    command: Sequence[str],
    begun: float,
    progress: Progress | None,
    note: Note,
) -> TrainingRecord:
    """Write the model, score it once on what it has not seen, and write down everything."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    last, best = checkpoints.best(output.checkpoints)
    step = checkpoints.best_step(last)
    write_model(output, folder, best, recipe, base, build_tokenizer(base, recipe))
    pairs = prepared.pairs
    results = report(
        folder,
        pairs.report,
        prepared.overlaps,
        _options(hardware),
        progress=progress,
        note=note,
    )
    history = checkpoints.history(last)
    folder.claim(ABOUT)
    record = TrainingRecord(
        schema_version=SCHEMA_VERSION,
        rmeval_version=metadata.version("rmeval"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=tuple(command),
        recipe=recipe.model_dump(mode="json"),
        hardware=hardware,
        model=learned.model,
        data=pairs.record,
        licences=read_licences(recipe.dataset_name),
        findings=prepared.findings,
        tokens=replace(learned.tokens, truncated=prepared.truncated),
        steps=learned.steps,
        best_step=step,
        best_metrics=_metrics_at(history, step),
        results=tuple(results),
        curves=curves_of(history, read_suite(output.checkpoints)),
        files=tuple(sorted(folder.owned - {output.checkpoints.name})),
        seconds=time.perf_counter() - begun,
        environment=_environment(),
    )
    _write_record(output, recipe, record)
    return record


def _write_record(output: Output, recipe: Recipe, record: TrainingRecord) -> None:
    """Write recipe, curves, card and, as the last, the record; then what was needed to go on may go."""
    try:
        write_text(output.path / "recipe.yaml", recipe.to_yaml())
        with replacing(output.path / "curves.png") as temporary:
            draw(record.curves, temporary, record.best_step)
        write_text(output.path / "README.md", model_card(record, recipe, output.path.resolve().name))
        write_text(output.record, json.dumps(record.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        output.clear()
    except OSError as error:
        raise RunError(f"cannot write to {output.path}: {error.strerror or error}") from None


def _options(hardware: Hardware) -> ModelOptions:
    return ModelOptions(device="cpu" if hardware.use_cpu else "auto", cache=False)


def _metrics_at(history: Sequence[dict[str, float]], step: int | None) -> dict[str, float]:
    """Return what held-out pairs gave at a step."""
    curves: Curves = curves_of([entry for entry in history if entry["step"] == step])
    return {name: points[-1][1] for name, points in curves.items() if name.startswith("held_out_")}


def _environment() -> dict[str, str | int | float | None]:
    return environment() | {name: metadata.version(name) for name in ("trl", "accelerate", "peft")}

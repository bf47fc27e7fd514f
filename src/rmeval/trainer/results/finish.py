"""What is written when training is over: the model, what it reaches, and the record of it all."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata

import torch

from rmeval.errors import RunError
from rmeval.eval.environment import environment
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.folder import ModelFolder
from rmeval.files import OutputFolder, replacing, write_text
from rmeval.trainer.data.pairs import TrainingPairs
from rmeval.trainer.loop import checkpoints
from rmeval.trainer.loop.model import build_tokenizer
from rmeval.trainer.loop.suite import read_suite
from rmeval.trainer.recipe import Recipe
from rmeval.trainer.results.card import model_card
from rmeval.trainer.results.curves import curves_of, draw
from rmeval.trainer.results.folder import ABOUT, Output
from rmeval.trainer.results.held_out import report
from rmeval.trainer.results.licences import read_licences
from rmeval.trainer.results.outputs import write_model
from rmeval.training_info import SCHEMA_VERSION, Curves, Hardware, ModelRecord, Tokens, TrainingRecord
from rmeval.types import Finding, Progress

__all__ = ["Learned", "Training", "TrainingData", "finish", "scoring_options"]


@dataclass(frozen=True, slots=True)
class Training:
    """One training, as one of its processes knows it."""

    recipe: Recipe
    output: Output
    base: ModelFolder
    hardware: Hardware
    command: Sequence[str] = ()
    """What to record as the command that trained the model."""
    begun: float = 0.0
    """When it was started, on ``time.perf_counter``."""
    progress: Progress | None = None
    note: Callable[[str], None] | None = None
    """These two are the first process's."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What the first process knows of the data."""

    pairs: TrainingPairs
    overlaps: dict[str, int]
    """Data set to report -> pairs of it whose prompt trains."""
    findings: tuple[Finding, ...]
    truncated: int
    """Conversations of the training pairs that lost their beginning."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What is left of the training when the trainer is gone."""

    model: ModelRecord
    tokens: Tokens
    steps: int


def finish(job: Training, folder: OutputFolder, prepared: TrainingData, learned: Learned) -> TrainingRecord:
    """Write the model, score it once on what it has not seen, and write down everything."""
    output, recipe, hardware = job.output, job.recipe, job.hardware
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    last, best = checkpoints.best(output.checkpoints)
    step = checkpoints.best_step(last)
    write_model(output, folder, best, recipe, job.base, build_tokenizer(job.base, recipe))
    pairs = prepared.pairs
    results = report(
        folder,
        pairs.report,
        prepared.overlaps,
        scoring_options(hardware),
        progress=job.progress,
        note=job.note,
    )
    history = checkpoints.history(last)
    folder.claim(ABOUT)
    record = TrainingRecord(
        schema_version=SCHEMA_VERSION,
        rmeval_version=metadata.version("rmeval"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=tuple(job.command),
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
        seconds=time.perf_counter() - job.begun,
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


def scoring_options(hardware: Hardware) -> ModelOptions:
    """Return how a model is loaded to be scored where it was trained."""
    return ModelOptions(device="cpu" if hardware.use_cpu else "auto", cache=False)


def _metrics_at(history: Sequence[dict[str, float]], step: int | None) -> dict[str, float]:
    """Return what held-out pairs gave at a step."""
    curves: Curves = curves_of([entry for entry in history if entry["step"] == step])
    return {name: points[-1][1] for name, points in curves.items() if name.startswith("held_out_")}


def _environment() -> dict[str, str | int | float | None]:
    return environment() | {name: metadata.version(name) for name in ("trl", "accelerate", "peft")}

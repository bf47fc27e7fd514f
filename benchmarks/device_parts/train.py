"""Does it train, and how fast? Ten steps with adapters and ten of all weights, on one batch of pairs.

The project's own trainer is TRL's underneath. Where ``trl``, ``datasets`` or ``pydantic`` is missing, a plain loop of
the same loss (Bradley-Terry) stands for it: it says what the device can do, not what the trainer does, and the
trainer's own row has the reason why it is empty.
"""

from __future__ import annotations

import gc
import json
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.device_parts import lengths, models
from benchmarks.device_parts.report import Part, Row
from rmeval.bench.measure.ceiling import clock, matrix_rate
from rmeval.bench.measure.memory import Peak
from rmeval.bench.subjects.configured import shape_of
from rmeval.eval.models.loading import skeleton
from rmeval.trainer.data.batches import PairBatches

_WAYS = {"LoRA of 7b, plain loop": "7b", "all weights of 1b, plain loop": "1b"}
_TRAINER = "rmeval train of a tiny model: loss, last step / first"
_NEEDED = ("accelerate", "datasets", "peft", "pydantic", "trl")
_RANK, _STEPS, _SKIPPED = 64, 10, 2
"""The first steps, in which memory is taken and kernels are chosen, are not timed."""
_PAIRS, _EACH = 16, 4

ROWS = [
    *(
        row
        for way in _WAYS
        for row in (
            Row(f"{way}: speed", "tokens/s"),
            Row(f"{way}: share of the matrix rate (MFU)"),
            Row(f"{way}: peak memory on the device", "GiB"),
            Row(f"{way}: loss, last step / first", must=0.95, less=True),
        )
    ),
    Row(_TRAINER, must=1.0, less=True),
]


def run(part: Part) -> None:
    """Fill the rows."""
    dtype = "float32" if part.small else "bfloat16"
    rate = matrix_rate(dtype, torch.device(part.device), 0.01 if part.small else 0.15)
    for way, shape in _WAYS.items():
        part.need(1 if part.small else 25)
        part.attempt(_train, part, way, shape, rate)
        gc.collect()
    part.attempt(_own_trainer, part)


def _train(part: Part, way: str, shape: str, rate: float) -> None:
    if way.startswith("LoRA") and find_spec("peft") is None:
        for row in ROWS:
            if row.name.startswith(way):
                part.put(row.name, None, reason="needs peft")
        return
    device = torch.device(part.device)
    peak, now = Peak(device), clock(device)
    model = _model(part, shape, adapters=way.startswith("LoRA"))
    batches, tokens = _batches(part, shape, device)
    own = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(own, lr=1e-3 if part.small else 1e-4, fused=device.type == "cuda")
    losses, times = [], [now()]
    for _ in range(_STEPS):
        losses.append(_step(model, batches, optimizer, device))
        times.append(now())
    seconds = float(np.median(np.diff(times)[_SKIPPED:]))
    part.put(f"{way}: speed", tokens / seconds, tokens_a_step=tokens, seconds_a_step=seconds)
    # Forward and backward, without what checkpointing computes again; adapters leave the weights' own gradients out.
    factor = 4 if way.startswith("LoRA") else 6
    weights = shape_of(skeleton(shape, models.config(shape, small=part.small))).linear_weights or 0
    part.put(f"{way}: share of the matrix rate (MFU)", factor * weights * tokens / seconds / rate)
    memory = peak.on_device
    part.put(f"{way}: peak memory on the device", None if memory is None else memory / 2**30,
             reason="there is no device beside the processor" if memory is None else None)  # fmt: skip
    part.put(
        f"{way}: loss, last step / first", losses[-1] / losses[0], losses=losses, trained=sum(map(Tensor.numel, own))
    )


def _model(part: Part, shape: str, *, adapters: bool) -> nn.Module:
    """Build a model to train: bfloat16 below adapters in float32, else float32 that computes in bfloat16."""
    import transformers

    low = adapters and not part.small
    torch.manual_seed(0)
    with torch.device(part.device):
        model: Any = transformers.AutoModelForSequenceClassification.from_config(
            models.config(shape, small=part.small), dtype=torch.bfloat16 if low else torch.float32
        )
    model.config.use_cache = False
    if adapters:
        from peft import LoraConfig, get_peft_model

        rank = 4 if part.small else _RANK
        targets = LoraConfig(
            task_type="SEQ_CLS", r=rank, lora_alpha=rank, target_modules="all-linear", modules_to_save=["score"]
        )
        model = get_peft_model(model, targets)
        model.enable_input_require_grads()
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    trained: nn.Module = model.train()
    return trained


def _batches(part: Part, shape: str, device: torch.device) -> tuple[list[dict[str, Tensor]], int]:
    """Return one step's batches, chosen first and then rejected in each, and their tokens without padding."""
    configuration = models.config(shape, small=part.small)
    rows = lengths.read(part.lengths, _PAIRS)
    encoded = lengths.draw(rows, vocabulary=configuration.vocab_size, longest=128 if part.small else 2048)
    sizes = np.array([len(each.ids) for each in encoded]).reshape(-1, 2)
    plan = PairBatches(sizes, global_batch_size=_PAIRS, batch_size=_EACH, devices=1, seed=0)
    found = []
    for pairs in plan:
        ids = [encoded[2 * pair + side].ids for side in (0, 1) for pair in pairs]
        padded = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
        for place, row in enumerate(ids):
            padded[place, : len(row)] = row
        given = torch.from_numpy(padded).to(device)
        found.append({"input_ids": given, "attention_mask": (given != 0).long()})
    return found, int(sizes.sum())


def _step(
    model: nn.Module, batches: list[dict[str, Tensor]], optimizer: torch.optim.Optimizer, device: torch.device
) -> float:
    """Take a step; return the mean loss of its pairs before it."""
    total = 0.0
    low: Callable[[], Any] = nullcontext
    if device.type == "cuda":
        low = lambda: torch.autocast("cuda", torch.bfloat16)  # noqa: E731
    for batch in batches:
        with low():
            logits: Tensor = model(**batch).logits
        chosen, rejected = logits.float().squeeze(-1).chunk(2)
        loss = -nn.functional.logsigmoid(chosen - rejected).sum() / _PAIRS
        loss.backward()
        total += float(loss.detach())
    nn.utils.clip_grad_norm_([each for each in model.parameters() if each.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad()
    if not np.isfinite(total):
        raise RuntimeError(f"the loss became {total}")
    return total


def _own_trainer(part: Part) -> None:
    """Train by ``rmeval train`` itself, where it can be had."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        part.put(_TRAINER, None, reason=f"not run: it needs {', '.join(missing)}")
        return
    if part.small:
        part.put(_TRAINER, None, reason="not run in small: tests/trainer have it on a CPU")
        return
    part.need(30)
    import yaml

    from rmeval.trainer.train import train
    from tests.support.training import made_up_pairs, save_base, write_jsonl

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        values = {
            "model_name_or_path": str(save_base(folder / "base")), "max_steps": 40, "held_out": 0.2,
            "dataset_name": str(write_jsonl(folder / "pairs.jsonl", made_up_pairs(160))), "learning_rate": 1e-3,
            "global_batch_size": 16, "logging_steps": 1, "bf16": True, "max_length": 256,
        }  # fmt: skip
        (folder / "recipe.yaml").write_text(yaml.safe_dump(values))
        train(str(folder / "recipe.yaml"), folder / "out")
        curve = [
            row for row in map(json.loads, (folder / "out" / "log.jsonl").read_text().splitlines()) if "loss" in row
        ]
    losses = [float(row["loss"]) for row in curve]
    part.put(_TRAINER, float(np.mean(losses[-5:]) / np.mean(losses[:5])), losses=losses)

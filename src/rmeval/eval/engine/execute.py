"""Run a plan through a model: token ids in, one float each out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from rmeval.eval.engine.plan import Ids, plan_batches
from rmeval.types import Accounting, Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOKENS_PER_BATCH = {"cpu": 4096, "cuda": 65536}
"""Where the batch size is chosen for the user; enough to keep the device busy, little enough to fit."""


def run(
    model: PreTrainedModel,
    sequences: Sequence[Ids],
    *,
    pad_token_id: int,
    batch_size: int | None,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float64], Accounting]:
    """Score sequences with the model's own forward, padded on the right.

    Args:
        model: A sequence classifier with one output, in evaluation mode.
        sequences: Token ids, each of shape (tokens,).
        pad_token_id: Fills the batches; the attention mask hides it.
        batch_size: Sequences a batch; None to choose.
        progress: Called with tokens done and tokens in all.

    Returns:
        Scores, float64 of shape (sequences,), and where the tokens went.
    """
    budget = TOKENS_PER_BATCH.get(model.device.type, TOKENS_PER_BATCH["cpu"])
    plan = plan_batches(sequences, batch_size=batch_size, token_budget=budget)
    computed = sum(len(sequences[place]) for batch in plan.batches for place in batch)
    scores = np.full(len(sequences), np.nan)
    done = padded = 0
    for batch in plan.batches:
        ids, mask = _pad([sequences[place] for place in batch], pad_token_id)
        scores[list(batch)] = _forward(model, ids, mask)
        padded += ids.numel()
        done += int(mask.sum())
        if progress:
            progress(done, computed)
    given = sum(map(len, sequences))
    return scores[list(plan.source)], Accounting(given=given, distinct=computed, computed=computed, padded=padded)


def _pad(rows: Sequence[Ids], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and attention mask, int64 of shape (rows, longest)."""
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad_token_id, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.from_numpy(row.astype(np.int64))
        mask[place, : len(row)] = 1
    return ids, mask


@torch.inference_mode()
def _forward(model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor) -> NDArray[np.float64]:
    logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits
    scores: NDArray[np.float64] = logits[:, 0].double().cpu().numpy()
    return scores

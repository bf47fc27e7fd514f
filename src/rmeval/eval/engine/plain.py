"""The model's own forward: slower, and right for every kind of classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from rmeval.eval.engine.body import embedding_rows
from rmeval.eval.engine.packed import Values, to_values
from rmeval.eval.engine.plan import Ids, Pack
from rmeval.eval.engine.precision import Precision

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class PlainExecutor:
    """Scores batches, padded on the right, or one sequence at a time, with the model's own forward.

    Args:
        model: A classifier with one output.
        precision: What it computes in.
        pad_token_id: What fills a batch; None for an id that none of its sequences holds, which the model is then told
            is its pad token.
        pads: False to take one sequence at a time.
    """

    shares_prefixes = False

    def __init__(
        self, model: PreTrainedModel, precision: Precision, *, pad_token_id: int | None, pads: bool = True
    ) -> None:
        self._model = model
        self._precision = precision
        self._pad_token_id = pad_token_id
        self.pads = pads

    @property
    def path(self) -> str:
        """``plain``, or ``plain-single`` for one sequence at a time."""
        return "plain" if self.pads else "plain-single"

    @property
    def attention_dtype(self) -> torch.dtype:
        """What attention computes in now: what flows between the layers."""
        return self._precision.between

    @torch.inference_mode()
    def score(self, pack: Pack) -> Values:
        """Score a pack of whole sequences."""
        model = self._precision.model(self._model)
        rows: list[Ids] = [pack.ids[segment.start : segment.stop] for segment in pack.segments]
        filler = self._pad_token_id
        made_up = filler is None and len(rows) > 1
        if filler is None:
            filler = unused_id(rows, embedding_rows(model)) if made_up else 0
        ids = np.full((len(rows), max(map(len, rows))), filler, dtype=np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        _forget(model)
        with self._precision.wide(), _pad_token(model, filler) if made_up else nullcontext():
            logits: Tensor = model(
                input_ids=torch.from_numpy(ids).to(model.device), attention_mask=torch.from_numpy(mask).to(model.device)
            ).logits
        return to_values(logits)


def unused_id(rows: Sequence[Ids], vocabulary: int | None) -> int:
    """Return a token id that no row holds.

    Raises:
        ValueError: if they hold all there are.
    """
    unused = np.setdiff1d(np.arange(vocabulary or 0), np.concatenate(rows))
    if not len(unused):
        raise ValueError("the model has no pad token, and the conversations leave no other to stand for it")
    return int(unused[0])


@contextmanager
def _pad_token(model: PreTrainedModel, pad_token_id: int) -> Iterator[None]:
    """Let the model read its scores before tokens of this id inside this block."""
    configs: list[Any] = [model.config, model.config.get_text_config()]
    own = [config.pad_token_id for config in configs]
    try:
        for config in configs:
            config.pad_token_id = pad_token_id
        yield
    finally:
        for config, was in zip(configs, own, strict=True):
            config.pad_token_id = was


def _forget(model: PreTrainedModel) -> None:
    """Set back what a forward changes for all that come after it.

    BigBird turns its block-sparse attention off for good at the first short sequence: the score of a long one would
    depend on what was scored before.
    """
    wanted = getattr(model.config, "attention_type", None)
    if wanted is None:
        return
    for module in model.modules():
        switch: Callable[[str], None] | None = getattr(module, "set_attention_type", None)
        if switch is not None:
            switch(wanted)

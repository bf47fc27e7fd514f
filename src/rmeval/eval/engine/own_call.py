"""Models that are called as their authors do, by code that comes with them: one conversation at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from rmeval.data_prep.text.encode import Encoded
from rmeval.eval.engine.engine import Engine
from rmeval.eval.engine.execute import Scored
from rmeval.eval.engine.packed import Values
from rmeval.eval.engine.plain import PlainExecutor
from rmeval.eval.engine.plan import Pack
from rmeval.eval.engine.precision import Precision
from rmeval.run_info import Accounting
from rmeval.types import Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Call", "OwnCallEngine"]

Call: TypeAlias = "Callable[[PreTrainedModel, Encoded], float]"
"""Scores a conversation with a model; what it raises is the model's failure."""
_WHY = "the model is called as its authors do, one conversation at a time"


class OwnCallExecutor(PlainExecutor):
    """Scores one sequence at a time by a call that is the model's own."""

    def __init__(
        self, model: PreTrainedModel, precision: Precision, call: Call, known: Mapping[bytes, Encoded]
    ) -> None:
        super().__init__(model, precision, pad_token_id=None, pads=False)
        self._call = call
        self._known = known

    @torch.inference_mode()
    def score(self, pack: Pack) -> Values:
        """Score a pack of whole sequences."""
        model = self._precision.model(self._model)
        with self._precision.wide():
            rows = [pack.ids[each.start : each.stop] for each in pack.segments]
            return np.array([self._call(model, self._known[ids.tobytes()]) for ids in rows], dtype=np.float64)


class OwnCallEngine(Engine):
    """An engine that knows one way, a call that is the model's own, and does not make it for what is lost.

    Its self-check, which makes the call twice, finds a model that draws at random.

    Args:
        model: Any model, in evaluation mode.
        precision: What it computes in.
        call: Scores a conversation with it.
        given: The engine's other arguments.
    """

    def __init__(self, model: PreTrainedModel, precision: Precision, call: Call, **given: Any) -> None:
        super().__init__(model, precision, pad_token_id=None, batch_size=1, fast=False, **given)
        self._known: dict[bytes, Encoded] = {}
        """The conversations in hand, by their token ids."""
        single = OwnCallExecutor(model, precision, call, self._known)
        self._ways.use(single=single, padded=single, packed=None, why_plain=_WHY)

    def score(self, encoded: Sequence[Encoded], progress: Progress | None = None) -> Scored:
        """Score conversations; NaN for those that are lost.

        Raises:
            ModelError: if the model fails on a conversation.
            RunError: if the journal cannot be written.
        """
        self._known.clear()
        self._known.update((item.ids.tobytes(), item) for item in encoded)
        places = [place for place, item in enumerate(encoded) if not item.lost]
        if len(places) == len(encoded):
            return super().score(encoded, progress)
        values = np.full(len(encoded), math.nan)
        if not places:
            return Scored(values, Accounting(0, 0, 0, 0, recalled=0), 0.0)
        scored = super().score([encoded[place] for place in places], progress)
        values[places] = scored.values
        return Scored(values, scored.accounting, scored.plan_seconds)

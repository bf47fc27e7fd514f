"""Pairs of token ids through the engine, and close decisions again in float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded
from rmeval.eval.engine.engine import Engine
from rmeval.eval.engine.packed import Values
from rmeval.eval.engine.precision import Precision
from rmeval.eval.model_options import CompileMode
from rmeval.eval.refine import Decision, Refined, refine_decisions
from rmeval.types import Conversation, Message, Progress, Score

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def engine(
    model: PreTrainedModel, precision: Precision, *, fast: bool = True, compile: CompileMode = "off", audit: Audit
) -> Engine:
    """Return an engine without a journal. ``off``: packs whatever their attention takes to compile; no layer is."""
    return Engine(
        model,
        precision,
        pad_token_id=model.config.get_text_config().pad_token_id,
        batch_size=None,
        journal=None,
        context="device",
        audit=audit,
        fast=fast,
        compile=compile,
    )


@dataclass
class Ids:
    """A scorer of token ids, as far as refinement needs one."""

    engine: Engine
    encoded: Sequence[Encoded]

    @property
    def can_refine(self) -> bool:
        """True below float32."""
        return self.engine.can_refine

    def rescore(self, conversations: Sequence[Conversation], progress: Progress | None = None) -> list[Score]:
        """Score in float32."""
        chosen = [self.encoded[item.index] for item in conversations]
        return [Score(float(each), 0, refined=True) for each in self.engine.rescore(chosen, progress).values]


def refined(engine: Engine, encoded: Sequence[Encoded], values: Values) -> Refined:
    """Make close decisions of pairs (chosen and rejected in turn) again in float32."""
    count = len(encoded)
    items = [Conversation((), (Message("assistant", str(place)),), index=place) for place in range(count)]
    decisions = [Decision((place,), (place + 1,)) for place in range(0, count, 2)]
    scores = [Score(float(value), 0) for value in values]
    drift = engine.margin_drift(encoded, values) or 0.0
    return refine_decisions(decisions, items, scores, Ids(engine, encoded), drift)


def decided(scores: Sequence[float] | Values) -> list[bool]:
    """Return whether chosen is above rejected, a pair; they come in turn."""
    values = np.asarray(scores, dtype=np.float64)
    return [bool(above) for above in values[::2] > values[1::2]]


def moved(scores: Sequence[float] | Values, exact: Values) -> int:
    """Count the pairs decided otherwise than by exact scores, where these lie more than 1e-5 apart."""
    sure = np.abs(exact[::2] - exact[1::2]) > 1e-5
    differ = np.array(decided(scores)) != np.array(decided(exact))
    return int((sure & differ).sum())

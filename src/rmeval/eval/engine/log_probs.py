"""The log-probabilities of answers: two ways to compute them, and the engine that chooses between them.

A language model says at each token what comes next. Of an answer's tokens those log-probabilities are summed up to one
float a conversation, so that everything which the engine does for classifiers holds for them: shared prefixes, packs,
the check against the model's own forward, precision, journal. The matrix of the vocabulary, which is a large part of a
small model, is multiplied only where an answer's token comes next.
"""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from rmeval.data_prep.text.answers import Answer, Spans
from rmeval.data_prep.text.encode import Encoded
from rmeval.eval.engine.drift import margin_bound
from rmeval.eval.engine.engine import Engine
from rmeval.eval.engine.execute import Scored
from rmeval.eval.engine.kernels.layout import Layout
from rmeval.eval.engine.packed import PackedExecutor, Values, why_body_not_packable
from rmeval.eval.engine.plain import PlainExecutor
from rmeval.eval.engine.plan import Ids, Indices, Pack, Plan
from rmeval.eval.engine.precision import Precision
from rmeval.eval.engine.ways import NOT_ASKED
from rmeval.eval.journal.key import key
from rmeval.eval.model_options import LogProbs
from rmeval.run_info import Accounting
from rmeval.types import Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LOGITS = 1 << 26
"""Logits computed at a time: 256 MB in float32."""

Known: TypeAlias = Mapping[bytes, Spans]
"""Which tokens of a sequence are scored, by the bytes of its token ids."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Tokens whose log-probabilities are asked for; arrays of shape (tokens,)."""

    rows: Indices
    """Where what the model says before each is computed."""
    tokens: Ids
    owners: Indices
    """Which sequence each belongs to."""
    sequences: int

    def summed(self, found: Values, kind: LogProbs) -> Values:
        """Return one float a sequence: the sum, or minus the Euclidean length for ``norm``."""
        if kind == "norm":
            return -np.sqrt(self._total(found**2))
        return self._total(found)

    def _total(self, found: Values) -> Values:
        return np.asarray(np.bincount(self.owners, found, self.sequences), dtype=np.float64)


def _asked(pack: Pack, known: Known, row: Callable[[int, Indices], Indices]) -> _Asked:
    """Return what is asked of a pack; ``row`` gives the rows of some positions of a sequence, in what is computed."""
    rows, tokens, owners = [], [], []
    for place, segment in enumerate(pack.segments):
        path = np.concatenate([np.arange(start, stop) for start, stop in segment.path])
        ids = pack.ids[path]
        asked = np.concatenate([np.arange(start, stop) for start, stop in known[ids.tobytes()]] or [path[:0]])
        rows.append(row(place, asked - 1))
        tokens.append(ids[asked])
        owners.append(np.full(len(asked), place))
    return _Asked(np.concatenate(rows), np.concatenate(tokens), np.concatenate(owners), len(pack.segments))


def _log_probs(states: Tensor, asked: _Asked, logits_of: Callable[[Tensor], Tensor], vocabulary: int) -> Values:
    """Return the log-probability of each token; ``states`` has shape (rows, …), and logits are made of some rows."""
    distinct, place = np.unique(asked.rows, return_inverse=True)
    order = np.argsort(place, kind="stable")
    found: Values = np.zeros(len(order))
    size = max(1, _LOGITS // vocabulary)
    for first in range(0, len(distinct), size):
        some = torch.from_numpy(distinct[first : first + size]).to(states.device)
        logits = logits_of(states[some]).float()
        ours = order[np.searchsorted(place[order], first) : np.searchsorted(place[order], first + size)]
        at = torch.from_numpy(place[ours] - first).to(states.device)
        tokens = torch.from_numpy(asked.tokens[ours]).to(states.device, torch.long)
        found[ours] = (logits[at, tokens] - torch.logsumexp(logits, dim=-1)[at]).cpu().double().numpy()
    return found


class PackedLogProbs(PackedExecutor):
    """Sums up the log-probabilities of answers over packs: the prompt of several answers is computed once."""

    reads_last_only = False

    def __init__(
        self, model: PreTrainedModel, precision: Precision, known: Known, kind: LogProbs, flex: bool | None = None
    ) -> None:
        super().__init__(model, precision, flex=flex, compile_flex=flex)
        self._known = known
        self._kind = kind
        self._cap: float | None = getattr(model.config.get_text_config(), "final_logit_softcapping", None)

    def _read(self, states: Tensor, pack: Pack, layout: Layout) -> Values:
        paths = [np.concatenate([np.arange(*part) for part in segment.path]) for segment in pack.segments]
        asked = _asked(pack, self._known, lambda place, positions: paths[place][positions])
        head: nn.Module = self._model.get_output_embeddings()
        found = _log_probs(states, asked, partial(_logits, head, self._cap), vocabulary_of(self._model))
        return asked.summed(found, self._kind)


def _logits(head: nn.Module, cap: float | None, states: Tensor) -> Tensor:
    weight = next(head.parameters())
    logits: Tensor = head(states.to(weight.dtype))
    return logits if cap is None else torch.tanh(logits / cap) * cap


class PlainLogProbs(PlainExecutor):
    """Sums up the log-probabilities of answers with the model's own forward, padded on the right."""

    def __init__(
        self, model: PreTrainedModel, precision: Precision, known: Known, kind: LogProbs, *, pads: bool = True
    ) -> None:
        super().__init__(model, precision, pad_token_id=0, pads=pads)
        self._known = known
        self._kind = kind
        self._keeps = "logits_to_keep" in inspect.signature(model.forward).parameters

    @torch.inference_mode()
    def score(self, pack: Pack) -> Values:
        """Score a pack of whole sequences."""
        model = self._precision.model(self._model)
        lengths = [segment.stop - segment.start for segment in pack.segments]
        ids = np.zeros((len(lengths), max(lengths)), dtype=np.int64)  # Nothing sees what fills it up.
        mask = np.zeros_like(ids)
        for place, segment in enumerate(pack.segments):
            ids[place, : lengths[place]] = pack.ids[segment.start : segment.stop]
            mask[place, : lengths[place]] = 1
        positions = np.unique(_asked(pack, self._known, lambda _, positions: positions).rows)
        kept = positions if self._keeps else np.arange(ids.shape[1])
        given: dict[str, Any] = {
            "input_ids": torch.from_numpy(ids).to(model.device),
            "attention_mask": torch.from_numpy(mask).to(model.device),
            "use_cache": False,
        }
        if self._keeps:
            given["logits_to_keep"] = torch.from_numpy(kept).to(model.device)
        with self._precision.wide():
            logits: Tensor = model(**given).logits
        asked = _asked(pack, self._known, lambda place, at: place * len(kept) + np.searchsorted(kept, at))
        found = _log_probs(logits.flatten(0, 1), asked, lambda some: some, logits.shape[-1])
        return asked.summed(found, self._kind)


def vocabulary_of(model: PreTrainedModel) -> int:
    """Return how many logits a model gives."""
    return int(next(model.get_output_embeddings().parameters()).shape[0])


class LogProbEngine(Engine):
    """An engine whose score of an answer is the sum of its tokens' log-probabilities, or minus their norm.

    Args:
        model: A language model, in evaluation mode.
        precision: What it computes in.
        kind: ``norm`` for the norm; the sum otherwise.
        context: As the engine's.
        given: The engine's other arguments.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        precision: Precision,
        *,
        kind: LogProbs,
        context: str,
        fast: bool = True,
        flex: bool | None = None,
        **given: Any,
    ) -> None:
        of = "norm" if kind == "norm" else "sum"
        context = f"{context}\0log-probabilities: {of}"
        super().__init__(model, precision, pad_token_id=0, context=context, fast=False, **given)
        self._known: dict[bytes, Spans] = {}
        why = why_body_not_packable(model) if fast else NOT_ASKED
        packed = None if why else PackedLogProbs(model, precision, self._known, kind, flex)
        self._ways.use(
            single=PlainLogProbs(model, precision, self._known, kind, pads=False),
            padded=PlainLogProbs(model, precision, self._known, kind),
            packed=packed,
            why_plain=why,
        )

    def score(self, encoded: Sequence[Encoded], progress: Progress | None = None) -> Scored:
        """Score answers.

        Raises:
            ModelError: if the model fails on a conversation on its own, or one does not fit into memory.
            RunError: if the journal cannot be written.
        """
        # Two conversations may be the same tokens, and more of them be the answer in one: they are scored in turns.
        turns = self._turns(encoded)
        found = []
        for places in turns:
            some = [encoded[place] for place in places]
            self._know(some)
            found.append(super().score(some, progress))
        if len(found) == 1:
            return found[0]
        values = np.full(len(encoded), math.nan)
        for places, scored in zip(turns, found, strict=True):
            values[places] = scored.values
        seconds = sum(scored.plan_seconds for scored in found)
        return Scored(values, added([scored.accounting for scored in found]), seconds)

    def knows(self, encoded: Sequence[Encoded]) -> bool:
        """Return whether the journal has the scores of all these, in the way that would be tried first."""
        turns = self._turns(encoded)
        if len(turns) > 1:
            return False
        self._know(encoded)
        return super().knows(encoded)

    def margin_drift(self, encoded: Sequence[Encoded], values: Values, scale: Values | None = None) -> float | None:
        """Bound how far a margin may lie from float32's, of values that are divided by ``scale`` before they count."""
        bound = super().margin_drift(encoded, values)
        if scale is None or bound is None or not self.can_refine:
            return bound
        unknown = {item.ids.tobytes() for item in self._drift.unknown(encoded)}
        sample = [place for place, item in enumerate(encoded) if item.ids.tobytes() not in unknown]
        return margin_bound(self._drift.moved([encoded[place] for place in sample], values[sample]) / scale[sample])

    def _turns(self, encoded: Sequence[Encoded]) -> list[list[int]]:
        turns: list[dict[bytes, Spans]] = [{}]
        places: list[list[int]] = [[]]
        for place, item in enumerate(encoded):
            name, spans = item.ids.tobytes(), _spans(item)
            turn = next((n for n, known in enumerate(turns) if known.get(name, spans) == spans), len(turns))
            if turn == len(turns):
                turns.append({})
                places.append([])
            turns[turn][name] = spans
            places[turn].append(place)
        return places

    def _know(self, encoded: Sequence[Encoded]) -> None:
        """Remember which tokens are scored; nothing else of these sequences is computed meanwhile."""
        self._known.clear()
        self._known.update((item.ids.tobytes(), _spans(item)) for item in encoded)

    def _keys(self, plan: Plan, executor: Any) -> list[bytes]:
        named = super()._keys(plan, executor)
        if not named:
            return []
        ends, starts = plan.ends, plan.ends - plan.lengths
        parts = [plan.tokens[start:end] for start, end in zip(starts, ends, strict=True)]
        return [
            key(f"{name.hex()}\0{self._known[ids.tobytes()]}", ids, len(ids) - 1)
            for name, ids in zip(named, parts, strict=True)
        ]


def _spans(item: Encoded) -> Spans:
    return item.spans if isinstance(item, Answer) else ()


def added(parts: Sequence[Accounting]) -> Accounting:
    """Return where the tokens of several passes went, together."""
    origins: Counter[str] = Counter()
    for part in parts:
        origins.update(part.recalled_from)
    return Accounting(
        sum(part.given for part in parts),
        sum(part.distinct for part in parts),
        sum(part.computed for part in parts),
        sum(part.padded for part in parts),
        recalled=sum(part.recalled or 0 for part in parts),
        recalled_from=dict(origins),
    )

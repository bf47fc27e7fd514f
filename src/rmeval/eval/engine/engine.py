"""The engine: encoded conversations in, one float each out; checks itself before it trusts its fast path."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from rmeval.data_prep.audit import Audit
from rmeval.data_prep.encode import Encoded
from rmeval.eval.engine.compiled import pays
from rmeval.eval.engine.execute import execute
from rmeval.eval.engine.executors import Executor, PackedExecutor, PlainExecutor, Values, why_not_packable
from rmeval.eval.engine.journal import Journal, key
from rmeval.eval.engine.plan import Ids, Plan, make_plan
from rmeval.eval.engine.precision import Precision
from rmeval.eval.scorers.options import CompileMode
from rmeval.types import Accounting, Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PACK_TOKENS = {"cpu": 2048, "cuda": 32768}
"""Rows a pack: enough to keep the device busy, little enough for its caches and memory."""
CHECK_BOUND = 1e-4
"""Largest difference between fast path and plain forward, both in float32, relative to max(1, |score|)."""
LOW_CHECK_BOUND = 0.1
"""The same where float32 does not fit and both are in low precision."""
_CHECKED = 4
"""Sequences of the self-check beside the longest and those beyond attention windows."""

_DRIFT_ROWS = 12
"""Rows, spread over the set, that the drift is measured on beside the self-check's."""


@dataclass(slots=True)
class Scored:
    """What the engine made of a list of conversations."""

    values: Values
    accounting: Accounting
    plan_seconds: float


class Engine:
    """Scores encoded conversations with one model in memory.

    Args:
        model: A classifier with one output, in evaluation mode.
        precision: What its linear layers compute in.
        pad_token_id: Fills padded batches; None where the model's own batches cannot be padded.
        batch_size: Most conversations a pack; None to choose by tokens.
        journal: Where scores are kept; None for nowhere.
        context: What decides a score beside tokens, dtype and path: part of the journal's keys.
        audit: Told of retreats.
        fast: Use the fast path where it is proved.
        compile: Whether to compile the fast path's layers.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        precision: Precision,
        *,
        pad_token_id: int | None,
        batch_size: int | None,
        journal: Journal | None,
        context: str,
        audit: Audit,
        fast: bool = True,
        compile: CompileMode = "auto",
    ) -> None:
        self._model = model
        self._precision = precision
        self._batch_size = batch_size
        self._journal = journal
        self._context = context
        self._audit = audit
        self._plain = PlainExecutor(model, 0 if pad_token_id is None else pad_token_id)
        self._padded = pad_token_id is not None
        self._budget = PACK_TOKENS.get(model.device.type, PACK_TOKENS["cpu"])
        self.why_plain = why_not_packable(model) if fast else "it was not asked for"
        """Why the fast path is not used; None where it is."""
        self.check_difference: float | None = None
        """What the self-check found, relative to max(1, |score|); None where there was none."""
        self._packed = None if self.why_plain else PackedExecutor(model, precision)
        self._compile: CompileMode = compile
        self._checked: set[str] = set()
        """Paths that passed the self-check."""
        self._exact: dict[bytes, float] = {}
        """Float32 scores of the samples that the drift is measured on, by token ids."""
        self._low_drift: float | None = None
        """Bound on a margin's drift where float32 does not fit."""

    @property
    def can_refine(self) -> bool:
        """True where the model computes in low precision and can compute in float32 too."""
        return self._precision.low

    def score(self, encoded: Sequence[Encoded], progress: Progress | None = None) -> Scored:
        """Score conversations.

        Raises:
            ModelError: if one conversation alone does not fit into memory.
            RunError: if the journal cannot be written.
        """
        start = time.perf_counter()
        executor, plan, keys = self._ready(encoded)
        planned = time.perf_counter()
        outcome = execute(
            plan,
            executor,
            budget=self._budget,
            batch_size=self._batch_size if executor.shares_prefixes or self._padded else 1,
            journal=self._journal,
            keys=keys,
            progress=progress,
        )
        for _ in range(outcome.retreats):
            self._audit.note("out-of-memory")
        return Scored(outcome.values, outcome.accounting, planned - start)

    def margin_drift(self, encoded: Sequence[Encoded], values: Values) -> float | None:
        """Bound how far a margin may lie from float32's, measured on the self-check's sample and a few rows more.

        Args:
            encoded: What was scored.
            values: Its scores.

        Returns:
            Four times the standard deviation of the drift of a difference of two scores, or one and a half times the
            largest seen if that is more, in the unit of the scores. Where float32 does not fit, the drift is that of
            the fast path from the plain one in the low precision. None where the scores are float32's or nothing was
            measured.
        """
        if not self.can_refine:
            return self._low_drift
        checked = set(self._sample(encoded))
        spread = {place * len(encoded) // _DRIFT_ROWS for place in range(_DRIFT_ROWS)} - checked
        # Two plans, so that a run that is resumed after its self-check packs them as an undisturbed one does.
        for places in (sorted(checked), sorted(spread)):
            rows = [encoded[place] for place in places if encoded[place].ids.tobytes() not in self._exact]
            if rows:
                self._remember(rows, self.rescore(rows).values)
        sample = sorted(checked | spread)
        return margin_bound(values[sample] - [self._exact[encoded[place].ids.tobytes()] for place in sample])

    def rescore(self, encoded: Sequence[Encoded], progress: Progress | None = None) -> Scored:
        """Score conversations in float32, whatever the precision is otherwise."""
        was, self._precision.low = self._precision.low, False
        try:
            return self.score(encoded, progress)
        finally:
            self._precision.low = was

    def _ready(self, encoded: Sequence[Encoded]) -> tuple[Executor, Plan, list[bytes]]:
        """Return what computes, checked before its first use, with its plan and the journal's keys."""
        executor: Executor = self._packed or self._plain
        plan = self._plan(encoded, executor)
        if self._packed is not None:
            self._packed.compile(self._pays(plan.distinct_tokens))
        path, keys = executor.path, self._keys(plan, executor)
        if self._packed is None or path in self._checked or self._has_all(keys):
            return executor, plan, keys
        self._check(encoded, self._packed)
        checked: Executor = self._packed or self._plain
        if checked is not executor:
            plan = self._plan(encoded, checked)
        return checked, plan, keys if checked.path == path else self._keys(plan, checked)

    def _pays(self, tokens: int) -> bool:
        config = self._model.config.get_text_config()
        return pays(
            self._compile,
            tokens=tokens,
            width=config.hidden_size * config.num_hidden_layers,
            threads=torch.get_num_threads(),
            device=self._model.device,
        )

    def _plan(self, encoded: Sequence[Encoded], executor: Executor) -> Plan:
        shared = executor.shares_prefixes
        # A causal model sees nothing after the token that its score is read from.
        sequences = [item.ids[: item.pooled + 1] if shared else item.ids for item in encoded]
        return make_plan(sequences, share_prefixes=shared)

    def _keys(self, plan: Plan, executor: Executor) -> list[bytes]:
        if self._journal is None:
            return []
        dtypes = [self._precision.active]
        if isinstance(executor, PackedExecutor):  # A cache may be shared by processors that choose differently.
            dtypes.append(executor.attention_dtype)
        computed = " ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
        context = f"{self._context}\0{computed}\0{executor.path}"
        ends, starts = plan.ends, plan.ends - plan.lengths
        return [
            key(context, plan.tokens[start:end], int(end - start) - 1) for start, end in zip(starts, ends, strict=True)
        ]

    def _has_all(self, keys: Sequence[bytes]) -> bool:
        return self._journal is not None and all(value is not None for value in self._journal.get(keys))

    def _check(self, encoded: Sequence[Encoded], packed: PackedExecutor) -> None:
        """Score a few conversations both ways in float32; leave the fast path if they disagree."""
        sample = [encoded[place] for place in self._sample(encoded)]
        was, self._precision.low = self._precision.low, False
        try:
            plan = self._plan(sample, packed)
            keys = self._keys(plan, packed)
            fast = execute(plan, packed, budget=self._budget, batch_size=self._batch_size).values
            whole = make_plan([item.ids for item in sample], share_prefixes=False)
            plain = execute(whole, self._plain, budget=self._budget, batch_size=1).values
        except Exception as error:  # Whatever a fast kernel trips over, the model's own forward is still there.
            why = str(error).partition("\n")[0][:200] or type(error).__name__
            if packed.compiled:  # No compiler, most likely.
                self._audit.note("not-compiled", why)
                self._compile = "off"
                packed.compile(False)
                self._precision.low = was
                self._check(encoded, packed)
            else:
                self._leave_fast_path(why)
            return
        finally:
            self._precision.low = was
        self.check_difference = _difference(fast, plain)
        exact = self._precision.own == torch.float32
        if not exact:
            self._low_drift = margin_bound(fast - plain)
        if self.check_difference > (CHECK_BOUND if exact else LOW_CHECK_BOUND):
            self._leave_fast_path(f"its scores differ by {self.check_difference:.1e} from the model's own")
            return
        self._checked.add(packed.path)
        if not (exact and was):
            return
        # The drift will be measured on these, packed like this, by this run or by one that goes on where it stopped.
        self._remember(sample, fast)
        if self._journal is not None:
            self._journal.put([keys[place] for place in plan.source], fast.tolist())

    def _leave_fast_path(self, why: str) -> None:
        self.why_plain = why
        self._packed = None
        self._audit.note("fast-path-refused", why)

    def _remember(self, sample: Sequence[Encoded], exact: Values) -> None:
        self._exact.update((item.ids.tobytes(), float(value)) for item, value in zip(sample, exact, strict=True))

    def _sample(self, encoded: Sequence[Encoded]) -> list[int]:
        return check_sample([item.ids for item in encoded], self._windows())

    def _windows(self) -> list[int]:
        config = self._model.config.get_text_config()
        window = getattr(config, "sliding_window", None)
        return [int(window)] if window else []


def _difference(fast: Values, plain: Values) -> float:
    """Return the largest difference relative to max(1, |plain|); infinite where only one of the two is a number."""
    numbers = np.isfinite(plain)
    if (np.isfinite(fast) != numbers).any():
        return math.inf
    return float(np.max(np.abs(fast - plain)[numbers] / np.maximum(1, np.abs(plain[numbers])), initial=0.0))


def margin_bound(moved: Values) -> float:
    """Bound the drift of a difference of two scores from a sample of the drifts of scores.

    What all scores drift by together moves no difference, so it does not count. Infinite for fewer than two numbers.
    """
    moved = moved[np.isfinite(moved)]
    if len(moved) < 2:
        return math.inf
    return max(4 * math.sqrt(2 * float(np.var(moved, ddof=1))), 1.5 * float(np.ptp(moved)))


def check_sample(sequences: Sequence[Ids], windows: Sequence[int]) -> list[int]:
    """Choose what the self-check scores: the longest, the shortest beyond each attention window, a few between.

    Args:
        sequences: Token ids of the whole set.
        windows: Lengths of the model's attention windows, in tokens.

    Returns:
        Places in ``sequences``, ascending.
    """
    order = sorted(range(len(sequences)), key=lambda place: (len(sequences[place]), place))
    chosen = {order[-1]}
    for window in windows:
        beyond = [place for place in order if len(sequences[place]) > window]
        chosen.update(beyond[:1])
    # The lower half of the lengths costs little and varies in all else.
    half = order[: max(1, len(order) // 2)]
    chosen.update(half[i * len(half) // _CHECKED] for i in range(_CHECKED))
    return sorted(chosen)

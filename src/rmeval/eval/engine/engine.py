"""The engine: encoded conversations in, one float each out; checks itself before it trusts any way to compute them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded
from rmeval.errors import ModelError
from rmeval.eval.engine.check import agreement, check_sample, holds, lengths_that_matter, rope_break
from rmeval.eval.engine.drift import Drift, margin_bound, spread_rows
from rmeval.eval.engine.execute import ForwardError, Scored, execute
from rmeval.eval.engine.packed import Executor, PackedExecutor, Values
from rmeval.eval.engine.plan import Plan, make_plan
from rmeval.eval.engine.precision import Precision
from rmeval.eval.engine.ways import Ways, why_too_small, worth_compiling
from rmeval.eval.environment import versions
from rmeval.eval.journal.journal import Journal
from rmeval.eval.journal.key import key
from rmeval.eval.model_options import CompileMode
from rmeval.types import Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PACK_TOKENS = {"cpu": 2048, "cuda": 32768}
"""Rows a pack: enough to keep the device busy, little enough for its caches and memory."""

_SPREAD_ROWS = 8
"""More conversations of the self-check, of all lengths, where batches are padded."""


class Engine:
    """Scores encoded conversations with one model in memory.

    There are up to three ways: packs of the fast path, padded batches, and one sequence at a time. Each is held against
    the model's own unpadded forward before its first use, and again when longer conversations come. One that fails is
    left for the next. Where the model fails in low precision, a copy of the whole model computes in it, then float32.

    Args:
        model: A classifier with one output, in evaluation mode.
        precision: What it computes in.
        pad_token_id: Fills padded batches; None for an id that no conversation of a batch holds.
        batch_size: Most conversations a pack; None to choose by tokens.
        journal: Where scores are kept; None for nowhere.
        context: What decides a score beside tokens, precision, path and versions: part of the journal's keys.
        audit: Told of retreats.
        fast: Use the fast path where it is proved.
        compile: Whether to compile the fast path's layers. Only with ``auto`` is small work on CUDA left to padded
            batches, because packs have their attention compiled there.
        flex: Let packs attend by compiled FlexAttention; None for only on CUDA.
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
        flex: bool | None = None,
    ) -> None:
        self._model, self._precision = model, precision
        self._batch_size, self._journal = batch_size, journal
        self._context = f"{context}\0{versions()}"
        self._audit = audit
        self._budget = PACK_TOKENS.get(model.device.type, PACK_TOKENS["cpu"])
        self._text_config = model.config.get_text_config()
        self._ways = Ways(
            model, precision, pad_token_id=pad_token_id, one_by_one=batch_size == 1, fast=fast, flex=flex, audit=audit
        )
        self.check_difference: float | None = None
        """What the last self-check found, relative to max(1, |score|); None where there was none."""
        self._compile: CompileMode = compile
        self._compile_asked = compile
        self._low: Precision | None = None
        """How the model computed in low precision, until that was found to decide too little."""
        self._small: str | None = None
        """Why the last set was too small for packs; None where it was not."""
        self._trusted: dict[str, int] = {}
        """Paths that passed the self-check, with the tokens of the longest conversation that it saw."""
        self._drift = Drift()

    @property
    def can_refine(self) -> bool:
        """True where the model computes in low precision and can compute in float32 too."""
        return self._precision.low

    @property
    def path(self) -> str:
        """The way in use: ``packed``, ``packed-compiled``, ``plain`` (padded batches) or ``plain-single``."""
        return self._way.path

    @property
    def why_plain(self) -> str | None:
        """Why the fast path is not used; None where it is."""
        return self._ways.why_plain or self._small

    @property
    def attention_dtype(self) -> torch.dtype:
        """What attention computes in."""
        return self._way.attention_dtype

    def use_float32(self) -> None:
        """Compute in float32 from now on, where the model can."""
        if self.can_refine:
            self._low = replace(self._precision)
            self._precision.give_up()

    def begin(self) -> None:
        """For other data, go back to low precision if ``use_float32`` left it, and to compiling if that failed."""
        if self._low is not None:
            self._precision.dtype, self._precision.low, self._precision.copy = self._low.dtype, True, self._low.copy
        self._low, self._compile = None, self._compile_asked

    def score(self, encoded: Sequence[Encoded], progress: Progress | None = None) -> Scored:
        """Score conversations.

        Raises:
            ModelError: if the model fails on a conversation on its own, or one does not fit into memory.
            RunError: if the journal cannot be written.
        """
        start = time.perf_counter()
        while True:
            executor, plan, keys = self._ready(encoded)
            planned = time.perf_counter()
            try:
                outcome = execute(
                    plan,
                    executor,
                    budget=self._budget,
                    batch_size=self._most(executor),
                    journal=self._journal,
                    keys=keys,
                    progress=progress,
                )
                break
            except ForwardError as error:
                self._ways.leave_failed(executor, error)
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
            largest seen if that is more, in the unit of the scores; infinite where fewer than two were finite numbers.
            Where float32 does not fit, the drift is that of the way in use from the own unpadded forward in the low
            precision. None where the scores are float32's or nothing was measured.
        """
        if not self.can_refine:
            return self._drift.low
        checked = self._sample(encoded, self._way)
        spread = spread_rows(len(encoded), checked)
        # Two plans, so that a run that is resumed after its self-check packs them as an undisturbed one does.
        for places in (checked, spread):
            rows = self._drift.unknown([encoded[place] for place in places])
            if rows:
                self._drift.remember(rows, self.rescore(rows).values)
        sample = sorted(checked + spread)
        return self._drift.bound([encoded[place] for place in sample], values[sample])

    def rescore(self, encoded: Sequence[Encoded], progress: Progress | None = None) -> Scored:
        """Score conversations in float32, whatever the precision is otherwise."""
        small = self._small
        try:
            with self._precision.exact():
                return self.score(encoded, progress)
        finally:
            self._small = small  # Of a run, what scored all of it is told.

    @contextmanager
    def unkept(self) -> Iterator[None]:
        """Take nothing from the journal and put nothing there inside this block."""
        journal, self._journal = self._journal, None
        try:
            yield
        finally:
            self._journal = journal

    def knows(self, encoded: Sequence[Encoded]) -> bool:
        """Return whether the journal has the scores of all these, in the way that would be tried first."""
        executor, plan = self._choose(encoded)
        return self._journal is not None and self._has_all(self._keys(plan, executor))

    # --- which way ----------------------------------------------------------------------------------------------

    @property
    def _way(self) -> Executor:
        first = self._ways.first
        return self._ways.second if self._small and isinstance(first, PackedExecutor) else first

    def _choose(self, encoded: Sequence[Encoded]) -> tuple[Executor, Plan]:
        """Return the way for these conversations, and its plan; the same for the same ones, whatever came before."""
        self._small = None
        executor = self._ways.first
        plan = self._plan(encoded, executor)
        if isinstance(executor, PackedExecutor):
            if executor.compiles_attention and self._compile == "auto":
                self._small = why_too_small(plan, self._model, self._precision)
            if self._small is not None:
                return self._ways.second, self._plan(encoded, self._ways.second)
            executor.compile(worth_compiling(self._compile, plan, self._model))
        return executor, plan

    def _ready(self, encoded: Sequence[Encoded]) -> tuple[Executor, Plan, list[bytes]]:
        """Return what computes, checked before its first use, with its plan and the journal's keys."""
        while True:
            executor, plan = self._choose(encoded)
            keys = self._keys(plan, executor)
            if self._trusted.get(executor.path, 0) >= plan.lengths.max(initial=0) or self._has_all(keys):
                return executor, plan, keys
            try:
                why = self._check(encoded, executor)
            except ForwardError as error:
                if isinstance(executor, PackedExecutor) and executor.compiled:  # No compiler, most likely.
                    self._audit.note("not-compiled", str(error))
                    self._compile = "off"
                else:
                    with self._precision.exact():
                        self._ways.leave_failed(executor, error)
                continue
            if why is None:
                self._trusted[executor.path] = int(plan.lengths.max(initial=0))
                return executor, plan, keys
            self._ways.leave(executor, why)

    def _check(self, encoded: Sequence[Encoded], executor: Executor) -> str | None:
        """Score a few conversations one at a time and by ``executor``, in float32; say why not to use it."""
        sample = [encoded[place] for place in self._sample(encoded, executor)]
        whole = make_plan([item.ids for item in sample], share_prefixes=False)
        plan = self._plan(sample, executor)
        exact = self._precision.own == torch.float32
        with self._precision.exact():
            try:
                values = execute(plan, executor, budget=self._budget, batch_size=self._most(executor)).values
                own = execute(whole, self._ways.single, budget=self._budget, batch_size=1).values
            except ModelError as error:  # Memory is too short for float32, or for the longest one.
                return None if executor is self._ways.single else str(error)
            keys = self._keys(plan, executor)
        found = agreement(values, own)
        self.check_difference = found.relative
        if not exact:
            self._drift.low = margin_bound(values - own)
        if not holds(found, executor.path, exact=exact):
            return f"its scores differ by {found.relative:.1e} from the model's own"
        if exact and self._precision.low:
            # The drift will be measured on these, packed so, by this run or by one that goes on where it stopped.
            self._drift.remember(sample, values)
            if self._journal is not None:
                self._journal.put([keys[place] for place in plan.source], values.tolist())
        return None

    # --- plans and keys -----------------------------------------------------------------------------------------

    def _most(self, executor: Executor) -> int | None:
        return self._batch_size if executor.pads else 1

    def _plan(self, encoded: Sequence[Encoded], executor: Executor) -> Plan:
        shared = executor.shares_prefixes
        # A causal model sees nothing after the token that its score is read from.
        sequences = [item.ids[: item.pooled + 1] if shared else item.ids for item in encoded]
        return make_plan(sequences, share_prefixes=shared, apart=rope_break(self._text_config))

    def _keys(self, plan: Plan, executor: Executor) -> list[bytes]:
        if self._journal is None:
            return []
        # A cache may be shared by processors that choose differently.
        dtypes = (self._precision.active, self._precision.between, executor.attention_dtype)
        computed = " ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
        context = f"{self._context}\0{computed}\0{executor.path}"
        ends, starts = plan.ends, plan.ends - plan.lengths
        return [
            key(context, plan.tokens[start:end], int(end - start) - 1) for start, end in zip(starts, ends, strict=True)
        ]

    def _has_all(self, keys: Sequence[bytes]) -> bool:
        return self._journal is not None and all(value is not None for value in self._journal.get(keys))

    def _sample(self, encoded: Sequence[Encoded], executor: Executor) -> list[int]:
        # Of a model that no test has held against its own forward, more is looked at.
        spread = 0 if executor.shares_prefixes else _SPREAD_ROWS
        return check_sample([item.ids for item in encoded], lengths_that_matter(self._text_config), spread=spread)

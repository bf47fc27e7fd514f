"""Run a plan: pack after pack, past what the journal has, smaller where memory is short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rmeval.errors import ModelError
from rmeval.eval.engine.packed import Executor, Values
from rmeval.eval.engine.plan import Pack, Plan
from rmeval.eval.journal.journal import Journal
from rmeval.run_info import Accounting
from rmeval.types import Progress

_MEMORY = ("out of memory", "can't allocate memory", "does not fit into memory")


class ForwardError(Exception):
    """A forward pass failed, and not for want of memory."""

    def __init__(self, pack: Pack, reason: Exception) -> None:
        self.pack = pack
        self.longest = max(sum(stop - start for start, stop in segment.path) for segment in pack.segments)
        """Tokens of the pack's longest sequence."""
        super().__init__(" ".join(str(reason).split())[:200] or type(reason).__name__)


@dataclass(slots=True)
class Scored:
    """What the engine made of a list of conversations."""

    values: Values
    accounting: Accounting
    plan_seconds: float


@dataclass(slots=True)
class Executed:
    """What a plan came to."""

    values: Values
    """Scores of the sequences given, float64 of shape (sequences,)."""
    accounting: Accounting
    retreats: int
    """How often the budget was halved for want of memory."""


def execute(
    plan: Plan,
    executor: Executor,
    *,
    budget: int,
    batch_size: int | None = None,
    journal: Journal | None = None,
    keys: Sequence[bytes] = (),
    progress: Progress | None = None,
) -> Executed:
    """Score all sequences of a plan.

    Which sequences share a pack depends on the plan alone, not on the journal: a pack is computed whole or skipped
    whole, so that a run that was stopped goes on to the same scores, bit for bit.

    Args:
        plan: What to compute.
        executor: How.
        budget: Tokens a pack.
        batch_size: Most sequences a pack; None for no limit but the budget.
        journal: Where scores are kept; None for nowhere.
        keys: The journal's key of each distinct sequence.
        progress: Called with distinct tokens done and in all.

    Raises:
        ForwardError: if the model fails on a pack.
        ModelError: if one sequence alone does not fit into memory.
        RunError: if the journal cannot be written.
    """
    values = np.full(len(plan.lengths), np.nan)
    known = _recall(journal, keys, values)
    first = computed = padded = retreats = 0
    while first < len(values):
        last = plan.next_cut(first, budget, batch_size)
        if not known[first:last].all():
            found = _compute(plan, executor, first, last)
            if found is None:
                budget, batch_size, retreats = budget // 2, _half(batch_size), retreats + 1
                _free_memory()
                continue
            fresh, rows = found
            # What the journal has stays, as it does there: else the last digits would tell where a run was stopped.
            values[first:last] = np.where(known[first:last], values[first:last], fresh)
            computed += rows
            padded += rows if plan.shared else int(plan.lengths[first:last].max()) * (last - first)
            if journal is not None:
                journal.put(keys[first:last], values[first:last].tolist())
        first = last
        if progress:
            progress(_done(plan, first), plan.distinct_tokens)
    recalled = [name for name, had in zip(keys, known.tolist(), strict=True) if had] if journal is not None else []
    accounting = Accounting(
        plan.given_tokens,
        plan.distinct_tokens,
        computed,
        padded,
        recalled=int(known[plan.source].sum()),
        recalled_from=journal.origins(recalled) if journal is not None and recalled else {},
    )
    return Executed(values[plan.source], accounting, retreats)


def _compute(plan: Plan, executor: Executor, first: int, last: int) -> tuple[Values, int] | None:
    """Return the scores of the sequences from ``first`` to ``last`` and the tokens computed; None if memory is short.

    Raises:
        ForwardError: if the model fails on them.
        ModelError: if it is a single one, and memory is short for that.
    """
    pack = plan.pack(first, last)
    try:
        fresh = executor.score(pack)
        again = _score_alone(plan, executor, first, fresh) if plan.shared and last - first > 1 else 0
    except Exception as error:  # Whatever the model's code raises: who asked knows another way, or says so.
        if not out_of_memory(error):
            raise ForwardError(pack, error) from error
        if last - first == 1:
            raise ModelError(
                f"a conversation of {int(plan.lengths[first]):,} tokens does not fit into memory; lower --max-length"
            ) from None
        return None
    return fresh, len(pack.ids) + again


def _score_alone(plan: Plan, executor: Executor, first: int, fresh: Values) -> int:
    """Score those of a pack that are no finite number each in a pack of its own, in place; return the tokens of that.

    A NaN reaches all rows that are attended to in one go with its own, and so the other sequences that have their
    beginning among those rows. Alone, a sequence has only what is its own. A model that gives no numbers at all pays
    for it with a pass a sequence.
    """
    tokens = 0
    for place in np.flatnonzero(~np.isfinite(fresh)).tolist():
        pack = plan.pack(first + place, first + place + 1)
        fresh[place] = executor.score(pack)[0]
        tokens += len(pack.ids)
    return tokens


def _recall(journal: Journal | None, keys: Sequence[bytes], values: Values) -> np.ndarray:
    """Fill in what the journal has; return which those are, bool of shape (distinct sequences,)."""
    known = np.zeros(len(values), dtype=bool)
    if journal is not None:
        for place, value in enumerate(journal.get(keys)):
            if value is not None:
                values[place], known[place] = value, True
    return known


def _done(plan: Plan, first: int) -> int:
    return int((plan.lengths[:first] - plan.common[:first]).sum())


def _half(batch_size: int | None) -> int | None:
    return None if batch_size is None else max(1, batch_size // 2)


def out_of_memory(error: BaseException) -> bool:
    """True for an error that says that memory ran out; the CPU's allocator raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(part in str(error) for part in _MEMORY)


def _free_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

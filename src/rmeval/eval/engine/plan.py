"""What to compute, decided before anything runs; numpy only, no torch.

A causal model gives the same hidden state to every sequence that starts with the same tokens. So the sequences are
deduplicated and sorted by their tokens: neighbours then share the longest prefixes, and the length that each shares
with the one before it *is* the prefix tree. Consecutive sequences go into one pack until its budget is full, and
within a pack a sequence adds only the tokens that it does not share with the one before it.

Where prefixes may not be shared (encoders, models without a proved fast path) the same plan holds sequences sorted by
length, each whole, and a pack is a padded batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.int32]
Indices: TypeAlias = NDArray[np.int64]
RowRange: TypeAlias = tuple[int, int]

_SLACK = 0.25
"""Share of a pack's budget that may stay empty for the sake of a cut where little prefix is computed again."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The rows that one sequence adds to its pack, and the earlier rows that come before them in the sequence."""

    start: int
    """First of its own rows."""
    stop: int
    """One past its last own row."""
    prefix: tuple[RowRange, ...]
    """Row ranges of the tokens before ``start``, first token first; empty for a sequence on its own."""

    @property
    def path(self) -> tuple[RowRange, ...]:
        """Row ranges of the whole sequence, first token first."""
        if self.prefix and self.prefix[-1][1] == self.start:
            return *self.prefix[:-1], (self.prefix[-1][0], self.stop)
        return *self.prefix, (self.start, self.stop)


@dataclass(frozen=True, slots=True)
class Pack:
    """One forward pass: rows of tokens of several sequences, without padding."""

    ids: Ids
    """Token of each row, int32 of shape (rows,)."""
    positions: Ids
    """Position of each row in its sequence, int32 of shape (rows,)."""
    segments: tuple[Segment, ...]
    """One a sequence, in row order."""

    @property
    def last_rows(self) -> Indices:
        """The row of each sequence's last token, int64 of shape (sequences,)."""
        return np.array([segment.stop - 1 for segment in self.segments], dtype=np.int64)

    def row_ends(self) -> Indices:
        """For each row, one past the last row that may see it: int64 of shape (rows,).

        Rows are in depth-first order of the prefix tree, so row i sees row j exactly if ``j <= i < row_ends()[j]``.
        """
        ends = np.empty(len(self.ids), dtype=np.int64)
        for segment in self.segments:
            for start, stop in segment.path:
                ends[start:stop] = segment.stop
        return ends


@dataclass(frozen=True, slots=True)
class Plan:
    """Distinct sequences in the order in which they are computed."""

    source: Indices
    """For every sequence given, the distinct sequence that scores it."""
    tokens: Ids
    """All distinct sequences, one after the other."""
    lengths: Indices
    """Tokens of each distinct sequence."""
    ends: Indices
    """Where each distinct sequence ends in ``tokens``."""
    common: Indices
    """Tokens that each distinct sequence shares with the one before it; 0 where prefixes are not shared."""
    shared: bool
    """True where prefixes are shared and packs have no padding."""
    apart: int | None = None
    """No padded batch holds both sequences up to this length and longer ones; None for no such length."""

    @property
    def given_tokens(self) -> int:
        """Tokens of all the sequences given."""
        return int(self.lengths[self.source].sum())

    @property
    def distinct_tokens(self) -> int:
        """Tokens that one boundless pack would compute."""
        return int((self.lengths - self.common).sum())

    def next_cut(self, first: int, budget: int, batch_size: int | None = None) -> int:
        """Return where the pack that starts at distinct sequence ``first`` ends; depends on nothing computed before.

        Args:
            first: The pack's first distinct sequence.
            budget: Most tokens a pack may have, padding counted; a longer sequence gets a pack of its own.
            batch_size: Most sequences a pack may have; None for no limit but the budget.
        """
        limit = len(self.lengths) if batch_size is None else min(len(self.lengths), first + batch_size)
        if batch_size is not None:
            budget = int(self.lengths.max()) * batch_size
        filled, last = 0, first
        fills: list[int] = []
        while last < limit and not self._are_apart(first, last):
            own = int(self.lengths[last]) - (int(self.common[last]) if last > first else 0)
            cost = filled + own if self.shared else (last - first + 1) * int(self.lengths[first])
            if last > first and cost > budget:
                return self._best_cut(first, last, fills, budget) if self.shared else last
            fills.append(filled)
            filled, last = cost, last + 1
        return last

    def _are_apart(self, first: int, last: int) -> bool:
        if self.apart is None or self.shared:
            return False
        return bool((self.lengths[first] > self.apart) != (self.lengths[last] > self.apart))

    def _best_cut(self, first: int, last: int, fills: Sequence[int], budget: int) -> int:
        """Near the end of a full pack, cut where the least shared prefix is computed again."""
        enough = (1 - _SLACK) * budget
        candidates = [cut for cut in range(first + 1, last) if fills[cut - first] >= enough]
        return min([*candidates, last], key=lambda cut: (int(self.common[cut]), -cut))

    def pack(self, first: int, last: int) -> Pack:
        """Build the pack of the distinct sequences from ``first`` up to ``last``."""
        rows, segments, ids, positions = 0, [], [], []
        path: tuple[RowRange, ...] = ()
        for place in range(first, last):
            length, end = int(self.lengths[place]), int(self.ends[place])
            shared = int(self.common[place]) if place > first else 0
            segment = Segment(rows, rows + length - shared, _head(path, shared))
            ids.append(self.tokens[end - length + shared : end])
            positions.append(np.arange(shared, length, dtype=np.int32))
            segments.append(segment)
            path, rows = segment.path, segment.stop
        return Pack(np.concatenate(ids), np.concatenate(positions), tuple(segments))


def make_plan(sequences: Sequence[Ids], *, share_prefixes: bool, apart: int | None = None) -> Plan:
    """Plan the computation of token sequences.

    Memory is a few times the tokens' own, and there is no object a token: a million sequences are fine.

    Args:
        sequences: Token ids, int32 of shape (tokens,), at least one each. With ``share_prefixes`` each ends at the
            token whose output gives the score.
        share_prefixes: Compute shared prefixes once; else each sequence is whole, longest first.
        apart: Tokens; keeps longer sequences out of padded batches of shorter ones, for models whose batches may not
            hold both.

    Raises:
        ValueError: if a sequence has no token.
    """
    # Big-endian bytes sort like the numbers they spell.
    keys = [sequence.astype(">u4").tobytes() for sequence in sequences]
    if not all(keys):
        raise ValueError(f"sequence {keys.index(b'')} has no token")
    if share_prefixes:
        order = sorted(range(len(keys)), key=keys.__getitem__)
    else:
        order = sorted(range(len(keys)), key=lambda place: (-len(keys[place]), keys[place]))
    source = np.zeros(len(keys), dtype=np.int64)
    distinct: list[bytes] = []
    for place in order:
        if not distinct or keys[place] != distinct[-1]:
            distinct.append(keys[place])
        source[place] = len(distinct) - 1
    tokens = np.frombuffer(b"".join(distinct), dtype=">u4").astype(np.int32)
    lengths = np.array([len(key) // 4 for key in distinct], dtype=np.int64)
    ends = np.cumsum(lengths)
    common = _common_prefixes(tokens, lengths, ends) if share_prefixes else np.zeros_like(lengths)
    return Plan(source, tokens, lengths, ends, common, share_prefixes, apart)


def _common_prefixes(tokens: Ids, lengths: Indices, ends: Indices) -> Indices:
    """Return how many first tokens each sequence shares with the one before it."""
    common = np.zeros(len(lengths), dtype=np.int64)
    for place in range(1, len(lengths)):
        size, start = int(min(lengths[place - 1], lengths[place])), int(ends[place - 1])
        before = start - int(lengths[place - 1])
        differs = tokens[before : before + size] != tokens[start : start + size]
        first = int(differs.argmax())
        common[place] = first if differs[first] else size
    return common


def _head(path: tuple[RowRange, ...], length: int) -> tuple[RowRange, ...]:
    """Return the row ranges of the first ``length`` tokens of ``path``."""
    head: list[RowRange] = []
    left = length
    for start, stop in path:
        if left <= 0:
            break
        end = min(stop, start + left)
        head.append((start, end))
        left -= end - start
    return tuple(head)

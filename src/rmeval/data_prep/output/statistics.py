"""What a prepared mixture looks like, in numbers: collected in one pass, kept as JSON, drawn by reports.

The builder of a mixture makes one ``StatisticsBuilder``, hands it every pair that is written, and puts what comes out
beside what it knows itself::

    builder = StatisticsBuilder(seed=mixture.seed)
    for pair in pairs:  # Each source's in one order, whatever the number of workers: examples are drawn by place.
        builder.add(
            source="shp",
            split="train",
            prompt_chars=120,
            chosen_chars=300,
            rejected_chars=210,
            chosen_score=31.0,
            rejected_score=None,
            preview=lambda: preview(pair.prompt, pair.chosen, pair.rejected),
        )
    statistics: MixtureStatistics = {
        **builder.to_json(),
        "mixture": "rm-mistral-7b",
        "ledger": [ledger_of_shp, …],  # LedgerEntry
        "split": {"held_out": "0.01", "openings": 9, "near_duplicates": 1, "dropped_pairs": 0},  # or None
        "overlap": [subset_overlap, …],  # OverlapEntry; None where no benchmark was looked at
    }

All of it is plain JSON. Histograms have fixed bins, so memory does not grow with the number of pairs, and two mixtures
can be laid over each other.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rmeval.data_prep.output.statistics_schema import (
    PREVIEW_CHARS,
    STATISTICS_VERSION,
    Histogram,
    PairStatistics,
    Preview,
    PreviewMessage,
    SourceStatistics,
)
from rmeval.types import Messages

__all__ = ["DIFFERENCE_EDGES", "GAP_EDGES", "LENGTH_EDGES", "StatisticsBuilder", "preview"]

# Ten bins a decade (Renard's R10 series, rounded), from 10 to 100,000 characters.
_R10 = (10, 12.5, 16, 20, 25, 31.5, 40, 50, 63, 80)
LENGTH_EDGES: tuple[int, ...] = (*(round(step * 10**power) for power in range(4) for step in _R10), 100_000)
_MAGNITUDES = (0.5, *(edge - 0.5 for edge in LENGTH_EDGES[:31:2]))
DIFFERENCE_EDGES: tuple[float, ...] = (*(-edge for edge in reversed(_MAGNITUDES)), *_MAGNITUDES)
"""Five bins a decade on either side, to 10,000 characters; edges lie between whole numbers, and 0 has its own bin."""
GAP_EDGES: tuple[float, ...] = (0, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 25, 50, 100, 250, 500, 1_000)
"""Gaps of scores, in the source's own unit: ratings from 1 to 5 as well as votes by the thousand."""


def preview(
    prompt: Messages,
    chosen: Messages,
    rejected: Messages,
    chosen_score: float | None = None,
    rejected_score: float | None = None,
) -> Preview:
    """Return a pair cut to what is kept of an example."""
    return {
        "prompt": _cut(prompt),
        "chosen": _cut(chosen),
        "rejected": _cut(rejected),
        "chosen_score": _finite(chosen_score),
        "rejected_score": _finite(rejected_score),
    }


def _cut(messages: Messages) -> list[PreviewMessage]:
    return [{"role": m.role, "content": m.content[:PREVIEW_CHARS], "chars": len(m.content)} for m in messages]


def _finite(score: float | None) -> float | None:
    """Return a score that JSON can hold, or None."""
    return score if score is not None and math.isfinite(score) else None


class StatisticsBuilder:
    """Collects the statistics of pairs that are handed to it one by one.

    The result depends on the seed and on the order of each source's pairs; how sources interleave only decides the
    order of sources in the result. Memory: about 200 integers and ``examples_per_source`` previews a source.

    Args:
        seed: Which examples are drawn.
        examples_per_source: How many examples are kept of each source.
    """

    def __init__(self, seed: int, examples_per_source: int = 3) -> None:
        self._seed = seed
        self._wanted = examples_per_source
        self._sources: dict[str, _Source] = {}

    def add(
        self,
        source: str,
        split: str,
        prompt_chars: int,
        chosen_chars: int,
        rejected_chars: int,
        chosen_score: float | None,
        rejected_score: float | None,
        preview: Callable[[], Preview],
    ) -> None:
        """Add one pair of the output.

        Args:
            source: Name of its source.
            split: ``train`` or ``test``; test pairs are counted and not looked at.
            prompt_chars: Characters of the prompt, all messages together.
            chosen_chars: Characters of the chosen completion, all messages together, without the prompt.
            rejected_chars: The same of the rejected one.
            chosen_score: In the source's own unit; None where it has none.
            rejected_score: The same of the rejected one.
            preview: Called at once, and only where the pair is kept as an example, which soon becomes rare.

        Raises:
            ValueError: if the split is neither.
        """
        if split not in ("train", "test"):
            raise ValueError(f"split is {split!r}: train or test")
        found = self._sources.setdefault(source, _Source())
        if split == "test":
            found.test += 1
            return
        found.prompt.add(prompt_chars)
        found.chosen.add(chosen_chars)
        found.rejected.add(rejected_chars)
        found.difference.add(chosen_chars - rejected_chars)
        found.longer += chosen_chars > rejected_chars
        found.shorter += chosen_chars < rejected_chars
        if chosen_score is not None and rejected_score is not None:
            gap = chosen_score - rejected_score
            if math.isfinite(gap):
                found.gap.add(gap)
        # The examples are those with the lowest hashes; the heap holds negated ones, its first is the one to leave.
        place = (-_hash(self._seed, source, found.train), -found.train)
        if len(found.examples) < self._wanted:
            heapq.heappush(found.examples, (*place, preview()))
        elif found.examples and place > found.examples[0][:2]:
            heapq.heapreplace(found.examples, (*place, preview()))
        found.train += 1

    def to_json(self) -> PairStatistics:
        """Return what was found up to now."""
        total = sum(source.train for source in self._sources.values())
        return {
            "schema_version": STATISTICS_VERSION,
            "seed": self._seed,
            "preview_chars": PREVIEW_CHARS,
            "sources": [source.to_json(name, total) for name, source in self._sources.items()],
        }


def _hash(seed: int, source: str, place: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\x1f{source}\x1f{place}".encode()).digest()[:8], "big")


class _Counts:
    """A histogram being filled."""

    def __init__(self, edges: Sequence[float]) -> None:
        self._edges = edges
        self._counts = [0] * (len(edges) + 1)
        self._sum: float = 0

    def add(self, value: float) -> None:
        """Count a value in its bin."""
        self._counts[bisect_right(self._edges, value)] += 1
        self._sum += value

    def to_json(self) -> Histogram:
        """Return it as the statistics file has it."""
        return {
            "edges": list(self._edges),
            "counts": list(self._counts),
            "sum": self._sum,
            "total": sum(self._counts),
        }


@dataclass(slots=True)
class _Source:
    """One source's statistics, being collected."""

    train: int = 0
    test: int = 0
    longer: int = 0
    shorter: int = 0
    prompt: _Counts = field(default_factory=lambda: _Counts(LENGTH_EDGES))
    chosen: _Counts = field(default_factory=lambda: _Counts(LENGTH_EDGES))
    rejected: _Counts = field(default_factory=lambda: _Counts(LENGTH_EDGES))
    difference: _Counts = field(default_factory=lambda: _Counts(DIFFERENCE_EDGES))
    gap: _Counts = field(default_factory=lambda: _Counts(GAP_EDGES))
    examples: list[tuple[int, int, Preview]] = field(default_factory=list)

    def to_json(self, name: str, total: int) -> SourceStatistics:
        """Return it as the statistics file has it, for a source of this name with ``total`` pairs that train."""
        return {
            "name": name,
            "train": self.train,
            "test": self.test,
            "share": self.train / total if total else 0.0,
            "longer_chosen": self.longer,
            "shorter_chosen": self.shorter,
            "equal_length": self.train - self.longer - self.shorter,
            "prompt_chars": self.prompt.to_json(),
            "chosen_chars": self.chosen.to_json(),
            "rejected_chars": self.rejected.to_json(),
            "difference_chars": self.difference.to_json(),
            "score_gap": self.gap.to_json(),
            "examples": [example for _, _, example in sorted(self.examples, key=lambda item: item[:2], reverse=True)],
        }

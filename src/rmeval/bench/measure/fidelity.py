"""What a faster setting costs: how far scores move from float32's, and which decisions flip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rmeval.bench_info import FidelityInfo
from rmeval.types import Example

if TYPE_CHECKING:
    from rmeval.bench.subjects.model import Subject, Subjects

CLOSE = 1e-5
"""Margins up to this are no decisions: float32 itself moves by that much with the batch."""
_MADE_UP = 32
"""Rows of made-up tokens at the most."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """A setting's scores against those of float32 with the engine's own attention, before any refinement."""

    scores: int
    """Scores compared."""
    drift_max: float | None
    """Largest difference of a score, in its own unit; None where only one of the two is a number."""
    drift_mean: float | None
    decisions: int | None
    """Examples that float32 decides; None where there are no pairs."""
    flips: int | None
    """Decisions that come out otherwise."""
    rank_correlation: float | None
    """Spearman's, over all scores; None where all are equal."""

    def info(self, name: str) -> FidelityInfo:
        """Return it as ``bench.json`` has it, with the name of what was scored."""
        return {
            "set": name,
            "scores": self.scores,
            "drift_max": self.drift_max,
            "drift_mean": self.drift_mean,
            "decisions": self.decisions,
            "flips": self.flips,
            "rank_correlation": self.rank_correlation,
        }


def compare_scores(
    values: NDArray[np.float64], exact: NDArray[np.float64], examples: Sequence[Example] = ()
) -> Fidelity:
    """Compare scores with float32's.

    Args:
        values: Shape (conversations,).
        exact: Float32's, of the same shape.
        examples: What the conversations are of, in order; empty where they decide nothing.
    """
    from scipy.stats import spearmanr

    both = np.isfinite(values) & np.isfinite(exact)
    moved = np.abs(values[both] - exact[both])
    torn = bool((np.isfinite(values) != np.isfinite(exact)).any())
    varied = both.sum() > 1 and np.ptp(values[both]) > 0 and np.ptp(exact[both]) > 0
    decided = None if not examples else _decisions(values, exact, examples)
    return Fidelity(
        scores=len(values),
        drift_max=None if torn else float(moved.max(initial=0.0)),
        drift_mean=None if torn else float(moved.mean()) if len(moved) else 0.0,
        decisions=None if decided is None else decided[0],
        flips=None if decided is None else decided[1],
        rank_correlation=float(spearmanr(values[both], exact[both]).statistic) if varied else None,
    )


def _decisions(values: NDArray[np.float64], exact: NDArray[np.float64], examples: Sequence[Example]) -> tuple[int, int]:
    """Count what float32 decides, and what of it comes out otherwise; a tie is one of the other outcomes."""
    count = flips = start = 0
    for example in examples:
        middle, end = start + len(example.chosen), start + len(example.completions)
        before, after = (float(each[start:middle].min() - each[middle:end].max()) for each in (exact, values))
        start = end
        if abs(before) > CLOSE:  # False for NaN as well.
            count += 1
            flips += not (after * before > 0)
    return count, flips


class FidelityCheck:
    """Scores the same sample in every setting.

    Args:
        source: Where rows come from; made-up ones where there are no texts.
        tokens: About how many tokens the sample may have.
        length: Tokens of a made-up row.
    """

    def __init__(self, source: Subjects, tokens: float, length: int) -> None:
        texts = source.texts
        if texts is not None:
            sample = texts.spread(tokens)
            self.name: str = texts.name
            self._examples = sample.examples
            self._rows = [row for rows in sample.rows for row in rows]
        else:
            self.name = "random tokens"
            self._examples = ()
            self._rows = source.rows(min(_MADE_UP, max(2, int(tokens / length))), length)
        self._exact: NDArray[np.float64] | None = None

    @property
    def has_reference(self) -> bool:
        """True once float32's scores are known."""
        return self._exact is not None

    def take_reference(self, subject: Subject) -> None:
        """Score the sample with the float32 model."""
        self._exact = subject.request(self._rows)[0]

    def compare(self, subject: Subject) -> Fidelity | None:
        """Score the sample with another model; None where float32's scores are not known."""
        if self._exact is None:
            return None
        return compare_scores(subject.request(self._rows)[0], self._exact, self._examples)

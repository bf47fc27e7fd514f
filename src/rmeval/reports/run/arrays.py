"""A run's examples as arrays: what plots and the examples browser are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmeval.eval.numbers.credits import judge_run
from rmeval.records import RunRecord
from rmeval.types import Outcome, ScoredExample

__all__ = ["UNKNOWN", "RunArrays", "run_arrays"]

UNKNOWN = -1
"""In the place of tokens that the scorer did not count."""


@dataclass(frozen=True)
class RunArrays:
    """Arrays are of shape (examples,) in data-set order, or (completions,) where said so."""

    scored: Sequence[ScoredExample]
    outcomes: Sequence[Outcome]
    margin: NDArray[np.float64]
    """Lowest score of a right completion minus highest of a wrong one; NaN where invalid."""
    valid: NDArray[np.bool_]
    pair: NDArray[np.bool_]
    """Examples with exactly one right and one wrong completion."""
    length_difference: NDArray[np.float64]
    """Mean characters of the right completions minus those of the wrong ones."""
    longest_tokens: NDArray[np.int64]
    """Tokens of the longest conversation of the example; characters for a reference line; ``UNKNOWN``."""
    completion_score: NDArray[np.float64]
    """Shape (completions,)."""
    completion_tokens: NDArray[np.int64]
    """Shape (completions,)."""
    completion_chosen: NDArray[np.bool_]
    """Shape (completions,)."""

    @property
    def right(self) -> NDArray[np.bool_]:
        """Examples that the model has right; a tie is not."""
        return np.array([each.kind == "right" for each in self.outcomes], dtype=np.bool_)


def run_arrays(run: RunRecord) -> RunArrays:
    """Return a run's examples as arrays.

    Raises:
        RunError: if the run's tables do not fit together, or are not in the same order.
    """
    judged, table = judge_run(run), run.scores_table
    scored, outcomes = [each.example for each in judged], [each.outcome for each in judged]
    tokens = table.column("tokens").fill_null(UNKNOWN).to_numpy()
    starts = np.cumsum([0, *(len(each.chosen) + len(each.rejected) for each in scored)])[:-1]
    return RunArrays(
        scored=scored,
        outcomes=outcomes,
        margin=np.array([each.margin for each in outcomes], dtype=np.float64),
        valid=np.array([each.valid for each in judged], dtype=np.bool_),
        pair=np.array([len(each.chosen) == len(each.rejected) == 1 for each in scored], dtype=np.bool_),
        length_difference=np.array(
            [_mean(each.chosen_chars) - _mean(each.rejected_chars) for each in scored], dtype=np.float64
        ),
        longest_tokens=np.maximum.reduceat(tokens, starts),
        completion_score=table.column("score").to_numpy(),
        completion_tokens=tokens,
        completion_chosen=np.array([role == "chosen" for role in table.column("role").to_pylist()], dtype=np.bool_),
    )


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)

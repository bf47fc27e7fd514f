"""A run's decisions as arrays: what ``rmeval.eval.metrics.outcome`` says of each example, for all of them at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rmeval.errors import RunError
from rmeval.records import RunRecord

__all__ = ["Decisions", "decide"]


@dataclass(frozen=True)
class Decisions:
    """The arrays are of shape (examples,), in data-set order."""

    right: NDArray[np.bool_]
    tie: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    """False where a score is NaN or infinite."""
    examples: pa.Table
    """``subset`` and ``prompt_hash`` of each example."""
    digest: str
    """sha256 over the examples' ids, subsets and prompts, in order: runs with the same one can be paired."""

    def subsets(self) -> Mapping[str, NDArray[np.int64]]:
        """Return the places of each subset's examples, subsets in order of first appearance."""
        coded = self.examples.column("subset").combine_chunks().dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False)
        return {name: np.flatnonzero(codes == code) for code, name in enumerate(coded.dictionary.to_pylist())}

    def prompts(self) -> Sequence[str]:
        """Return the prompt of each example, by its hash."""
        found: list[str] = self.examples.column("prompt_hash").to_pylist()
        return found


def decide(run: RunRecord) -> Decisions:
    """Return a run's decisions.

    Raises:
        RunError: if its tables do not fit together.
    """
    scores, examples = run.scores_table, run.examples_table
    sizes = np.asarray(examples.column("completion_chars").combine_chunks().value_lengths(), dtype=np.int64)
    ids: list[str] = examples.column("example_id").to_pylist()
    owners = [own for own, size in zip(ids, sizes.tolist(), strict=True) for _ in range(size)]
    if not owners or scores.column("example_id").to_pylist() != owners:
        raise RunError(f"{run.path}: its tables do not fit together; score it again")
    value = scores.column("score").to_numpy()
    chosen = np.asarray(scores.column("role").combine_chunks().dictionary_encode().indices)
    first = scores.column("role")[0].as_py()
    is_chosen = (chosen == 0) == (first == "chosen")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    lowest = np.minimum.reduceat(np.where(is_chosen, value, np.inf), starts)
    highest = np.maximum.reduceat(np.where(is_chosen, -np.inf, value), starts)
    valid = np.logical_and.reduceat(np.isfinite(value), starts)
    digest = hashlib.sha256("\0".join(ids).encode("utf-8", "surrogatepass"))
    for name in ("subset", "prompt_hash"):
        digest.update("\0".join(examples.column(name).to_pylist()).encode("utf-8", "surrogatepass"))
    return Decisions(
        right=valid & (lowest > highest),
        tie=valid & (lowest == highest),
        valid=valid,
        examples=examples.select(["subset", "prompt_hash"]),
        digest=digest.hexdigest(),
    )

"""A run's decisions as arrays: what its suite makes of each example, for all of them at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rmeval.eval.numbers.credits import judge_run
from rmeval.records import RunRecord

__all__ = ["Decisions", "decide"]


@dataclass(frozen=True)
class Decisions:
    """The arrays are of shape (examples,), in data-set order."""

    kind: NDArray[np.str_]
    """The kind of each outcome."""
    counted: NDArray[np.float64]
    """What each example's subset's number is the mean of; 0 where invalid."""
    examples: pa.Table
    """``subset`` and ``prompt_hash`` of each example."""
    clusters: Sequence[str]
    """Examples with the same one are not independent."""
    digest: str
    """sha256 over the examples' ids, subsets and prompts, in order: runs with the same one can be paired."""

    @property
    def valid(self) -> NDArray[np.bool_]:
        """False where a score is NaN or infinite."""
        return np.asarray(self.kind != "invalid", dtype=np.bool_)

    def subsets(self) -> Mapping[str, NDArray[np.int64]]:
        """Return the places of each subset's examples, subsets in order of first appearance."""
        coded = self.examples.column("subset").combine_chunks().dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False)
        return {name: np.flatnonzero(codes == code) for code, name in enumerate(coded.dictionary.to_pylist())}


def decide(run: RunRecord) -> Decisions:
    """Return a run's decisions.

    Raises:
        RunError: if its tables do not fit together, or are not in the same order.
        UsageError: if this rmeval does not know its suite.
    """
    judged, examples = judge_run(run), run.examples_table
    digest = hashlib.sha256("\0".join(examples.column("example_id").to_pylist()).encode("utf-8", "surrogatepass"))
    for name in ("subset", "prompt_hash"):
        digest.update("\0".join(examples.column(name).to_pylist()).encode("utf-8", "surrogatepass"))
    return Decisions(
        kind=np.array([each.outcome.kind for each in judged]),
        counted=np.array([each.counted if each.valid else 0.0 for each in judged]),
        examples=examples.select(["subset", "prompt_hash"]),
        clusters=[each.prompt for each in judged],
        digest=digest.hexdigest(),
    )

"""A quick look at a suite: a few examples of every subset, the same ones for the same seed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from rmeval.errors import UsageError
from rmeval.eval.suites.base import Formula, Suite
from rmeval.types import Example, ScoredExample

__all__ = ["check_limits", "draw"]


def check_limits(limit: int | None, per_subset: int | None) -> None:
    """Check how many examples were asked for.

    Raises:
        UsageError: if a limit is not positive, or there are two.
    """
    if limit is not None and per_subset is not None:
        raise UsageError("--limit and --limit-per-subset exclude each other: leave one out")
    for option, value in (("--limit", limit), ("--limit-per-subset", per_subset)):
        if value is not None and value < 1:
            raise UsageError(f"{option} must be at least 1, not {value}")


def draw(suite: Suite, examples: Sequence[Example], per_subset: int, seed: int) -> list[Example]:
    """Return at most so many examples of each subset: those with the lowest hash of seed and id, in their old order.

    So it does not matter in which order the rows stand. Where a subset has a formula, examples of one cluster follow
    each other: the formula needs them together.
    """
    order = sorted(range(len(examples)), key=lambda place: _rank(suite, examples[place], seed))
    taken: Counter[str] = Counter()
    kept = []
    for place in order:
        subset = examples[place].subset
        taken[subset] += 1
        if taken[subset] <= per_subset:
            kept.append(place)
    return [examples[place] for place in sorted(kept)]


def _rank(suite: Suite, example: Example, seed: int) -> tuple[bytes, str]:
    formula = suite.formulas.get(example.subset)
    drawn = example.id if formula is None else _cluster(formula, example)
    return hashlib.sha256(f"{seed}\x1f{drawn}".encode("utf-8", "surrogatepass")).digest(), example.id


def _cluster(formula: Formula, example: Example) -> str:
    return formula.cluster(ScoredExample(example.id, example.subset, "", (), (), (), (), tag=example.tag))

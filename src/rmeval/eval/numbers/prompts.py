"""A run's outcomes summed by prompt: what intervals, comparisons and ranks are computed from.

Examples with the same prompt are not independent, in whichever subsets they stand, so a prompt has one part in every
number. An example without a prompt shares nothing with others: each is a prompt of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rmeval.run_tables import prompt_hash
from rmeval.types import Message

__all__ = ["NO_PROMPT", "Prompts", "exact", "keys"]

NO_PROMPT = frozenset(prompt_hash(blank) for blank in ((), (Message("user", ""),)))
"""The hashes of prompts that say nothing."""
_DENOMINATOR = 10**7
"""The largest denominator of what one prompt's credits add up to; a float tells fractions apart that are closer."""


def keys(prompts: Sequence[str], place: str = "") -> list[str]:
    """Return what tells the clusters of examples apart: the prompt's hash, or the example's own place if it has none.

    Args:
        prompts: The hash of each example's prompt.
        place: Tells these examples from others that are counted with them, such as the subset's name.
    """
    return [f"{place}\x1f{row}" if each in NO_PROMPT else each for row, each in enumerate(prompts)]


@dataclass(frozen=True, slots=True)
class Prompts:
    """Examples and what was made of them, by prompt and subset. Prompts that look alike are counted, not listed."""

    subsets: tuple[str, ...]
    count: NDArray[np.float64]
    """Prompts of each kind: shape (kinds,)."""
    size: NDArray[np.float64]
    """Examples that a prompt of the kind has in each subset: shape (kinds, subsets)."""
    credit: NDArray[np.float64]
    """Sums over these examples of each thing that is counted, such as being right: shape (things, kinds, subsets)."""
    square: NDArray[np.float64]
    """Sums over all examples of the squares of each thing: shape (things, subsets)."""

    @staticmethod
    def of(subset: Sequence[str], prompt: Sequence[str], credit: NDArray[np.float64]) -> Prompts:
        """Sum examples by prompt and subset.

        Args:
            subset: Of each example; subsets keep the order of their first examples.
            prompt: The hash of each example's prompt; examples without a prompt are a cluster each (``keys``).
            credit: Shape (things, examples).

        Raises:
            ValueError: if there is no example or the lengths differ.
        """
        if not len(subset) == len(prompt) == credit.shape[1] > 0:
            raise ValueError(f"need examples, each with a subset, a prompt and credits: {len(subset)}, {len(prompt)}")
        names, column = _places(subset)
        prompts, row = _places(keys(prompt))
        cells, cell = np.unique(row * len(names) + column, return_inverse=True)
        sums = np.stack([np.bincount(cell).astype(float), *(np.bincount(cell, each) for each in credit)])
        owner, place = np.divmod(cells, len(names))
        several = np.bincount(owner, minlength=len(prompts))[owner] > 1
        # Prompts of one subset are told apart by a few numbers; only the others need a number a subset.
        alone, count = np.unique(np.vstack([place[~several], sums[:, ~several]]), axis=1, return_counts=True)
        narrow = np.zeros((len(sums), len(count), len(names)))
        narrow[:, np.arange(len(count)), alone[0].astype(np.int64)] = alone[1:]
        left, rows = np.unique(owner[several], return_inverse=True)
        wide = np.zeros((len(left), len(sums), len(names)))
        wide[rows, :, place[several]] = sums[:, several].T
        wide, more = np.unique(wide, axis=0, return_counts=True)
        table = np.concatenate([narrow, wide.transpose(1, 0, 2)], axis=1)
        square = np.stack([np.bincount(column, each**2, len(names)) for each in credit]).astype(np.float64)
        return Prompts(tuple(names), np.concatenate([count, more]).astype(float), table[0], table[1:], square)

    @property
    def n(self) -> NDArray[np.float64]:
        """Examples of each subset: shape (subsets,)."""
        return self.count @ self.size

    def total(self, thing: int) -> NDArray[np.float64]:
        """Return the sum of one thing's credits in each subset: shape (subsets,)."""
        return np.asarray(self.count @ self.credit[thing])

    def mean(self, thing: int, weights: Sequence[Fraction]) -> Fraction:
        """Return the weighted mean over subsets of one thing's mean credit, exactly."""
        parts = zip(weights, self.exact_total(thing), self.n.tolist(), strict=True)
        return sum((weight * total / Fraction(n) for weight, total, n in parts if weight), Fraction(0))

    def exact_total(self, thing: int) -> list[Fraction]:
        """Return the sum of one thing's credits in each subset as a fraction: three thirds are one."""
        total = self.total(thing)
        if (self.credit[thing] == self.credit[thing].round()).all():
            return [Fraction(each) for each in total.tolist()]
        found = [Fraction(0)] * len(total)
        for count, credits in zip(self.count.tolist(), self.credit[thing].tolist(), strict=True):
            for place in filter(credits.__getitem__, range(len(credits))):  # Most prompts are in one subset.
                found[place] += Fraction(count) * exact(credits[place])
        return found

    def only(self, weights: Sequence[Fraction]) -> Prompts:
        """Return the examples of the subsets that have a weight."""
        own = np.array([weight > 0 for weight in weights])
        seen = self.size[:, own].any(axis=1)
        names = tuple(name for name, weight in zip(self.subsets, weights, strict=True) if weight > 0)
        credit = self.credit[:, seen][:, :, own]
        return Prompts(names, self.count[seen], self.size[seen][:, own], credit, self.square[:, own])


def exact(credit: float) -> Fraction:
    """Return the fraction that the sum of a few credits is a rounded form of: a third, not the float beside it."""
    return Fraction(credit).limit_denominator(_DENOMINATOR)


def _places(names: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the different names in order of first appearance, and each one's place among them."""
    place: dict[str, int] = {}
    index = [place.setdefault(name, len(place)) for name in names]
    return list(place), np.array(index, dtype=np.int64)

"""Ranks of many models on the same examples: which leads are real, and which ranks the data leaves open.

**One bootstrap for all models**: the Bayesian bootstrap over prompts (Rubin, 1981, The Annals of Statistics 9(1)):
instead of drawing prompts with replacement it draws a weight from Exp(1) for each. A prompt has one weight in all
subsets in which it stands and under every model, so that models that fail on the same examples move together. Each
model's draws also get normal noise with half the variance of two pseudo-flips, one that became right and one that
became wrong, shared among the subsets by weight (Bonett and Price, 2012, Journal of Educational and Behavioral
Statistics 37(4)), so that a difference is never surely none; a difference of two models gets the whole.

**All pairs at once**: the interval of each difference is ``difference ± critical value × standard error``. The critical
value is the 95% quantile of the largest studentised deviation over all pairs in the same draw (max-t: Westfall and
Young, 1993, Resampling-Based Multiple Testing, Wiley). So with 95% confidence all intervals hold together, and the
chance that any two equal models are told apart is at most 5%, however many models there are.

**Rank ranges** follow from the intervals: a model's rank is no better than one more than the number of models surely
above it, and no worse than the number of models less those surely below. These ranges hold together too (Mogstad,
Romano, Shaikh and Wilhelm, 2024, Review of Economic Studies 91(1)).

**Groups** are a compact letter display (Piepho, 2004, Journal of Computational and Graphical Statistics 13(2)): two
models share a group exactly where they cannot be told apart. They are found as a greedy cover of cliques (Gramm et al.,
2007, Computational Statistics & Data Analysis 52(2)).

``tests/slow/test_ranks_simulation.py`` simulates it; its last result is in ``docs/ranks.md``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from rmeval.eval.numbers.intervals import CONFIDENCE
from rmeval.eval.numbers.prompts import exact, keys

__all__ = ["Ranking", "SubsetCredits", "rank"]

DRAWS = 10_000
_CHUNK = 1_000
"""Draws worked on at a time: bounds memory at 1,000 x prompts, or 1,000 x models."""


@dataclass(frozen=True, slots=True)
class SubsetCredits:
    """One subset's credits under all models, summed by prompt; the arrays are float64."""

    name: str
    weight: Fraction | float
    """Its part in the overall number; the parts add up to 1."""
    prompts: tuple[str, ...]
    """What tells the subset's prompts apart, from each other and from those of other subsets."""
    right: NDArray[np.float64]
    """Shape (prompts, models)."""
    size: NDArray[np.float64]
    """Shape (prompts,)."""

    @staticmethod
    def of(name: str, weight: Fraction | float, right: NDArray[np.generic], prompt: Sequence[str]) -> SubsetCredits:
        """Sum outcomes by prompt, prompts in order of first appearance.

        Args:
            name: Of the subset.
            weight: Its part in the overall number.
            right: Credits, shape (examples, models).
            prompt: The hash of each example's prompt.

        Raises:
            ValueError: if there is no example or the lengths differ.
        """
        if not len(prompt) == len(right) > 0:
            raise ValueError(f"need as many prompts as examples, and some: {len(prompt)} and {len(right)}")
        place: dict[str, int] = {}
        index = np.array([place.setdefault(item, len(place)) for item in keys(prompt, name)])
        order = np.argsort(index, kind="stable")
        starts = np.searchsorted(index[order], np.arange(len(place)))
        summed = np.add.reduceat(right[order].astype(np.float64), starts, axis=0)
        return SubsetCredits(name, weight, tuple(place), summed, np.bincount(index).astype(np.float64))


@dataclass(frozen=True)
class Ranking:
    """What the data says of the order of models; arrays are of shape (models,) or (models, models)."""

    accuracy: NDArray[np.float64]
    """The overall numbers."""
    error: NDArray[np.float64]
    """Standard error of each pair's difference."""
    critical: float
    """By how many standard errors two models must differ to be told apart."""

    @property
    def difference(self) -> NDArray[np.float64]:
        """The row's accuracy minus the column's."""
        return self.accuracy[:, None] - self.accuracy[None, :]

    @property
    def reach(self) -> NDArray[np.float64]:
        """Half the width of each difference's interval."""
        return self.critical * self.error

    @property
    def better(self) -> NDArray[np.bool_]:
        """True where the row's model is surely better than the column's."""
        return self.difference > self.reach

    @property
    def first(self) -> NDArray[np.int64]:
        """The best rank that each model can hold, from 1."""
        found: NDArray[np.int64] = 1 + self.better.sum(axis=0)
        return found

    @property
    def last(self) -> NDArray[np.int64]:
        """The worst rank that each model can hold."""
        found: NDArray[np.int64] = len(self.accuracy) - self.better.sum(axis=1)
        return found

    def groups(self) -> list[list[int]]:
        """Return groups of models, the best first; two share one exactly where they cannot be told apart."""
        order = sorted(range(len(self.accuracy)), key=lambda model: -self.accuracy[model])
        apart = self.better | self.better.T
        near = [sum(1 << place for place, other in enumerate(order) if not apart[model, other]) for model in order]
        return [[order[place] for place in _bits(members)] for members in _cliques(near)]


def rank(
    blocks: Sequence[SubsetCredits], *, seed: int = 0, draws: int = DRAWS, confidence: float = CONFIDENCE
) -> Ranking:
    """Rank models by their overall numbers.

    Args:
        blocks: The subsets that count, all of the same models.
        seed: Seed of the draws.
        draws: How many.
        confidence: Of all intervals together.
    """
    accuracy, together = _accuracy(blocks), _Together.of(blocks)
    drawn = _draw(blocks, together, accuracy, seed, draws)
    covariance = np.cov(drawn, ddof=0).reshape(len(accuracy), len(accuracy))
    variance = np.diag(covariance)
    error = np.sqrt(np.maximum(variance[:, None] + variance[None, :] - 2 * covariance, 0.0))
    np.fill_diagonal(error, 0.0)
    return Ranking(accuracy, error, _few(together, _critical(drawn.astype(np.float32), error, confidence)))


@dataclass(frozen=True)
class _Together:
    """All subsets' prompts together."""

    rows: list[NDArray[np.int64]]
    """Of each block, the places of its prompts among all."""
    reach: NDArray[np.float64]
    """By how much a whole prompt moves the overall number: shape (prompts,)."""
    moved: NDArray[np.float64]
    """By how much it does under each model: shape (prompts, models)."""

    @staticmethod
    def of(blocks: Sequence[SubsetCredits]) -> _Together:
        """Gather the subsets' credits by prompt."""
        place: dict[str, int] = {}
        rows = [np.array([place.setdefault(prompt, len(place)) for prompt in block.prompts]) for block in blocks]
        reach, moved = np.zeros(len(place)), np.zeros((len(place), blocks[0].right.shape[1]))
        for block, own in zip(blocks, rows, strict=True):
            unit = float(block.weight) / float(block.size.sum())
            reach[own] += unit * block.size
            moved[own] += unit * block.right
        return _Together(rows, reach, moved)

    def noise(self) -> float:
        """Return half the variance of two pseudo-flips: of a prompt of the weightier ones, as far as it flips whole."""
        models = self.moved.shape[1]
        # Over all pairs of models: each one's number is added once for every one below it, taken away for each above.
        flips = np.sort(self.moved, axis=1) @ (2.0 * np.arange(models) - models + 1)
        squares = models * (self.moved**2).sum(axis=1) - self.moved.sum(axis=1) ** 2
        whole = float(flips @ self.reach)
        alike = float(squares.sum()) / whole if whole > 0 else 1.0
        return alike**2 * float((self.reach**3).sum())

    def effective(self) -> float:
        """Return the effective number of prompts (Kish)."""
        return float((self.reach**2).sum() ** 2 / (self.reach**4).sum())


def _few(together: _Together, critical: float) -> float:
    """Return Student's t that has the tail of a normal ``critical`` value: standard errors of few prompts vary.

    The degrees of freedom are one less than the prompts that count, at least 3.
    """
    return -float(stdtrit(max(3.0, together.effective() - 1), ndtr(-critical)))


def _accuracy(blocks: Sequence[SubsetCredits]) -> NDArray[np.float64]:
    """Return the overall numbers, added up in fractions: equal results are equal numbers."""
    units = [Fraction(block.weight) / Fraction(float(block.size.sum())) for block in blocks]
    counts = np.stack([block.right.sum(axis=0) for block in blocks], axis=1).tolist()
    found = [sum(exact(each) * unit for each, unit in zip(own, units, strict=True)) for own in counts]
    return np.array([float(each) for each in found])


def _draw(
    blocks: Sequence[SubsetCredits], together: _Together, accuracy: NDArray[np.float64], seed: int, draws: int
) -> NDArray[np.float64]:
    """Draw how far each model's overall number is from its own mean: shape (models, draws)."""
    random = _generator(seed)
    found = random.normal(0.0, math.sqrt(together.noise()), (draws, len(accuracy)))
    for start in range(0, draws, _CHUNK):
        piece = found[start : start + _CHUNK]
        weights = random.standard_exponential((len(piece), len(together.reach)))
        for block, own in zip(blocks, together.rows, strict=True):
            piece += _moved(block, weights[:, own], accuracy)
    return np.ascontiguousarray((found - found.mean(axis=0)).T)


def _moved(block: SubsetCredits, weights: NDArray[np.float64], accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a subset's part in the overall numbers is in each draw, give or take a constant.

    Args:
        block: The subset.
        weights: Of its prompts in each draw: shape (draws, prompts).
        accuracy: The overall numbers.
    """
    prompts = len(block.size)
    if prompts == 1:
        # One does not say how prompts of its subset vary: its distance from the overall number stands in.
        return float(block.weight) * weights * (block.right / block.size[:, None] - accuracy)
    # The Bayesian bootstrap's variance has K + 1 below the line where an unbiased one has K - 1.
    scale = float(block.weight) * math.sqrt((prompts + 1) / (prompts - 1))
    moved: NDArray[np.float64] = scale * (weights @ block.right) / (weights @ block.size)[:, None]
    return moved


def _generator(seed: int) -> np.random.Generator:
    digest = hashlib.sha256(f"ranks\x1f{seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _critical(drawn: NDArray[np.float32], error: NDArray[np.float64], confidence: float) -> float:
    """Return the quantile of the largest studentised deviation over all pairs; 0 for one model."""
    models, draws = drawn.shape
    if models < 2:
        return 0.0
    largest = np.zeros(draws, dtype=np.float32)
    centred = drawn - drawn.mean(axis=1, keepdims=True)
    inverse = (1.0 / np.where(error > 0, error, np.inf)).astype(np.float32)
    for start in range(0, draws, _CHUNK):  # In pieces that stay in the processor's cache.
        piece = np.ascontiguousarray(centred[:, start : start + _CHUNK])
        own = largest[start : start + _CHUNK]
        for model in range(models - 1):
            deviation = piece[model + 1 :] - piece[model]
            np.abs(deviation, out=deviation)
            deviation *= inverse[model, model + 1 :, None]
            np.maximum(own, deviation.max(axis=0), out=own)
    return float(np.quantile(largest, confidence, method="higher"))


def _cliques(near: Sequence[int]) -> list[int]:
    """Cover a graph with cliques, greedily: each edge lies in one, and each vertex.

    Args:
        near: The neighbours of each vertex and itself, as the bits of a number.

    Returns:
        The members of each clique, as bits; in order of their first and then of their last member.
    """
    found: list[int] = []
    covered = [0] * len(near)
    for vertex, own in enumerate(near):
        while missing := own & ~covered[vertex] & ~((1 << vertex) - 1):
            far = missing.bit_length() - 1
            members = 1 << vertex | 1 << far
            candidates = own & near[far] & ~members
            while candidates:
                lowest = candidates & -candidates
                members |= lowest
                candidates &= near[lowest.bit_length() - 1] & ~lowest
            for member in _bits(members):
                covered[member] |= members
            found.append(members)
    return sorted(found, key=lambda members: (members & -members, members))


def _bits(number: int) -> list[int]:
    """Return the places of the bits that are set."""
    return [place for place in range(number.bit_length()) if number >> place & 1]

"""Which pairs make a step, and which of them share a batch.

The pairs of a step are drawn at random, as if nothing were known of their lengths: what is learned does not hang on how
long the others are. Only *within* a step are pairs of similar length put into one batch. Sorting further than that pads
little less and makes the steps one-sided, which is what a plain length-grouped sampler does.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rmeval.errors import DataError

__all__ = ["PairBatches"]


class PairBatches:
    """Batches of pairs for all devices, in the order they are run: device 0's, device 1's, …, then the next ones.

    Each epoch has every pair exactly once. Its order is a function of the seed and the epoch alone: a training that was
    stopped goes on with the batches that are left, and any number of devices makes the same steps. (But for one thing:
    pairs left over at the end that are fewer than the devices join the step before.)

    Args:
        lengths: tokens of chosen and rejected, int of shape (pairs, 2).
        global_batch_size: pairs a step; a multiple of ``batch_size`` times ``devices``.
        batch_size: pairs a device and forward pass.
        devices: how many work at once; every one gets the same number of batches.
        seed: of the order.

    Raises:
        DataError: if there are fewer pairs than devices.
    """

    def __init__(
        self, lengths: NDArray[np.int64], *, global_batch_size: int, batch_size: int, devices: int, seed: int
    ) -> None:
        if len(lengths) < devices:
            raise DataError(f"{len(lengths)} pairs cannot be shared among {devices} devices")
        self.batch_size = None
        """Of no one size: the last step's batches can be smaller."""
        self.drop_last = False
        self._cost = lengths.max(axis=1)  # Both completions are padded to the longest of their batch.
        self._global, self._each, self._devices, self._seed = global_batch_size, batch_size, devices, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches are drawn next, from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return sum(self._count(size) for size in self._steps())

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps():
            yield from step

    def steps(self) -> Iterator[list[list[int]]]:
        """Yield the batches of each step of the epoch; a batch is a list of pairs' places."""
        order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._cost))
        start = 0
        for size in self._steps():
            pairs = order[start : start + size]
            start += size
            # Longest first: what does not fit in memory shows at once. A stable sort leaves ties in random order.
            ranked = pairs[np.argsort(-self._cost[pairs], kind="stable")]
            yield [part.tolist() for part in np.array_split(ranked, self._count(size))]

    def padded_tokens(self) -> int:
        """Return the tokens of an epoch, padding counted; with the batches of the epoch that is set."""
        return sum(2 * len(batch) * int(self._cost[batch].max()) for batch in self)

    def _steps(self) -> list[int]:
        """Return the pairs of each step; only the last can differ, and has at least one for each device."""
        whole, rest = divmod(len(self._cost), self._global)
        sizes = [self._global] * whole
        if not rest:
            return sizes
        if rest < self._devices:
            sizes[-1] += rest
            return sizes
        return [*sizes, rest]

    def _count(self, size: int) -> int:
        """Return into how many batches a step of so many pairs goes: as many for each device."""
        rounds = -(-min(size, self._global) // (self._each * self._devices))
        return self._devices * min(rounds, size // self._devices)  # No device's batch is empty.

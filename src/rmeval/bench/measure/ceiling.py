"""What the machine can do at most, measured in the same run: products of matrices, and movement of memory.

With both, each cell has a roof (Williams et al., "Roofline", 2009): it cannot take less time than its arithmetic at
the matrix rate, nor than its memory traffic at the bandwidth. The longer of the two binds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

_SIZES = (128, 256, 512, 1024, 2048, 4096, 8192)
LONGEST = 0.15
"""Seconds that a product may be expected to take; longer ones are not tried."""
_SURE = 512
"""Sizes up to this are tried whatever the smaller ones took: one that was stalled would make them look too long."""
_REPEATS = 20
_STREAM_FLOATS = {"cuda": 1 << 28, "cpu": 1 << 25}
"""Numbers of each of the three arrays: far more than any cache holds."""


@dataclass(slots=True)
class Ceiling:
    """What was measured, oldest first; the best counts as the roof, their spread as noise."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    """Dtype -> matrix rates in FLOP/s."""
    bandwidth: list[float] = field(default_factory=list)
    """Bytes/s."""
    longest: float = LONGEST
    """Seconds of the longest product."""

    def measure(self, dtype: str, device: torch.device) -> None:
        """Measure the matrix rate of a dtype.

        Raises:
            RuntimeError: if the device cannot multiply in it.
        """
        self.rates.setdefault(dtype, []).append(matrix_rate(dtype, device, self.longest))

    def measure_bandwidth(self, device: torch.device) -> None:
        """Measure the memory bandwidth."""
        self.bandwidth.append(memory_bandwidth(device))

    def roof(self, dtype: str) -> tuple[float, float] | None:
        """Return the best matrix rate in FLOP/s and the best bandwidth in bytes/s; None where either is missing."""
        rates = self.rates.get(dtype)
        return (max(rates), max(self.bandwidth)) if rates and self.bandwidth else None

    def drift(self, dtype: str) -> float:
        """Return by what share the machine's matrix rate changed while this ran; 0 where it was measured once."""
        rates = self.rates.get(dtype) or [1.0]
        return 1 - min(rates) / max(rates)


@dataclass(frozen=True, slots=True)
class Roof:
    """What a request could take at best."""

    seconds: float
    bound: Literal["arithmetic", "memory"]
    """Which of the two takes longer at best."""
    intensity: float
    """FLOPs a byte."""


def roof(flops: float, moved: float, rate: float, bandwidth: float) -> Roof:
    """Return the roof of a request of so many FLOPs and bytes at a rate (FLOP/s) and a bandwidth (bytes/s)."""
    arithmetic, memory = flops / rate, moved / bandwidth
    bound: Literal["arithmetic", "memory"] = "arithmetic" if arithmetic >= memory else "memory"
    return Roof(max(arithmetic, memory), bound, flops / moved)


def matrix_rate(dtype: str, device: torch.device, longest: float = LONGEST) -> float:
    """Return the best rate of square matrix products in operations a second: 2 n³ over the shortest time.

    A plain product, and a linear layer, which a processor may compute in another way, and faster. Sizes double from 128
    while a product is expected to take less than ``longest`` seconds; ``int8`` is int8 times
    int8 with sums in int32.

    Raises:
        RuntimeError: if the device cannot multiply in this dtype.
    """
    best = 0.0
    for size in _SIZES:
        flops = 2.0 * size**3
        if size > _SURE and flops / best > longest:
            break
        for multiply in _products(dtype, size, device):
            multiply()
            best = max(best, flops / _shortest(multiply, device, longest))
    return best


def _shortest(work: Callable[[], object], device: torch.device, longest: float) -> float:
    """Return the shortest time of several, more of them where each is short: a busy machine can stall a few."""
    times: list[float] = []
    while len(times) < 3 or (sum(times) < longest and len(times) < _REPEATS):
        times.append(seconds(work, device))
    return min(times)


def _products(dtype: str, size: int, device: torch.device) -> list[Callable[[], object]]:
    if dtype == "int8":
        low, other = (torch.randint(-127, 128, (size, size), dtype=torch.int8, device=device) for _ in range(2))
        integers: Callable[[Tensor, Tensor], Tensor] = torch._int_mm
        return [lambda: integers(low, other.t())]  # Column-major, as cuBLAS wants it.
    left, right = (torch.randn(size, size, device=device).to(getattr(torch, dtype)) for _ in range(2))
    bias = torch.zeros(size, device=device, dtype=left.dtype)
    return [lambda: left @ right, lambda: torch.nn.functional.linear(left, right, bias)]


def memory_bandwidth(device: torch.device) -> float:
    """Return the best bytes/s of ``a = b + s * c`` over arrays that no cache holds: STREAM's triad, its count of bytes.

    McCalpin (1995): two arrays are read and one is written; what a cache reads before it writes is not counted.
    """
    size = _STREAM_FLOATS.get(device.type, _STREAM_FLOATS["cpu"])
    target, left, right = (torch.ones(size, dtype=torch.float32, device=device) for _ in range(3))

    def triad() -> object:
        return torch.add(left, right, alpha=3.0, out=target)

    triad()
    return max(3 * target.nbytes / seconds(triad, device) for _ in range(4))


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds that work takes on a device: between two events on CUDA, by the clock elsewhere."""
    if device.type == "cuda":
        event: Any = torch.cuda.Event
        start, end = event(enable_timing=True), event(enable_timing=True)
        start.record()
        work()
        end.record()
        end.synchronize()
        return max(float(start.elapsed_time(end)) / 1e3, 1e-9)
    synchronise(device)
    began = time.perf_counter()
    work()
    synchronise(device)
    return max(time.perf_counter() - began, 1e-9)


def synchronise(device: torch.device) -> None:
    """Wait until a device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def clock(device: torch.device) -> Callable[[], float]:
    """Return the timer of requests: seconds on the clock of whoever waits for a score, all work on the device done.

    Planning on the processor and copies from the device belong to a request, and events on the device would miss them.
    """

    def now() -> float:
        synchronise(device)
        return time.perf_counter()

    return now

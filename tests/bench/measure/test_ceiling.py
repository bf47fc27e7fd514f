from __future__ import annotations

import time

import pytest
import torch

from rmeval.bench.measure.ceiling import Ceiling, clock, matrix_rate, memory_bandwidth, roof, seconds

CPU = torch.device("cpu")


def test_the_longer_of_arithmetic_and_memory_binds() -> None:
    # 1e9 operations at 1e10/s take 0.1 s, 1e6 bytes at 1e9/s 0.001 s.
    found = roof(1e9, 1e6, 1e10, 1e9)
    assert (found.seconds, found.bound, found.intensity) == (0.1, "arithmetic", 1000.0)
    found = roof(1e6, 1e9, 1e10, 1e9)
    assert (found.seconds, found.bound, found.intensity) == (1.0, "memory", 0.001)


def test_a_product_is_timed_by_its_operations() -> None:
    rate = matrix_rate("float32", CPU, longest=0.02)
    size = 256
    left, right = torch.randn(size, size), torch.randn(size, size)
    left @ right
    once = min(seconds(lambda: left @ right, CPU) for _ in range(10))
    assert rate > 0.3 * 2 * size**3 / once  # It is the best of several sizes; and the machine may be busy.


def test_a_dtype_without_a_product_is_an_error() -> None:
    with pytest.raises((RuntimeError, AttributeError)):
        matrix_rate("bits8", CPU)


def test_bandwidth_is_that_of_a_memory() -> None:
    assert 1e8 < memory_bandwidth(CPU) < 1e14


def test_a_known_time_is_measured() -> None:
    """The best of three: a busy machine lets a sleeper oversleep."""
    assert min(seconds(lambda: time.sleep(0.05), CPU) for _ in range(3)) == pytest.approx(0.05, rel=0.05)
    now = clock(CPU)
    times = []
    for _ in range(3):
        start = now()
        time.sleep(0.05)
        times.append(now() - start)
    assert min(times) == pytest.approx(0.05, rel=0.05)


def test_the_best_counts_and_the_change_is_told() -> None:
    ceiling = Ceiling({"float32": [4.0, 5.0, 3.0]}, [7.0, 8.0])
    assert ceiling.roof("float32") == (5.0, 8.0)
    assert ceiling.drift("float32") == pytest.approx(0.4)
    assert ceiling.roof("int8") is None
    assert ceiling.drift("int8") == 0.0

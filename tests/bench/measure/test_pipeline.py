from __future__ import annotations

import time

import pytest

from rmeval.bench.measure.pipeline import Ratio, compare_times


def test_a_known_ratio_is_found_and_rounds_take_turns() -> None:
    order: list[str] = []

    def ours() -> None:
        order.append("ours")
        time.sleep(0.01)

    def theirs() -> None:
        order.append("theirs")
        time.sleep(0.03)

    found = compare_times(ours, theirs, time.perf_counter, 0.4)
    assert found.median == pytest.approx(3.0, rel=0.1)
    assert found.low <= found.median <= found.high
    assert found.verdict == "faster"
    # One warm-up of each; then each goes first every other time.
    assert order[:6] == ["ours", "theirs", "ours", "theirs", "theirs", "ours"]
    assert found.rounds == order.count("ours") - 1 >= 5


def test_a_difference_inside_the_noise_is_none() -> None:
    assert Ratio(9, 1.02, 0.97, 1.05, 1.0, 1.0).verdict == "none"
    assert Ratio(9, 1.02, 1.01, 1.05, 1.0, 1.0).verdict == "faster"
    assert Ratio(9, 0.9, 0.8, 0.95, 1.0, 1.0).verdict == "slower"


def test_slow_rounds_end_in_time() -> None:
    start = time.perf_counter()
    found = compare_times(lambda: time.sleep(0.05), lambda: time.sleep(0.05), time.perf_counter, 0.05)
    assert found.rounds < 5
    assert time.perf_counter() - start < 0.6

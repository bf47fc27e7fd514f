from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rmeval.bench.compare import BenchRule, compare, parse_rule
from rmeval.bench_info import BenchLine
from rmeval.errors import UsageError
from tests.support.benching import document, measured


def judged(rule: str, before: dict[str, Any], after: dict[str, Any]) -> BenchLine:
    found = compare(document(measured(**before)), document(measured(**after)), [parse_rule(rule)])
    assert len(found.lines) == 1
    assert found.passed is not found.lines[0].failed
    return found.lines[0]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("throughput:10%", BenchRule("throughput", 0.1)),
        ("latency:0.2", BenchRule("latency", 0.2)),
        ("memory:5%", BenchRule("memory", 0.05)),
        ("flips:2", BenchRule("flips", 2.0)),
    ],
)
def test_rules(text: str, rule: BenchRule) -> None:
    found = parse_rule(text)
    assert found.kind == rule.kind
    assert found.limit == pytest.approx(rule.limit)


@pytest.mark.parametrize("text", ["speed:1%", "throughput", "throughput:x", "throughput:20", "flips:1%", "flips:²", ""])
def test_no_rules(text: str) -> None:
    with pytest.raises(UsageError):
        parse_rule(text)


def test_speed_is_compared_as_a_share_of_the_roof() -> None:
    """Half the conversations on a machine of half the rate is no regression."""
    line = judged("throughput:1%", {}, {"completions_per_second": 1.0, "share_of_roof": 0.2})
    assert (line.basis, line.worse_by, line.failed) == ("share of the roofline", 0.0, False)
    line = judged("throughput:10%", {}, {"share_of_roof": 0.15})
    assert line.worse_by == pytest.approx(0.25)
    assert (line.verdict, line.failed) == ("worse", True)


def test_without_a_roof_it_is_absolute_and_says_so() -> None:
    line = judged("throughput:10%", {"share_of_roof": None}, {"completions_per_second": 1.0})
    assert (line.basis, line.before, line.after, line.failed) == ("completions/s", 2.0, 1.0, True)


def test_a_difference_inside_the_noise_is_none() -> None:
    """Each number may be off by its own noise; 0.25 is more than either of them and less than both."""
    line = judged("throughput:30.1%", {"noise": 0.15}, {"share_of_roof": 0.15, "noise": 0.15})
    assert line.noise == pytest.approx(0.3)
    assert (line.verdict, line.failed) == ("inconclusive", False)
    line = judged("throughput:10%", {"noise": 0.12}, {"share_of_roof": 0.15, "noise": 0.12})
    assert (line.verdict, line.failed) == ("worse", True)


def test_noise_larger_than_the_limit_can_tell_nothing() -> None:
    """23.6% slower with a noise of 274% does not pass a limit of 10%; whether that fails is the user's choice."""
    before: dict[str, Any] = {"noise": 1.37}
    after: dict[str, Any] = {"share_of_roof": 0.2 * (1 - 0.236), "noise": 1.37}
    line = judged("throughput:10%", before, after)
    assert (line.verdict, line.failed) == ("cannot tell", False)
    rule = replace(parse_rule("throughput:10%"), fail_on_noise=True)
    (line,) = compare(document(measured(**before)), document(measured(**after)), [rule]).lines
    assert (line.verdict, line.failed) == ("cannot tell", True)
    within = judged("throughput:30.1%", {"noise": 0.15}, {"share_of_roof": 0.15, "noise": 0.15})
    assert within.verdict == "inconclusive"


def test_a_drop_within_the_limit_passes() -> None:
    assert not judged("throughput:30%", {}, {"share_of_roof": 0.15}).failed
    assert judged("throughput:10%", {}, {"share_of_roof": 0.3}).verdict == "better"


def test_latency_is_held_against_the_roofs_time() -> None:
    # 0.6 s at a roof of 0.1 s, then 0.8 s at a roof of 0.2 s.
    line = judged("latency:10%", {}, {"p95": 0.8, "roof_seconds": 0.2})
    assert line.before == pytest.approx(6.0)
    assert line.after == pytest.approx(4.0)
    assert line.verdict == "better"
    assert judged("latency:10%", {}, {"p95": 0.9}).failed


def test_memory_and_flips() -> None:
    assert judged("memory:5%", {}, {"host_peak_bytes": 11 * 10**8}).failed
    assert not judged("memory:10%", {}, {"host_peak_bytes": 11 * 10**8}).failed
    assert judged("flips:0", {}, {"flips": 1}).failed
    assert not judged("flips:1", {}, {"flips": 1}).failed
    assert judged("flips:0", {"flips": None}, {}).reason == "not known in both"


def test_a_cell_that_no_longer_fits_got_worse() -> None:
    line = judged("throughput:10%", {}, {"status": "does not fit", "reason": "no memory"})
    assert (line.failed, line.reason) == (True, "does not fit: no memory")


def test_a_cell_of_one_alone_is_named_not_judged() -> None:
    old, new = document(measured(), measured(batch_size=2)), document(measured(), measured(batch_size=4))
    found = compare(old, new)
    assert found.left_out == ("float32-2x64", "float32-4x64")
    assert [line.cell for line in found.lines] == ["float32-1x64"]
    assert found.passed


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(UsageError, match="no measured cell in common"):
        compare(document(measured()), document(measured(batch_size=4)))


def test_another_machine_or_model_is_a_warning() -> None:
    other = document(measured(), environment={"cpu": "B"}, sweep={"model": "other"})
    warnings = compare(document(measured()), other).warnings
    assert "cpu differs: A CPU and B" in warnings
    assert "the models differ: org/model and other" in warnings

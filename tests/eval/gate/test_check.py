"""The gate: what passes, what fails, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from rmeval import RunRecord, evaluate
from rmeval.errors import RunError, UsageError
from rmeval.eval.gate.check import Gate, check
from rmeval.eval.gate.rules import GateRule, Mode, parse_rule
from rmeval.run_info import Accounting
from tests.support.comparing import run_of, write_rows


def gate(
    folder: Path,
    baseline: str,
    candidate: str,
    rules: Sequence[str] | None = None,
    *,
    subsets: Sequence[str] | None = None,
    suite: str = "pairs",
    alpha: float = 0.05,
    mode: Mode = "regression",
    margin: float | None = None,
) -> Gate:
    data = write_rows(folder / "rows.jsonl", subsets or ["a"] * len(baseline))
    parsed = None if rules is None else [parse_rule(rule) for rule in rules]
    ours, theirs = run_of(data, baseline, suite), run_of(data, candidate, suite)
    return check(theirs, ours, rules=parsed, alpha=alpha, mode=mode, margin=margin)


def verdicts(found: Gate) -> dict[str, str]:
    return {line.target: line.verdict for line in found.lines}


def flips(right: int, wrong: int, n: int) -> tuple[str, str]:
    """Decisions of two models on ``n`` examples of which so many became right and wrong."""
    rest = "+" * (n - right - wrong)
    return "-" * right + "+" * wrong + rest, "+" * right + "-" * wrong + rest


# --- accuracies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong", "rule", "verdict"),
    [
        (0, 0, "overall:0", "pass"),
        (3, 3, "overall:0", "pass"),
        (4, 3, "overall:0", "pass"),
        (3, 4, "overall:0", "cannot tell"),  # p about one half.
        (0, 20, "overall:0", "regression"),
        (0, 20, "overall:9%", "regression"),  # 20 of 200 are 10 points.
        (0, 20, "overall:11%", "pass"),
        (20, 0, "overall:0", "improvement"),
        (20, 0, "overall:50%", "improvement"),
    ],
)
def test_verdicts(tmp_path: Path, right: int, wrong: int, rule: str, verdict: str) -> None:
    found = gate(tmp_path, *flips(right, wrong, 200), [rule])
    assert verdicts(found) == {"overall": verdict}
    assert found.passed == (verdict != "regression")


def test_a_run_against_itself_passes_every_rule(tmp_path: Path) -> None:
    found = gate(tmp_path, "+-=n" * 10, "+-=n" * 10, ["overall:0", "subset:*:0", "invalid:0", "truncated:0"])
    assert set(verdicts(found).values()) == {"pass"}
    assert found.lines[0].p == 1
    assert found.lines[0].difference is not None
    assert found.lines[0].difference.difference == 0


def test_the_default_rules_are_overall_and_every_section(tmp_path: Path) -> None:
    subsets = ["mini-code", "mini-chat-helpful"] * 20
    assert list(verdicts(gate(tmp_path, "+-" * 20, "+-" * 20, subsets=subsets, suite="mini"))) == [
        "overall",
        "section Chat",
        "section Reasoning",
    ]
    assert list(verdicts(gate(tmp_path, "+-" * 20, "+-" * 20))) == ["overall"]  # A suite without sections.


def test_p_is_adjusted_for_all_that_is_tested(tmp_path: Path) -> None:
    """Subset a drops with an exact p of 1/64 by itself; beside three subsets where nothing happens it is 4/64."""
    subsets = [name for name in "abcd" for _ in range(20)]
    baseline, candidate = "+" * 80, "-" * 6 + "+" * 74
    alone = gate(tmp_path, baseline, candidate, ["subset:a:0"], subsets=subsets)
    assert alone.lines[0].p == pytest.approx(1 / 64)
    assert alone.lines[0].verdict == "regression"
    beside = gate(tmp_path, baseline, candidate, ["subset:*:0"], subsets=subsets)
    assert beside.lines[0].p == pytest.approx(4 / 64)
    assert beside.lines[0].verdict == "cannot tell"
    assert [line.verdict for line in beside.lines[1:]] == ["pass"] * 3
    assert gate(tmp_path, baseline, candidate, ["subset:*:0"], subsets=subsets, alpha=0.07).passed is False


def test_alpha_decides(tmp_path: Path) -> None:
    baseline, candidate = flips(0, 5, 100)  # Exact p 1/32.
    assert verdicts(gate(tmp_path, baseline, candidate, ["subset:a:0"], alpha=0.04)) == {"subset a": "regression"}
    assert verdicts(gate(tmp_path, baseline, candidate, ["subset:a:0"], alpha=0.03)) == {"subset a": "cannot tell"}


def test_the_rule_that_names_a_thing_counts_else_the_last(tmp_path: Path) -> None:
    subsets = ["a"] * 50 + ["b"] * 50
    baseline, candidate = "+" * 100, ("-" * 10 + "+" * 40) * 2
    for rules in (["subset:a:30%", "subset:*:0"], ["subset:*:0", "subset:a:30%"]):
        assert verdicts(gate(tmp_path, baseline, candidate, rules, subsets=subsets)) == {
            "subset a": "pass",
            "subset b": "regression",
        }
    assert gate(tmp_path, baseline, candidate, ["overall:0", "overall:30%"], subsets=subsets).passed


def test_what_the_rule_could_have_found_is_at_the_level_of_holms_first_step(tmp_path: Path) -> None:
    subsets = ["a"] * 100 + ["b"] * 100
    alone = gate(tmp_path, "+" * 200, "+" * 200, ["subset:a:0"], subsets=subsets).lines[0].smallest_detectable
    both = gate(tmp_path, "+" * 200, "+" * 200, ["subset:*:0"], subsets=subsets).lines[0].smallest_detectable
    assert alone is not None
    assert both is not None
    assert alone < both


def test_a_limit_that_the_data_cannot_show_is_warned_of(tmp_path: Path) -> None:
    found = gate(tmp_path, "+" * 30, "+" * 30, ["overall:1%", "subset:a:2%"])
    (warning,) = found.warnings
    assert warning.startswith("too few examples for overall at 1.00 points: minimum detectable drop 2")
    assert warning.endswith("; so it is for 1 more rule")
    assert gate(tmp_path, "+++", "+++", ["overall:1%"]).warnings[0].endswith("no drop is detectable (80% power)")
    assert gate(tmp_path, "+" * 30, "-" * 30, ["overall:1%"]).warnings == ()  # It showed one.


def test_a_name_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no subset 'b'"):
        gate(tmp_path, "++", "++", ["subset:b:0"])
    with pytest.raises(UsageError, match="no section 'Safety'"):
        gate(tmp_path, "++", "++", ["section:Safety:0"])
    with pytest.raises(UsageError, match="no overall number"):
        gate(tmp_path, "+n", "+n", subsets=["of-my-own", "mini-code"], suite="mini")
    with pytest.raises(UsageError, match="nothing to check"):
        gate(tmp_path, "++", "++", ["section:*:0"])


def test_a_subset_without_any_score_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="subset b cannot be compared"):
        gate(tmp_path, "++++", "++nn", subsets=["a", "a", "b", "b"])


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0, float("nan")])
def test_alpha_is_small(tmp_path: Path, alpha: float) -> None:
    with pytest.raises(UsageError, match="alpha must lie between 0 and"):
        gate(tmp_path, "++", "++", alpha=alpha)


def test_equal_accuracies_are_no_drop(tmp_path: Path) -> None:
    """208 of 350 each, in both orders; sums of floats say that one of them dropped by 1.7e-18."""
    subsets = ["a"] * 101 + ["b"] * 113 + ["c"] * 136
    one = "+" * 60 + "-" * 41 + "+" * 70 + "-" * 43 + "+" * 78 + "-" * 58
    other = "+" * 71 + "-" * 30 + "+" * 60 + "-" * 53 + "+" * 77 + "-" * 59
    for pair in ((one, other), (other, one)):
        (line,) = gate(tmp_path, *pair, ["overall:0"], subsets=subsets).lines
        assert (line.verdict, line.reason) == ("pass", "did not drop")


@pytest.mark.parametrize(("share", "n", "wrong"), [("7%", 300, 21), ("0.7%", 1000, 7), ("0.29", 100, 29)])
def test_a_drop_of_just_the_limit_is_within_it(tmp_path: Path, share: str, n: int, wrong: int) -> None:
    assert gate(tmp_path, *flips(0, wrong, n), [f"overall:{share}"]).lines[0].verdict == "pass"
    assert gate(tmp_path, *flips(0, wrong + 1, n), [f"overall:{share}"]).lines[0].verdict == "regression"


def test_a_floor_is_held_by_a_share_that_is_just_it(tmp_path: Path) -> None:
    """52 of 104 in three subsets are 50%; the mean of their floats is less."""
    data = write_rows(tmp_path / "rows.jsonl", ["a"] * 47 + ["b"] * 12 + ["c"] * 45)
    run = run_of(data, "+" * 24 + "-" * 23 + "+" * 2 + "-" * 10 + "+" * 26 + "-" * 19)
    assert check(run, floors=[parse_rule("overall:50%")]).passed
    assert not check(run, floors=[parse_rule("overall:50.01%")]).passed


def test_no_failure_stands_beside_a_bound_that_holds_0(tmp_path: Path) -> None:
    """11 up and 21 down of 208: a two-sided interval holds 0, McNemar's exact one-sided p is 0.055."""
    (line,) = gate(tmp_path, *flips(11, 21, 208), ["overall:0"]).lines
    assert line.p == pytest.approx(stats.binomtest(21, 32, alternative="greater").pvalue)
    assert line.verdict == "cannot tell"
    for right in range(6):
        for wrong in range(20):
            (line,) = gate(tmp_path, *flips(right, wrong, 60), ["overall:0"]).lines
            assert line.bound is not None
            assert line.p is not None
            assert line.failed == (line.bound < 0) == (line.p <= 0.05), (right, wrong)


def test_the_bound_is_at_the_level_of_alpha(tmp_path: Path) -> None:
    (line,) = gate(tmp_path, *flips(2, 20, 100), ["overall:0"], alpha=0.01).lines
    (wider,) = gate(tmp_path, *flips(2, 20, 100), ["overall:0"], alpha=0.1).lines
    assert line.bound is not None
    assert wider.bound is not None
    assert -0.18 < wider.bound < line.bound < 0


def test_a_small_alpha_is_resolved(tmp_path: Path) -> None:
    """15 of 15 flips down: p is 2**-15, which is 0.00003."""
    assert not gate(tmp_path, *flips(0, 15, 100), ["overall:0"], alpha=0.00005).passed
    assert gate(tmp_path, *flips(0, 14, 100), ["overall:0"], alpha=0.00005).passed
    with pytest.raises(UsageError, match="alpha 1e-12 is too small"):
        gate(tmp_path, "++", "++", alpha=1e-12)


# --- non-inferiority --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong", "n", "verdict"),
    [
        (0, 0, 1000, "pass"),
        (0, 0, 20, "cannot tell"),  # Twenty examples cannot show that a drop is below 2 points.
        (20, 25, 1000, "pass"),  # 0.5 points, and its 90% interval ends at 1.6.
        (60, 70, 1000, "cannot tell"),  # One point, but the 90% interval reaches 2.9.
        (0, 80, 1000, "regression"),
        (80, 0, 1000, "improvement"),
    ],
)
def test_noninferiority(tmp_path: Path, right: int, wrong: int, n: int, verdict: str) -> None:
    found = gate(tmp_path, *flips(right, wrong, n), ["overall:0"], mode="noninferiority", margin=0.02)
    assert verdicts(found) == {"overall": verdict}
    assert found.passed == (verdict in ("pass", "improvement"))


def test_the_p_of_noninferiority_is_that_of_a_normal_test_where_there_is_much_data(tmp_path: Path) -> None:
    (line,) = gate(tmp_path, *flips(100, 115, 3000), ["overall:0"], mode="noninferiority", margin=0.01).lines
    difference = -15 / 3000
    error = ((215 / 3000 - difference**2) / 3000) ** 0.5
    normal = stats.norm.sf((difference + 0.01) / error)
    assert line.p is not None
    assert normal < line.p < normal + 0.02  # Its limits are a little wider, because they hold for few flips too.


def test_a_rules_own_limit_is_its_margin(tmp_path: Path) -> None:
    found = gate(tmp_path, *flips(20, 25, 1000), ["overall:0.6%"], mode="noninferiority", margin=0.5)
    assert (found.lines[0].rule.limit, found.lines[0].verdict) == (0.006, "cannot tell")
    with pytest.raises(UsageError, match="needs a margin"):
        gate(tmp_path, "++", "++", mode="noninferiority")


# --- speed and counts -------------------------------------------------------------------------------------------


def timed(run: RunRecord, seconds: float, **environment: str) -> RunRecord:
    timing = replace(run.info.timing, scoring_seconds=seconds)
    return run.with_info(timing=timing, environment={**run.info.environment, **environment})


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(1.0, "pass"), (0.5, "pass"), (1.1, "pass"), (1.12, "regression"), (0.0, "cannot tell")]
)
def test_throughput(tmp_path: Path, seconds: float, verdict: str) -> None:
    """1 s to 1.1 s are 9.1% fewer completions a second, to 1.12 s are 10.7%."""
    run = run_of(write_rows(tmp_path / "rows.jsonl", ["a"] * 10), "+" * 10)
    found = check(timed(run, seconds), timed(run, 1.0), rules=[parse_rule("throughput:10%")])
    assert verdicts(found) == {"throughput": verdict}
    assert found.lines[0].baseline == 20
    assert found.warnings == ()


def test_throughput_of_other_machines_and_of_remembered_scores(tmp_path: Path) -> None:
    run = run_of(write_rows(tmp_path / "rows.jsonl", ["a"] * 10), "+" * 10)
    rules = [parse_rule("throughput:10%")]
    found = check(timed(run, 1.0, cpu="another", gpu="one"), timed(run, 1.0), rules=rules)
    assert found.warnings == ("throughput: the machines differ (cpu, gpu)",)
    remembered = timed(run, 0.01).with_info(accounting=Accounting(given=100, distinct=80, computed=20, padded=20))
    found = check(remembered, timed(run, 1.0), rules=rules)
    assert (found.lines[0].verdict, found.passed) == ("cannot tell", True)
    assert "was not measured: the candidate took scores from the journal" in found.lines[0].reason
    assert not check(remembered, timed(run, 1.0), rules=rules, mode="noninferiority").passed
    whole = remembered.with_info(accounting=Accounting(given=100, distinct=80, computed=80, padded=90))
    assert check(whole, timed(run, 1.0), rules=rules).lines[0].verdict == "pass"
    # What a run counted is believed, whatever its tokens look like.
    counted = Accounting(given=100, distinct=80, computed=20, padded=20, recalled=0)
    assert check(remembered.with_info(accounting=counted), timed(run, 1.0), rules=rules).lines[0].verdict == "pass"
    recalled = Accounting(given=100, distinct=80, computed=80, padded=80, recalled=1, recalled_from={"here": 1})
    found = check(remembered.with_info(accounting=recalled), timed(run, 1.0), rules=rules)
    assert found.lines[0].verdict == "cannot tell"


@pytest.mark.parametrize(
    ("rule", "verdict"), [("invalid:0", "regression"), ("invalid:1", "regression"), ("invalid:2", "pass")]
)
def test_invalid_examples(tmp_path: Path, rule: str, verdict: str) -> None:
    """One in the baseline, three in the candidate: two more."""
    found = gate(tmp_path, "n+++++", "inn+++", [rule])
    assert verdicts(found) == {"invalid": verdict}
    assert (found.lines[0].baseline, found.lines[0].candidate) == (1, 3)


def test_truncated_examples(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", ["a"] * 3)
    ours, theirs = run_of(data, "+!++"), run_of(data, "+!+!+")
    for rule, passed in (("truncated:0", False), ("truncated:1", True)):
        assert check(theirs, ours, rules=[parse_rule(rule)]).passed is passed
    assert check(ours, theirs, rules=[parse_rule("truncated:0")]).passed


# --- floors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("floor", "passed"),
    [
        (GateRule("x", "overall", None, 0.75), True),  # Three of four, exactly.
        (GateRule("x", "overall", None, 0.76), False),
        (GateRule("x", "subset", "a", 0.75), True),
        (GateRule("x", "subset", "a", 0.8), False),
        (GateRule("x", "invalid", None, 1), True),
        (GateRule("x", "invalid", None, 0), False),
        (GateRule("x", "truncated", None, 0), True),
    ],
)
def test_floors(tmp_path: Path, floor: GateRule, passed: bool) -> None:
    run = run_of(write_rows(tmp_path / "rows.jsonl", ["a"] * 5), "+++-n")
    found = check(run, floors=[floor])
    assert found.passed is passed
    assert found.comparison is None
    assert found.lines[0].baseline is None


def test_floors_of_sections_and_speed() -> None:
    run = evaluate("baseline:longest", "mini")
    floors = [GateRule("x", "section", "Safety", 0.5), GateRule("x", "throughput", None, 1e12)]
    assert verdicts(check(run, floors=floors)) == {"section Safety": "pass", "throughput": "regression"}
    with pytest.raises(UsageError, match="did you mean 'Safety'"):
        check(run, floors=[GateRule("x", "section", "Safty", 0.5)])


def test_a_floor_of_what_is_not_there(tmp_path: Path) -> None:
    run = run_of(write_rows(tmp_path / "rows.jsonl", ["a", "b"]), "+n")
    with pytest.raises(RunError, match="no example has finite scores"):
        check(run, floors=[GateRule("x", "subset", "b", 0.5)])
    remembered = run.with_info(accounting=Accounting(given=9, distinct=9, computed=0, padded=0))
    with pytest.raises(RunError, match="the journal gave scores"):
        check(remembered, floors=[GateRule("x", "throughput", None, 1)])


def test_rules_and_floors_together(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", ["a"] * 4)
    found = check(run_of(data, "+++-"), run_of(data, "+++-"), floors=[GateRule("x", "overall", None, 0.9)])
    assert [(line.verdict, line.failed) for line in found.lines] == [("pass", False), ("regression", True)]


def test_nothing_to_check(tmp_path: Path) -> None:
    run = run_of(write_rows(tmp_path / "rows.jsonl", ["a"] * 4), "+++-")
    with pytest.raises(UsageError, match="nothing to check"):
        check(run)

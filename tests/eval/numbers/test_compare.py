"""Two runs of the same examples: by hand, against the metrics, and what may not be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from rmeval import RunRecord, evaluate
from rmeval.errors import RunError, UsageError
from rmeval.eval.numbers.compare import Comparison, Flips, compare
from rmeval.eval.numbers.differences import Difference
from rmeval.eval.suites import Section, Suite
from tests.support.comparing import run_of, write_rows

MINI = ["mini-code"] * 3 + ["mini-arithmetic"] * 5


def pair(
    folder: Path, baseline: str, candidate: str, subsets: list[str], suite: str | Suite = "pairs"
) -> tuple[RunRecord, RunRecord]:
    data = write_rows(folder / "rows.jsonl", subsets)
    return run_of(data, baseline, suite), run_of(data, candidate, suite)


def compared(folder: Path, baseline: str, candidate: str, subsets: list[str] | None = None) -> Comparison:
    return compare(*pair(folder, baseline, candidate, subsets or ["a"] * len(baseline.replace("!", ""))))


def overall(found: Comparison) -> Difference:
    assert found.overall is not None
    return found.overall


# --- the numbers ------------------------------------------------------------------------------------------------


def test_by_hand(tmp_path: Path) -> None:
    """a: two of four right, then three; b: two of two, then none. Without weights each example counts alike."""
    found = compared(tmp_path, "+-+-++", "+++---", ["a"] * 4 + ["b"] * 2)
    a, b = found.subsets["a"], found.subsets["b"]
    assert (a.baseline, a.candidate, a.difference, a.n) == (0.5, 0.75, 0.25, 4)
    assert (a.flipped_to_right, a.flipped_to_wrong) == (1, 0)
    assert (a.p_drop, a.p_rise, a.p) == (1.0, 0.5, 1.0)
    assert (b.baseline, b.candidate, b.difference) == (1.0, 0.0, -1.0)
    assert (b.p_drop, b.p_rise, b.p) == (0.25, 1.0, 0.5)
    whole = overall(found)
    assert [whole.baseline, whole.candidate, whole.difference] == pytest.approx([4 / 6, 3 / 6, -1 / 6])
    assert (whole.n, whole.flipped_to_right, whole.flipped_to_wrong) == (6, 1, 2)
    assert found.flips == {"a": Flips(("e1",), ()), "b": Flips((), ("e4", "e5"))}
    assert found.sections == {}


def test_sections_and_overall_have_the_suites_weights(tmp_path: Path) -> None:
    """mini: code and arithmetic weigh 32 each in Reasoning; chat is a section of its own; both count alike."""
    subsets = [*MINI, "mini-chat-helpful", "mini-chat-helpful"]
    found = compare(*pair(tmp_path, "+++" + "+++++" + "++", "+--" + "++++-" + "+-", subsets, "mini"))
    reasoning = found.sections["Reasoning"]
    assert reasoning.difference == pytest.approx((-2 / 3 - 1 / 5) / 2)
    assert overall(found).difference == pytest.approx(((-2 / 3 - 1 / 5) / 2 - 1 / 2) / 2)
    assert list(found.sections) == ["Chat", "Reasoning"]


def test_a_run_against_itself(tmp_path: Path) -> None:
    found = compared(tmp_path, "++-=n" * 20, "++-=n" * 20, ["a", "b"] * 50)
    for item in (overall(found), *found.subsets.values()):
        assert (item.difference, item.p, item.p_drop, item.p_rise) == (0, 1, 1, 1)
        assert item.low < 0 < item.high
        assert (item.flipped_to_right, item.flipped_to_wrong) == (0, 0)
        assert item.smallest_detectable is not None


def test_accuracies_are_those_of_the_runs(tmp_path: Path) -> None:
    baseline, candidate = (evaluate(f"baseline:{name}", "mini") for name in ("random", "longest"))
    found = compare(baseline, candidate)
    for run, side in ((baseline, "baseline"), (candidate, "candidate")):
        results = run.info.results
        assert results.overall is not None
        assert getattr(overall(found), side) == pytest.approx(results.overall.accuracy, abs=1e-12)
        for name, estimate in results.sections.items():
            assert getattr(found.sections[name], side) == pytest.approx(estimate.accuracy, abs=1e-12)
        for name, subset in results.subsets.items():
            assert getattr(found.subsets[name], side) == pytest.approx(subset.accuracy, abs=1e-12)


def test_the_other_way_round(tmp_path: Path) -> None:
    ours, theirs = pair(tmp_path, "+" * 60 + "-" * 40, "+" * 50 + "-" * 45 + "+" * 5, ["a"] * 100)
    there, back = overall(compare(ours, theirs)), overall(compare(theirs, ours))
    assert there.difference == -back.difference
    assert (there.flipped_to_right, there.flipped_to_wrong) == (back.flipped_to_wrong, back.flipped_to_right)
    assert [there.low, there.high] == pytest.approx([-back.high, -back.low], abs=0.006)
    assert there.p_drop == pytest.approx(back.p_rise, abs=0.02)
    assert there.p == pytest.approx(2 * there.p_drop)


def test_a_subsets_p_is_mcnemars(tmp_path: Path) -> None:
    found = compared(tmp_path, "+" * 12 + "-" * 8 + "+" * 20, "-" * 12 + "+" * 3 + "-" * 5 + "+" * 20)
    assert found.subsets["a"].p_drop == pytest.approx(stats.binomtest(12, 15, alternative="greater").pvalue, rel=1e-9)
    assert found.subsets["a"].p == pytest.approx(stats.binomtest(12, 15).pvalue, rel=1e-9)


def test_the_p_of_the_whole_says_what_its_interval_says(tmp_path: Path) -> None:
    """One-sided p below 2.5% exactly where the 95% interval ends below 0."""
    for to_wrong in range(2, 16):
        baseline, candidate = "+" * 40 + "---", "-" * to_wrong + "+" * (40 - to_wrong) + "+++"
        item = overall(compared(tmp_path, baseline, candidate))
        assert (item.high < 0) == (item.p_drop < 0.025), (to_wrong, item)


def test_prompts_that_repeat_make_the_data_smaller(tmp_path: Path) -> None:
    subsets, baseline, candidate = ["a"] * 120, "+" * 120, "-" * 12 + "+" * 108
    apart = write_rows(tmp_path / "apart.jsonl", subsets)
    together = write_rows(tmp_path / "together.jsonl", subsets, [f"prompt {row // 4}" for row in range(120)])
    one = overall(compare(run_of(apart, baseline), run_of(apart, candidate)))
    other = overall(compare(run_of(together, baseline), run_of(together, candidate)))
    assert one.difference == other.difference
    assert other.high - other.low > 1.5 * (one.high - one.low)
    assert other.p_drop > one.p_drop
    assert compare(run_of(together, baseline), run_of(together, candidate)).subsets["a"].p_drop == 1 / 8  # Three coins.


def test_a_prompt_in_several_subsets_is_one(tmp_path: Path) -> None:
    """Six prompts, each in three subsets, all of which became wrong: six coins, whichever number one looks at."""
    subsets = [name for name in "abc" for _ in range(40)]
    prompts = [f"prompt {row}" for _ in "abc" for row in range(40)]
    baseline, candidate = "+" * 120, ("-" * 6 + "+" * 34) * 3
    shared = write_rows(tmp_path / "shared.jsonl", subsets, prompts)
    apart = write_rows(tmp_path / "apart.jsonl", subsets)
    one, other = (compare(run_of(data, baseline), run_of(data, candidate)) for data in (shared, apart))
    assert overall(one).p_drop == pytest.approx(1 / 64)
    assert overall(other).p_drop == pytest.approx(1 / 2**18)
    assert overall(one).high - overall(one).low > 1.6 * (overall(other).high - overall(other).low)
    alone = run_of(shared, baseline).info.results.overall
    separate = run_of(apart, baseline).info.results.overall
    assert alone is not None
    assert separate is not None
    assert 1 - alone.low > 2.5 * (1 - separate.low)


def write_promptless(file: Path, n: int) -> Path:
    """Rows whose completions begin apart, so that nothing is a prompt."""
    sides = (
        {"chosen": [{"role": "user", "content": f"yes {i}"}], "rejected": [{"role": "user", "content": "no"}]}
        for i in range(n)
    )
    file.write_text("".join(json.dumps({"id": f"e{i}", **each}) + "\n" for i, each in enumerate(sides)))
    return file


def test_rows_without_a_prompt_are_not_one_prompt(tmp_path: Path) -> None:
    """100% against 50% on 1,000 rows is a drop, and each run's interval is that of 1,000 rows."""
    data = write_promptless(tmp_path / "rows.jsonl", 1_000)
    good, bad = run_of(data, "+" * 1_000), run_of(data, "+-" * 500)
    found = overall(compare(good, bad))
    assert found.p_drop < 1e-9
    assert -0.54 < found.low < found.high < -0.46
    results = bad.info.results.overall
    assert results is not None
    expected = stats.binomtest(500, 1_000).proportion_ci(0.95, method="exact")
    assert (results.low, results.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_equal_results_are_equal(tmp_path: Path) -> None:
    """208 of 350 each, differently spread over subsets: their floats differ by 1e-18, their difference is 0."""
    subsets = ["a"] * 101 + ["b"] * 113 + ["c"] * 136
    one = "+" * 60 + "-" * 41 + "+" * 70 + "-" * 43 + "+" * 78 + "-" * 58
    other = "+" * 71 + "-" * 30 + "+" * 60 + "-" * 53 + "+" * 77 + "-" * 59
    assert one.count("+") == other.count("+") == 208
    ours, theirs = pair(tmp_path, one, other, subsets)
    for found in (compare(ours, theirs), compare(theirs, ours)):
        assert overall(found).difference == 0
        assert overall(found).baseline == overall(found).candidate == 208 / 350


def test_ties_are_wrong_and_invalid_examples_are_left_out_of_both(tmp_path: Path) -> None:
    found = compared(tmp_path, "+=+ni+", "=+n+n+")
    a = found.subsets["a"]
    assert (a.n, a.flipped_to_right, a.flipped_to_wrong) == (3, 1, 1)
    assert a.baseline == pytest.approx(2 / 3)
    assert found.invalid_in_baseline == ("e3", "e4")
    assert found.invalid_in_candidate == ("e2", "e4")
    assert "left out: 3 examples without a finite score (2 in the baseline, 2 in the candidate)" in found.warnings
    assert found.lost == ()


def test_a_subset_that_the_candidate_lost(tmp_path: Path) -> None:
    found = compared(tmp_path, "++++n", "++nnn", ["a", "a", "b", "b", "c"])
    assert list(found.subsets) == ["a"]
    assert found.lost == ("b",)  # Of c there was nothing to lose.


def test_truncated_examples_are_counted(tmp_path: Path) -> None:
    found = compared(tmp_path, "+!++", "+!-!+")
    assert (found.truncated_in_baseline, found.truncated_in_candidate) == (1, 2)


def test_rows_of_no_section_have_no_overall_number(tmp_path: Path) -> None:
    suite = Suite("sections-alone", "Sections", "nothing", weights={"only": {"Chat": Section(1, {"chat": 1})}})
    found = compare(*pair(tmp_path, "+-", "-+", ["of-my-own"] * 2, suite))
    assert found.overall is None
    assert list(found.subsets) == ["of-my-own"]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("+-=n"), st.sampled_from("+-=n")), min_size=1, max_size=25
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_outcomes(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    subsets, ours, theirs = (list(column) for column in zip(*rows, strict=True))
    valid = [(o, t) for _, o, t in rows if "n" not in o + t]
    if not valid:
        with pytest.raises(RunError, match="no example has finite scores in both runs"):
            compared(tmp_path, "".join(ours), "".join(theirs), subsets)
        return
    found = compared(tmp_path, "".join(ours), "".join(theirs), subsets)
    whole = overall(found)
    assert whole.n == len(valid) == sum(item.n for item in found.subsets.values())
    assert whole.flipped_to_right == sum(o != "+" and t == "+" for o, t in valid)
    assert whole.flipped_to_wrong == sum(o == "+" and t != "+" for o, t in valid)
    for item in (whole, *found.subsets.values()):
        assert -1 <= item.low <= item.difference <= item.high <= 1
        assert item.low < item.high
        assert 0 < min(item.p, item.p_drop, item.p_rise) <= max(item.p, item.p_drop, item.p_rise) <= 1


# --- what may be compared ---------------------------------------------------------------------------------------


def refused(baseline: RunRecord, candidate: RunRecord) -> str:
    with pytest.raises(UsageError) as caught:
        compare(baseline, candidate)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_other_suites_and_weights_are_refused(tmp_path: Path) -> None:
    run, _ = pair(tmp_path, "++", "++", ["alpacaeval-easy"] * 2, "rewardbench")
    assert "the baseline is of suite rewardbench, the candidate of mini" in refused(run, run.with_info(suite="mini"))
    other = refused(run, run.with_info(weights="2024-05"))
    assert "the baseline has the weights today, the candidate 2024-05" in other
    assert "of the suite 'x', which this rmeval does not know" in refused(
        run.with_info(suite="x"), run.with_info(suite="x")
    )
    with pytest.raises(RunError, match="no weights 'gone'"):
        compare(run.with_info(weights="gone"), run.with_info(weights="gone"))


def test_other_examples_are_refused_unless_asked_for(tmp_path: Path) -> None:
    both = write_rows(tmp_path / "both.jsonl", ["a", "a", "b"])
    more = write_rows(tmp_path / "more.jsonl", ["a", "a", "b", "b"])
    ours, theirs = run_of(both, "+++"), run_of(more, "+-+-")
    message = refused(ours, theirs)
    assert "0 only in the baseline, 1 only in the candidate, 3 in both" in message
    assert "--common-only" in message
    found = compare(ours, theirs, common_only=True)
    assert (found.not_common, overall(found).n, overall(found).flipped_to_wrong) == (1, 3, 1)
    assert "left out: 1 examples that only one of the runs has" in found.warnings


def test_an_example_is_common_only_with_the_same_content(tmp_path: Path) -> None:
    """The ids are the same in both files; one text differs."""
    ours = write_rows(tmp_path / "ours.jsonl", ["a", "a"])
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text(ours.read_text().replace("prompt 1", "another prompt"))
    found = compare(run_of(ours, "++"), run_of(theirs, "+-"), common_only=True)
    assert (found.not_common, overall(found).n, overall(found).flipped_to_wrong) == (2, 1, 0)
    answers = tmp_path / "answers.jsonl"
    answers.write_text(ours.read_text().replace('"no"', '"nope"'))
    with pytest.raises(UsageError, match="no example in common"):
        compare(run_of(ours, "++"), run_of(answers, "++"), common_only=True)


def test_another_order_is_other_data(tmp_path: Path) -> None:
    ours = write_rows(tmp_path / "ours.jsonl", ["a", "b"])
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text("\n".join(reversed(ours.read_text().splitlines())))
    assert "the same ones in another order" in refused(run_of(ours, "+-"), run_of(theirs, "-+"))
    assert compare(run_of(ours, "+-"), run_of(theirs, "-+"), common_only=True).flips == {
        "a": Flips((), ()),
        "b": Flips((), ()),
    }


def test_what_a_reader_must_know_is_warned_of(tmp_path: Path) -> None:
    ours, theirs = pair(tmp_path, "++", "++", ["a", "a"])
    assert compare(ours, theirs).warnings == ()
    model = replace(theirs.info.model, template_hash="other", max_length=512, untrained_head=True)
    other = theirs.with_info(model=model, partial=True, partial_reasons=("rows are missing",))
    assert compare(ours, other).warnings == (
        "the candidate's head is untrained: its scores are noise",
        "the candidate is partial: rows are missing",
        "the chat templates differ",
        "the maximum lengths differ: None and 512 tokens",
    )
    assert compare(other, other).warnings[-1] == "both runs are partial: rows are missing"
    line = ours.with_info(model=replace(ours.info.model, kind="baseline"))
    assert not [line for line in compare(line, other).warnings if "differ" in line]


def test_a_comparison_stays_the_same(tmp_path: Path) -> None:
    ours, theirs = pair(tmp_path, "++-+-", "+-++-", ["a"] * 5)
    assert compare(ours, theirs) == compare(ours, theirs)
    assert "prompts" not in repr(compare(ours, theirs))


def test_real_rows_of_rulers(shared_data: Path) -> None:
    """Random against longest on real rows: the length reference line is far below chance on the adversarial subsets."""
    data = str(shared_data / "rewardbench" / "filtered-partial.jsonl")
    random, longest = (evaluate(f"baseline:{name}", "rewardbench", dataset=data) for name in ("random", "longest"))
    found = compare(random, longest)
    assert found.sections["Chat Hard"].p_drop < 0.001
    assert found.sections["Chat Hard"].high < -0.1
    assert overall(found).n == longest.info.data.rows

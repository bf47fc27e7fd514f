"""What must be known beside the numbers: what stays in sight, what is one line, what is folded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rmeval import RunRecord, evaluate
from rmeval.reports.run.findings import ShownFinding, all_lines, errors, findings, in_one_line, together
from rmeval.run_info import in_short
from rmeval.types import Finding

REASONS = ("9 of 23 subsets missing (a, b)", "3 short (c 5/100)", "unverified local copy (rows of x, not of y)")
AUDIT = (
    Finding("truncated", "warning", 1392, ("a", "elsewhere")),
    Finding("non-finite-score", "error", 2, ("b",)),
    Finding("bos-once", "info", 7),
)


@pytest.fixture(scope="module")
def run() -> RunRecord:
    whole = evaluate("baseline:longest", "mini")
    return whole.with_info(partial=True, partial_reasons=REASONS, audit=AUDIT)


def test_reasons_in_short() -> None:
    assert in_short(REASONS) == "9 of 23 subsets missing, 3 short, unverified local copy"
    assert in_short([f"s{n} has 1 rows, not 2" for n in range(6)]).endswith("s3 has 1 rows, not 2, and 2 more")
    assert in_short(()) == ""


def test_errors_stand_apart_from_the_one_line(run: RunRecord) -> None:
    assert errors(run.info) == [
        "non-finite-score × 2: the model gave NaN or infinity: the example is left out of the accuracy"
    ]
    assert in_one_line(run.info) == (
        "partial: 9 of 23 subsets missing, 3 short, unverified local copy; warning: truncated × 1,392"
    )
    whole = run.with_info(partial=False, partial_reasons=(), audit=())
    assert (errors(whole.info), in_one_line(whole.info)) == ([], "")


def test_truncated_completions_say_of_how_many_examples(run: RunRecord) -> None:
    """The finding counts completions, the column of the tables examples: the line has both, so that they agree."""
    results = run.info.results
    (first, one), (second, other), *rest = results.subsets.items()
    subsets = {first: replace(one, truncated=900), second: replace(other, truncated=100), **dict(rest)}
    cut = run.with_info(results=replace(results, subsets=subsets), partial=False, partial_reasons=())
    assert in_one_line(cut.info) == "warning: truncated × 1,392 (1,000 examples)"


def test_many_warnings_stay_one_line(run: RunRecord) -> None:
    audit = tuple(Finding(f"own-{n}", "warning", n) for n in range(1, 6))
    many = run.with_info(partial=False, partial_reasons=(), audit=audit)
    assert in_one_line(many.info) == "warnings: own-1 × 1, own-2 × 2, own-3 × 3, 2 more"


def test_all_of_it_is_folded_and_links_to_what_the_page_has(run: RunRecord) -> None:
    first, *rest = findings(run.info, {"a", "b"}).folded
    assert (first.severity, first.examples) == ("error", ("b",))
    assert [each.text for each in rest[:3]] == list(REASONS)
    assert rest[3].examples == ("a",)
    assert rest[3].text.endswith("(such as elsewhere)")
    assert [severity for severity, _ in all_lines(run.info)] == ["partial"] * 3 + ["warning", "error", "info"]


def test_what_is_true_of_several_runs_is_said_once(run: RunRecord) -> None:
    other = run.with_info(audit=())
    known = together((letter, each.info, findings(each.info)) for letter, each in (("A", run), ("B", other)))
    assert known.line == (
        "partial: 9 of 23 subsets missing, 3 short, unverified local copy; A: warning: truncated × 1,392"
    )
    assert known.folded[1] == ShownFinding("partial", REASONS[0], (), ("A", "B"))
    assert [each.runs for each in known.folded] == [("A",), ("A", "B"), ("A", "B"), ("A", "B"), ("A",)]

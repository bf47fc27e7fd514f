"""What a run may be called, and what is said beside its numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from rmeval import RunRecord, evaluate
from rmeval.errors import UsageError
from rmeval.eval.scorers.base import Pointwise
from rmeval.reports.run.summary import describe, summary, title, warnings
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score


class OddFindings(Pointwise):
    """A scorer of the user's own, with a finding that rmeval does not know."""

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(name="odd", kind="odd", fingerprint="odd:1")

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        return [Score(float(-item.index), 1) for item in conversations]

    def findings(self) -> Sequence[Finding]:
        return [Finding("judge-refused", "warning", 2, ("e1",))]


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return evaluate("baseline:longest", "mini")


@pytest.mark.parametrize(
    ("suite", "partial", "expected"),
    [
        ("rewardbench", False, "RewardBench"),
        ("rewardbench", True, "PARTIAL: not a RewardBench result"),
        ("mini", False, "rmeval mini (smoke test)"),
        ("mini", True, "PARTIAL: not an rmeval mini (smoke test) result"),
        ("evalbiasbench", True, "PARTIAL: not an EvalBiasBench result"),
        ("rm-bench", True, "PARTIAL: not an RM-Bench result"),
        ("pairs", False, "Preference pairs"),
        ("pairs", True, "Preference pairs (partial)"),
    ],
)
def test_titles(run: RunRecord, suite: str, partial: bool, expected: str) -> None:
    assert title(run.with_info(suite=suite, partial=partial)) == expected


def test_a_suite_that_this_rmeval_does_not_know(run: RunRecord) -> None:
    with pytest.raises(
        UsageError,
        match="the run is of the suite 'rewardbench3', which this rmeval does not know; did you mean 'rewardbench'",
    ):
        title(run.with_info(suite="rewardbench3"))


def test_warnings_leave_out_what_is_only_information(run: RunRecord) -> None:
    audit = (
        Finding("truncated", "warning", 3, ("a", "b", "c", "d")),
        Finding("bos-once", "info", 7),
        Finding("untrained-head", "error", 1),
    )
    info = run.with_info(audit=audit, partial=True, partial_reasons=("only the first 3 examples asked for",))
    first, second, third = warnings(info)
    assert first == "partial: only the first 3 examples asked for"
    assert second.startswith("truncated × 3: completions longer than the maximum length")
    assert second.endswith("(such as a, b, c)")
    assert third.startswith("untrained-head × 1: ")
    assert "such as" not in third
    assert warnings(run) == []


def test_a_finding_of_a_scorer_of_the_users_own_is_told() -> None:
    run = evaluate(OddFindings(), "mini")
    (line,) = warnings(run)
    assert line.startswith("judge-refused × 2")


def test_describe() -> None:
    assert describe("duplicate-rows", 2, ()) == "duplicate-rows × 2: the same example occurs more than once in the data"


def test_summary_is_plain_json(run: RunRecord) -> None:
    found: Any = summary(run)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found) == {
        "reference_lines",
        "verdict",
        "suite", "model", "partial", "overall", "sections", "subsets", "rules", "views", "lengths", "best_of_n",
            "warnings", "path",
    }  # fmt: skip
    assert (found["suite"], found["model"], found["partial"], found["path"]) == (
        "mini",
        "baseline:longest",
        False,
        None,
    )
    assert set(found["overall"]) == {"accuracy", "low", "high"}
    assert found["overall"]["accuracy"] == 0.5  # The mini set is built so that length tells nothing.
    assert list(found["sections"]) == ["Chat", "Chat Hard", "Safety", "Reasoning"]
    lines = {name: each.sections["Chat"] for name, each in run.info.results.reference_lines.items()}
    assert found["sections"]["Chat"]["reference_lines"] == lines != {}
    assert list(found["lengths"]) == ["shorter", "similar", "longer"]
    assert found["lengths"]["longer"]["accuracy"] == 1.0 > found["lengths"]["longer"]["low"] > 0.9
    assert found["lengths"]["shorter"]["accuracy"] == 0.0
    assert found["best_of_n"] == []
    assert sum(group["n"] for group in found["lengths"].values()) == 256
    assert len(found["subsets"]) == 8
    for item in found["subsets"].values():
        assert set(item) == {
            "n", "accuracy", "low", "high", "ties", "partial", "invalid", "unparsed", "truncated", "reference_lines",
        }  # fmt: skip
        assert item["low"] < item["accuracy"] < item["high"]

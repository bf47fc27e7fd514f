"""RewardBench 2: 1/k in the best of four, and the formula of Ties by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from rmeval import evaluate
from rmeval.errors import DataError, UsageError
from rmeval.eval.numbers.weights import overall_mean
from rmeval.eval.scorers.base import Pointwise
from rmeval.eval.suites import get_suite
from rmeval.eval.suites.data import DataOptions, load_dataset
from rmeval.eval.suites.rewardbench2 import ties
from rmeval.reports.board.imports import read_imports
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score, ScoredExample

SUITE = get_suite("rewardbench2")
SUBSETS = {"Factuality": 475, "Precise IF": 160, "Math": 183, "Safety": 450, "Focus": 495, "Ties": 102}


class Written(Pointwise):
    """Gives each completion the number that it says."""

    info = ModelInfo("written", "script", "script:written")

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        return [Score(float(each.completion[0].content.split()[0]), 1) for each in conversations]

    def findings(self) -> Sequence[Finding]:
        return []


def row(subset: str, name: str, chosen: Sequence[float], rejected: Sequence[float]) -> dict[str, object]:
    """One row in the form of the data set: its metadata columns are there and not read."""
    sides = ([f"{value} of {name} {place}" for place, value in enumerate(side)] for side in (chosen, rejected))
    chosen_texts, rejected_texts = sides
    return {
        "id": name,
        "prompt": f"{subset} {name}?",
        "chosen": chosen_texts,
        "rejected": rejected_texts,
        "num_correct": len(chosen),
        "num_incorrect": len(rejected),
        "total_completions": len(chosen) + len(rejected),
        "models": ["a"] * (len(chosen) + len(rejected)),
        "subset": subset,
        "additional_metadata": {"category": None, "index": 1.0},
    }


def write(file: Path, rows: Sequence[object]) -> str:
    file.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return str(file)


def scored(tag: str, chosen: Sequence[float], rejected: Sequence[float]) -> ScoredExample:
    sizes = tuple([1] * len(chosen)), tuple([1] * len(rejected))
    return ScoredExample(tag, "Ties", tag, tuple(chosen), tuple(rejected), *sizes, tag=tag)


def number(*examples: ScoredExample) -> float:
    return ties(examples, [1.0] * len(examples))


def test_of_k_that_share_the_highest_score_the_first_gets_one_kth(tmp_path: Path) -> None:
    """Alone the highest: 1; shared by 2, 3, 4: 1/2, 1/3, 1/4; below: 0. So (1 + 1/2 + 1/3 + 1/4 + 0) / 5 = 5/12."""
    cases = [([9], [1, 2, 3]), ([3], [3, 2, 1]), ([3], [3, 3, 1]), ([3], [3, 3, 3]), ([2], [3, 1, 1])]
    data = write(tmp_path / "rows.jsonl", [row("Math", str(n), *each) for n, each in enumerate(cases)])
    found = evaluate(Written(), "rewardbench2", dataset=data).info.results.subsets["Math"]
    assert found.accuracy == pytest.approx(5 / 12, abs=1e-15)
    assert (found.n, found.right, found.ties) == (5, 1, 3)


def test_ties_at_their_highest() -> None:
    """Every gap is far above the spread: 0.3 + 0.3 + 0.2 + 0.2 + 0.01 · tanh(8/1 − 1)."""
    found = number(scored("ref:1", [9], [1]), scored("tied:1", [10, 9], [1, 0]))
    assert found == pytest.approx(1 + 0.01 * math.tanh(7), abs=1e-12)


def test_ties_by_hand() -> None:
    """Number 1: M_ref = 2, M_tied = 1, D = 3: accurate both, gap not above the spread, tanh(1/3 − 1).
    Number 2: M_ref = −1, M_tied = 4, D = 2: ref wrong, tied right, M_tied above D, the lesser gap not: tanh(−1/2 − 1).
    Number 3 has only a tied prompt, wrong; number 4 only a ref prompt, right: they count in the first two alone."""
    found = number(
        scored("ref:1", [5], [3, 0]),
        scored("tied:1", [7, 4], [3]),
        scored("ref:2", [1], [2]),
        scored("tied:2", [8, 6], [2, 1]),
        scored("tied:3", [3, 1], [2]),
        scored("ref:4", [1], [0]),
    )
    margins = (math.tanh(1 / 3 - 1) + math.tanh(-1 / 2 - 1)) / 2
    assert found == pytest.approx(0.30 * 2 / 3 + 0.30 * 2 / 3 + 0.20 * 1 / 2 + 0.20 * 0 + 0.01 * margins, abs=1e-12)


@pytest.mark.parametrize(("gap", "margin"), [(1.0, 1.0), (-1.0, -1.0), (0.0, 0.0)])
def test_no_spread(gap: float, margin: float) -> None:
    """D = 0: x/0 is ±infinite, so tanh ±1; 0/0 counts 0. A gap above 0 is above a spread of 0."""
    found = number(scored("ref:1", [9], [0]), scored("tied:1", [2, 2], [2 - gap]))
    above = gap > 0
    assert found == pytest.approx(0.30 * above + 0.30 + 0.20 * above + 0.20 * above + 0.01 * margin, abs=1e-12)


def test_a_prompt_without_a_partner_or_with_one_right_answer_has_no_margins() -> None:
    assert number(scored("ref:1", [2], [1])) == pytest.approx(0.30)
    assert number(scored("tied:1", [2, 3], [1])) == pytest.approx(0.30)
    assert number(scored("ref:1", [2], [1]), scored("tied:1", [2], [1])) == pytest.approx(0.60)


def test_the_whole_benchmark(tmp_path: Path) -> None:
    """All right, and Ties at its best: the overall number is the plain mean of six, and may be above 1."""
    rows: list[object] = []
    for name, count in SUBSETS.items():
        if name != "Ties":
            rows += [row(name, f"{name} {n}", [2], [1, 0, -1]) for n in range(count)]
    for n in range(51):
        rows += [row("Ties", f"ref:{n}", [100], [1]), row("Ties", f"tied:{n}", [100, 99.5, 99], [1, 2])]
    run = evaluate(Written(), "rewardbench2", dataset=write(tmp_path / "rows.jsonl", rows))
    results = run.info.results
    assert {name: each.n for name, each in results.subsets.items()} == SUBSETS
    assert results.overall is not None
    assert results.overall.accuracy == pytest.approx((5 + 1.01) / 6, abs=1e-6)
    assert results.overall.high >= results.overall.accuracy
    assert 0.9 < results.subsets["Ties"].low < 1 < results.subsets["Ties"].high  # type: ignore[operator]
    assert run.info.partial_reasons == (
        f"unverified local copy (rows of {run.info.data.dataset}, not of allenai/reward-bench-2 split test)",
    )
    assert "several-completions" not in {each.code for each in run.info.audit}


def test_ids_that_repeat_between_subsets_do_not_touch_ties(tmp_path: Path) -> None:
    rows = [row("Ties", "ref:0", [9], [1]), row("Ties", "tied:0", [10, 9], [1]), row("Math", "0", [2], [1, 0, 0])]
    rows += [row("Focus", "0", [2], [1, 0, 0])]
    run = evaluate(Written(), "rewardbench2", dataset=write(tmp_path / "rows.jsonl", rows))
    assert run.info.results.subsets["Ties"].accuracy == pytest.approx(1 + 0.01 * math.tanh(7))


def test_a_benchmark_that_is_read_otherwise_is_partial(tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", [row("Math", "0", [2], [1, 0, 0])])
    run = evaluate(Written(), "rewardbench2", dataset=data, columns={"rejected": "rejected[0]"})
    assert "rows read otherwise than the benchmark's (rejected=rejected[0])" in run.info.partial_reasons
    with pytest.raises(UsageError, match="rewardbench2 has a formula of its own"):
        evaluate(Written(), "rewardbench2", dataset=data, lists="each")


def test_a_tie_that_is_there_twice(tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", [row("Ties", "ref:1", [9], [1]), row("Ties", "ref:1", [8], [1])])
    with pytest.raises(DataError, match="line 2, column 'id': 'ref:1' is there twice"):
        load_dataset(SUITE, DataOptions(data))


def test_an_unparsed_verdict_is_wrong_in_the_formula(tmp_path: Path) -> None:
    """Of two numbers one's tied prompt has no verdict: 0.30 of half of them, and none of the rest for that number."""

    class Mute(Written):
        def score_conversations(
            self, conversations: Sequence[Conversation], progress: Progress | None = None
        ) -> list[Score]:
            return [Score(math.nan, status="unparsed") if "tied:1" in each.prompt[0].content
                    else Score(float(each.completion[0].content.split()[0])) for each in conversations]  # fmt: skip

    rows = [row("Ties", f"{kind}:{n}", side, [1]) for n in (0, 1) for kind, side in (("ref", [9]), ("tied", [10, 9]))]
    found = evaluate(Mute(), "rewardbench2", dataset=write(tmp_path / "rows.jsonl", rows)).info.results.subsets["Ties"]
    assert (found.n, found.unparsed) == (4, 1)
    # A spread of 0 and a gap of -1 stand for it: tanh of minus infinity.
    margins = (math.tanh(7) - 1) / 2
    assert found.accuracy == pytest.approx(0.30 / 2 + 0.30 + 0.20 / 2 + 0.20 / 2 + 0.01 * margins, abs=1e-6)


def test_an_id_of_ties_that_says_neither_kind(tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", [row("Ties", "7", [9], [1])])
    with pytest.raises(DataError, match=r"rows.jsonl line 1, column 'id': '7': of Ties it is ref:NUMBER"):
        load_dataset(SUITE, DataOptions(data))


def test_scores_of_ties_are_all_float32(tmp_path: Path) -> None:
    """Their values count, not their order: no margin is wide enough for low precision."""
    from rmeval.eval.refine import decisions_of

    data = write(tmp_path / "rows.jsonl", [row("Ties", "ref:0", [9], [1]), row("Math", "0", [2], [1, 0, 0])])
    tied, math_ = decisions_of(SUITE, load_dataset(SUITE, DataOptions(data)).examples)
    assert tied.places == (0, 1)
    assert math.isnan(tied.margin([Score(9.0, 1), Score(1.0, 1)]))
    assert (math_.high, math_.low) == ((2,), (3, 4, 5))


def test_published_overall_numbers_are_our_mean(shared_data: Path) -> None:
    """Numbers on model cards, rounded to 0.1: the overall one is the plain mean of six."""
    published = json.loads((shared_data / "reference-results" / "reward-bench-2.published.json").read_text())
    assert set(published["columns"][1:]) == set(SUBSETS)
    for each in published["rows"]:
        overall, *own = each["v"]
        subsets = dict(zip(published["columns"][1:], own, strict=True))
        found = overall_mean(SUITE, SUITE.sections("equal"), subsets, {})
        assert found == pytest.approx(overall, abs=0.1), each["model"]


def test_a_published_result_file(tmp_path: Path) -> None:
    """The form of ``eval-set/<org>/<model>.json``: the mean of six, and no other suite's."""
    numbers = {"Factuality": 0.8, "Focus": 0.9, "Math": 0.7, "Precise IF": 0.4, "Safety": 0.9, "Ties": 0.85}
    file = tmp_path / "m.json"
    file.write_text(
        json.dumps({"model": "m", "model_type": "Seq. Classifier", "chat_template": "tokenizer", **numbers})
    )
    ((entry,), ignored) = read_imports([file], None, None)
    assert (entry.suite.name, entry.weights, ignored) == ("rewardbench2", "equal", [])
    assert entry.overall is not None
    assert entry.overall.accuracy == pytest.approx(sum(numbers.values()) / 6)

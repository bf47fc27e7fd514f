"""RewardMATH: published scores of four models, and both forms of its rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from rmeval import ModelOptions, evaluate
from rmeval.errors import DataError


def steps(*texts: str, kind: str, problem: int = 0) -> dict[str, object]:
    return {"problem": f"p{problem}", "problem_id": problem, "eval_solution": list(texts), "solution_type": kind}


@pytest.mark.parametrize(
    ("name", "how", "accuracy", "with_ties"),
    [("ArmoRM", None, 20.50, 21.53), ("internlm2", None, 37.27, 37.27), ("gpt4o", None, 25.98, 51.75),
     ("Math_Shepherd", "prod", None, None), ("Math_Shepherd", "min", None, None)],
)  # fmt: skip
def test_published_scores(shared_data: Path, name: str, how: str | None, accuracy: float, with_ties: float) -> None:
    """Strict, with ties, and by reciprocal rank, sorted as the source sorts: by (score, "rej" or "cho"), reversed."""
    file = shared_data / "reference-results" / "rewardmath-scores" / f"{name}_reward.json"
    reduce: dict[str | None, Callable[..., float]] = {"prod": math.prod, "min": min, None: float}
    number = reduce[how]
    strict = ties = ranks = 0.0
    rows = json.loads(file.read_text())
    for row in rows:
        pairs = [
            (number(score), "cho" if writer == "human_to_GPT-4" else "rej")
            for writer, score in zip(row["ref"], row["score"], strict=True)
        ]
        right = min(score for score, side in pairs if side == "cho")
        wrong = max(score for score, side in pairs if side == "rej")
        strict, ties = strict + (right > wrong), ties + (right >= wrong)
        ranks += 1 / (1 + [side for _, side in sorted(pairs, reverse=True)].index("cho"))
    options = ModelOptions(steps=how)  # type: ignore[arg-type]
    results = evaluate(f"scores:{file}", "rewardmath", dataset=str(file), model_options=options).info.results
    assert results.overall is not None
    assert results.overall.accuracy == pytest.approx(strict / len(rows), abs=1e-12)
    assert results.rules["with-ties"].accuracy == pytest.approx(ties / len(rows), abs=1e-12)
    assert results.rules["mean-reciprocal-rank"].accuracy == pytest.approx(ranks / len(rows), abs=1e-12)
    if accuracy is not None:
        assert round(100 * strict / len(rows), 2) == accuracy
        assert round(100 * ties / len(rows), 2) == with_ties


def test_two_real_problems(shared_data: Path) -> None:
    """A right solution and nine wrong ones each, their steps joined by line feeds as the source does it."""
    file = shared_data / "suites" / "rewardmath-two-problems.json"
    rows = json.loads(file.read_text())
    expected = []
    for number in dict.fromkeys(row["problem_id"] for row in rows):
        own = [row for row in rows if row["problem_id"] == number]
        sizes = {
            kind: [len("\n".join(r["eval_solution"])) for r in own if r["solution_type"] == kind]
            for kind in ("chosen", "rejected")
        }
        assert (len(sizes["chosen"]), len(sizes["rejected"])) == (1, 9)
        expected.append(1 / (1 + sum(size >= sizes["chosen"][0] for size in sizes["rejected"])))
    run = evaluate("baseline:longest", "rewardmath", dataset=str(file))
    assert run.info.results.rules["mean-reciprocal-rank"].accuracy == pytest.approx(sum(expected) / 2, abs=1e-12)
    assert run.info.results.subsets["all"].right == sum(each == 1 for each in expected)
    assert run.scores.groupby("example_id").size().tolist() == [10, 10]


def test_rows_of_two_make_one_example_a_problem(shared_data: Path) -> None:
    real = json.loads((shared_data / "schema-rows" / "rewardmath.pairwise.row0.json").read_text())
    other = {**real, "eval_solution_A": ["wrong"], "eval_solution_B": real["eval_solution_A"], "chosen_position": "B"}
    run = evaluate("baseline:longest", "rewardmath", dataset=[real, other])
    assert run.scores["role"].tolist() == ["chosen", "rejected", "rejected"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([steps("a", kind="chosen")], "its problem has 1 right and 0 wrong solutions; one of RewardMATH has one right"),
        ([steps("a", kind="chosen"), steps("b", kind="good")], "column 'solution_type': 'good' is neither"),
        ([steps("a", kind="chosen"), {**steps("b", kind="rejected"), "problem": "q"}], "problem 0 has another text at"),
        ([{**steps("a", kind="chosen"), "eval_solution": 5}], "column 'eval_solution': expected a list of steps"),
        ([{"problem": "p"}], "a row has 'eval_solution' and 'solution_type', or two solutions and 'chosen_position'"),
    ],
)
def test_rows_that_are_not_of_the_benchmark(rows: list[dict[str, object]], words: str) -> None:
    with pytest.raises(DataError, match=words):
        evaluate("baseline:longest", "rewardmath", dataset=rows)

"""PPE: votes without ties, by language and by kind of prompt; sampled pairs of right and wrong answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval import evaluate, load_run
from rmeval.errors import DataError
from rmeval.eval.runner import recompute


def vote(winner: str, one: str, two: str, language: str = "English", **groups: bool) -> dict[str, object]:
    answers = {"prompt": f"{winner} {one} {two} {language}", "response_1": one, "response_2": two}
    return {"question_id": answers["prompt"], "winner": winner, "language": language, **answers, **groups}


def test_votes_that_are_ties_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        vote("model_a", "xx", "x", is_code=True, math_prompt=False),
        vote("model_b", "xx", "x", "German", is_code=True, math_prompt=True),
        vote("model_b", "x", "xx", "German", is_code=False, math_prompt=False),
        vote("tie", "x", "xx", is_code=True, math_prompt=True),
        vote("tie (bothbad)", "x", "xx", is_code=True, math_prompt=True),
    ]
    evaluate("baseline:longest", "ppe-preference", dataset=rows, output_dir=tmp_path / "run")
    run = load_run(tmp_path / "run")
    results = run.info.results
    assert results.overall is not None
    assert results.overall.accuracy == 2 / 3
    assert {name: each.accuracy for name, each in results.subsets.items()} == {"English": 1, "German": 1 / 2}
    assert {name: (each.n, each.accuracy) for name, each in results.views.items()} == {
        "code": (2, 1 / 2),
        "math": (1, 0),
    }
    assert [each.count for each in run.info.audit if each.code == "label-ties"] == [2]
    assert recompute(run) == results


def prompt(scores: list[object], pairs: list[list[int]], **more: object) -> dict[str, object]:
    answers = {f"response_{n + 1}": "x" * (n + 1) for n in range(len(scores))}
    return {"question_id": 7, "prompt": "q", "scores": scores, "sampled_conflict_pairs": pairs, **answers, **more}


def test_pairs_are_read_by_their_labels(tmp_path: Path) -> None:
    """Places count from 0, answers from 1; the member with the higher label is right, wherever it stands."""
    rows = {
        # Longer is right in [0, 1], wrong in [1, 2] and [2, 1]; [1, 0] is [0, 1] again.
        "PPE-GPQA-Best-of-K": prompt([False, True, False], [[0, 1], [1, 2], [2, 1], [1, 0]]),
        "PPE-MMLU-Pro-Best-of-K": prompt([1.0, 0.5, 1.0], [[0, 1], [0, 2]]),
        "PPE-MBPP-Plus-Best-of-K": prompt([0, 1], [[0, 1]]),
    }
    for name, row in rows.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_text(json.dumps(row) + "\n")
    run = evaluate("baseline:longest", "ppe-correctness", dataset=str(tmp_path))
    results = run.info.results
    assert {name: (each.n, each.right) for name, each in results.subsets.items()} == {
        "gpqa": (4, 2), "mmlu-pro": (1, 0), "mbpp-plus": (1, 1),
    }  # fmt: skip
    assert {name: each.accuracy for name, each in results.sections.items()} == {
        "MMLU-Pro": 0,
        "GPQA": 1 / 2,
        "MBPP-Plus": 1,
    }
    assert results.overall is not None
    assert results.overall.accuracy == 1 / 2
    assert {each.code: each.count for each in run.info.audit} == {"label-ties": 1, "duplicate-rows": 2}
    assert "2 sections without a row (MATH, IFEval)" in run.info.partial_reasons
    one = evaluate("baseline:longest", "ppe-correctness", dataset=str(tmp_path / "PPE-GPQA-Best-of-K"))
    assert list(one.info.results.subsets) == ["gpqa"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (prompt([1, 0], [[0, 5]], part="math"), "column 'scores': no number for answer 6"),
        (prompt([1, 0], [[0]], part="math"), "column 'sampled_conflict_pairs': expected a list of two places each"),
        (prompt([1, 1], [[0, 1]], part="math"), "no row has a pair of answers with other labels"),
        (prompt([1, 0], [[0, 1]]), "which set of PPE Correctness is it of"),
        (prompt([1, 0], [[0, 1]], part="math", response_2=None), "column 'rejected': null"),
    ],
)
def test_rows_that_are_not_of_the_benchmark(row: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        evaluate("baseline:longest", "ppe-correctness", dataset=[row])

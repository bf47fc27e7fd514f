"""``scores:FILE``: what somebody else measured, with our statistics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval import ModelOptions, evaluate
from rmeval.errors import ModelError, RmevalError, UsageError

ROWS = [
    {"id": "x", "prompt": "a", "chosen": "yes", "rejected": ["no", "never"]},
    {"id": "y", "prompt": "b", "chosen": "yes", "rejected": ["no", "never"]},
]


def write(file: Path, *rows: object) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"scores:{file}"


def right(model: str) -> list[bool]:
    run = evaluate(model, "pairs", dataset=ROWS)
    return [max(own[1:]) < own[0] for own in run.scores.groupby("example_id", sort=False)["score"].apply(list)]


def test_by_id_by_prompt_and_by_text(tmp_path: Path) -> None:
    by_id = write(
        tmp_path / "a.jsonl", {"example_id": "y", "scores": [1, 2, 0]}, {"example_id": "x", "scores": [3, 2, 0]}
    )
    by_prompt = write(
        tmp_path / "b.jsonl", {"question": "b", "score": [1, 2, 0]}, {"question": "a", "score": [3, 2, 0]}
    )
    texts = [("a", "yes", 3), ("a", "no", 2), ("a", "never", 0), ("b", "yes", 1), ("b", "no", 2), ("b", "never", 0)]
    by_text = write(tmp_path / "c.jsonl", *({"prompt": p, "completion": c, "score": s} for p, c, s in texts))
    assert right(by_id) == right(by_prompt) == right(by_text) == [True, False]


def test_rows_of_one_prompt_are_taken_in_order(tmp_path: Path) -> None:
    model = write(tmp_path / "a.jsonl", *({"prompt": "same", "scores": [k, 1]} for k in (2, 0)))
    rows = [{"id": str(k), "prompt": "same", "chosen": f"c{k}", "rejected": "r"} for k in range(2)]
    run = evaluate(model, "pairs", dataset=rows)
    assert run.scores["score"].tolist() == [2, 1, 0, 1]


def test_rows_of_one_prompt_are_never_guessed(tmp_path: Path) -> None:
    """Of two rows of one prompt with other scores and one such example it cannot be told which is its."""
    model = write(tmp_path / "a.jsonl", *({"prompt": "same", "scores": [k, 1 - k]} for k in (1, 0)))
    rows = [{"subset": each, "prompt": "same", "chosen": f"c{each}", "rejected": "r"} for each in "AB"]
    for _ in range(2):  # Asked twice, it says the same.
        found = evaluate(model, "pairs", dataset=rows).info.results.subsets
        assert (found["A"].right, found["B"].right) == (1, 0)
    with pytest.raises(ModelError, match="2 rows of one id or prompt with other scores, and 1 such examples"):
        evaluate(model, "pairs", dataset=rows, subsets=["B"])


def test_prompts_of_several_turns_are_told_apart(tmp_path: Path) -> None:
    def turns(first: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text} for role, text in (("user", first), ("assistant", "k"), ("user", "go"))]

    model = write(
        tmp_path / "a.jsonl", *({"prompt": turns(p), "scores": s} for p, s in (("a", [1, 0]), ("b", [-1, 0])))
    )
    rows = [{"id": each, "prompt": turns(each), "chosen": "yes", "rejected": "no"} for each in "ba"]
    assert evaluate(model, "pairs", dataset=rows).scores["score"].tolist() == [-1, 0, 1, 0]
    last = write(tmp_path / "b.jsonl", {"prompt": "go", "scores": [1, 0]})
    with pytest.raises(ModelError, match="has no score of any example"):
        evaluate(last, "pairs", dataset=rows)


def test_two_scores_of_one_text(tmp_path: Path) -> None:
    twice = [{"prompt": "p", "completion": "c", "score": k} for k in (1, 2)]
    with pytest.raises(ModelError, match=r"a\.jsonl line 2: another score of the same prompt and completion"):
        evaluate(write(tmp_path / "a.jsonl", *twice), "pairs", dataset=ROWS)


def test_a_csv_file(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text('id,scores\nx,"[3, 2, 0]"\ny,"[1, 2, 0]"\n')
    assert right(f"scores:{tmp_path / 's.csv'}") == [True, False]


def test_an_example_without_a_score_is_invalid_and_counted(tmp_path: Path) -> None:
    run = evaluate(write(tmp_path / "a.jsonl", {"id": "x", "scores": [3, 2, 0]}), "pairs", dataset=ROWS)
    found = run.info.results.subsets["all"]
    assert (found.n, found.right, found.invalid) == (1, 1, 1)
    assert run.info.partial


@pytest.mark.parametrize(("steps", "accuracy"), [("min", 0), ("max", 1), ("prod", 0), ("mean", 1), ("last", 1)])
def test_lists_of_steps(tmp_path: Path, steps: str, accuracy: int) -> None:
    """0.1 and 0.9 against 0.4 and 0.3: min 0.1 < 0.3, max 0.9 > 0.4, product 0.09 < 0.12, mean 0.5 > 0.35, last."""
    model = write(tmp_path / "a.jsonl", {"id": "x", "scores": [[0.1, 0.9], [0.4, 0.3]]})
    rows = [{"id": "x", "prompt": "a", "chosen": "yes", "rejected": "no"}]
    run = evaluate(model, "pairs", dataset=rows, model_options=ModelOptions(steps=steps))  # type: ignore[arg-type]
    assert run.info.results.subsets["all"].right == accuracy
    with pytest.raises(ModelError, match="say with --steps how they become one number"):
        evaluate(model, "pairs", dataset=rows)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"id": "x"}, "needs scores, a list, or prompt, completion and score"),
        ({"scores": [1, 2]}, "needs example_id or prompt"),
        ({"id": "x", "scores": ["a"]}, "a score is a str, not a number"),
        ({"id": "z", "scores": [1, 2, 3]}, "has no score of any example"),
        ({"id": "x", "scores": [1]}, "has no score of any example"),
        ({"id": "x", "scores": [10**400, 0, 0]}, "larger than any number of 64 bits"),
    ],
)
def test_files_that_say_too_little(tmp_path: Path, row: object, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        evaluate(write(tmp_path / "a.jsonl", row), "pairs", dataset=ROWS)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(RmevalError, match="no file of scores"):
        evaluate(f"scores:{tmp_path / 'none.jsonl'}", "pairs", dataset=ROWS)
    with pytest.raises(UsageError, match="--steps takes min, max, prod, mean, last, not 'sum'"):
        evaluate(write(tmp_path / "a.jsonl"), "pairs", dataset=ROWS, model_options=ModelOptions(steps="sum"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "steps", "accuracy"),
    [("ArmoRM", None, 20.50), ("internlm2", None, 37.27), ("gpt4o", None, None), ("Math_Shepherd", "prod", None)],
)
def test_rewardmath(shared_data: Path, name: str, steps: str | None, accuracy: float | None) -> None:
    """Published scores of 483 problems give the published accuracies: the right answer above nine wrong ones."""
    import math

    file = shared_data / "reference-results" / "rewardmath-scores" / f"{name}_reward.json"
    number = math.prod if steps else float
    rows = json.loads(file.read_text())
    expected = sum(number(row["score"][0]) > max(map(number, row["score"][1:])) for row in rows)
    columns = {"prompt": "problem", "chosen": "ref[0]", "rejected": "ref[1:]"}
    run = evaluate(
        f"scores:{file}",
        "pairs",
        columns=columns,
        model_options=ModelOptions(steps=steps),  # type: ignore[arg-type]
    )
    found = run.info.results.subsets["all"]
    assert (found.n, found.right) == (len(rows), expected)
    if accuracy is not None:
        assert round(100 * expected / 483, 2) == accuracy

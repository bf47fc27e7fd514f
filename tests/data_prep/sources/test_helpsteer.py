from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval.data_prep.sources import Dropped, Pair
from tests.support.pairing import drops, make, shown


def row(
    response: object, helpfulness: object, correctness: object, prompt: object = "Name a fruit."
) -> dict[str, object]:
    return {
        "prompt": prompt,
        "response": response,
        "helpfulness": helpfulness,
        "correctness": correctness,
        "coherence": 4,
        "complexity": 1,
        "verbosity": 2,
    }


FIG, ROCK, DATE, PEAR = row("Fig.", 3, 4), row("Rock.", 0, 1), row("Date.", 4, 3), row("Pear.", 4, 4)
SCORES = {"a:Fig.": 3.5, "a:Rock.": 0.5, "a:Date.": 3.5, "a:Pear.": 4.0}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([FIG, ROCK], ["Fig. > Rock."]),
        ([FIG, ROCK, PEAR], ["Fig. > Rock.", "Pear. > Fig.", "Pear. > Rock."]),
        (
            [FIG, ROCK, DATE, PEAR],  # Fig and Date are rated the same, 3.5.
            ["Fig. > Rock.", "equal-scores", "Pear. > Fig.", "Date. > Rock.", "Pear. > Rock.", "Pear. > Date."],
        ),
    ],
)
def test_all_pairs_of_a_prompts_answers(rows: list[dict[str, object]], expected: list[str]) -> None:
    made = make("helpsteer", *rows)
    found = []
    for each in made:
        if isinstance(each, Pair):
            prompt, chosen, rejected = shown(each)
            assert prompt == "u:Name a fruit."
            assert (each.chosen_score, each.rejected_score) == (SCORES[chosen], SCORES[rejected])
        found.append(each.reason if isinstance(each, Dropped) else f"{chosen[2:]} > {rejected[2:]}")
    assert found == expected
    assert len({each.group for each in made if isinstance(each, Pair)}) == 1


def test_rows_of_a_prompt_belong_together_wherever_they_stand() -> None:
    other = row("Oak.", 2, 2, prompt="Name a tree.")
    second = row("Elm.", 3, 3, prompt="Name a tree.")
    made = make("helpsteer", FIG, ROCK, other, second, PEAR)
    assert [each if isinstance(each, Dropped) else shown(each) for each in made] == [
        ("u:Name a fruit.", "a:Fig.", "a:Rock."),
        ("u:Name a fruit.", "a:Pear.", "a:Fig."),
        ("u:Name a fruit.", "a:Pear.", "a:Rock."),
        ("u:Name a tree.", "a:Elm.", "a:Oak."),
    ]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (row("Kiwi.", None, 4), ["pair: no-rating"]),
        (row("Kiwi.", 4, 5), ["pair: no-rating"]),
        (row("Kiwi.", 4, -1), ["pair: no-rating"]),
        (row("Kiwi.", True, 4), ["pair: no-rating"]),
        (row("Kiwi.", 4, float("nan")), ["pair: no-rating"]),
        (row("\t", 4, 4), ["pair: empty-text"]),
        (row("Fig.", 4, 4), ["pair: equal-texts"]),
        (row("Kiwi.", 4, 3), ["pair: equal-scores"]),
        # A row that cannot be read is no answer, and leaves the other one alone.
        (row(None, 4, 4), ["row: malformed", "row: lone-answer"]),
        (row(7, 4, 4), ["row: malformed", "row: lone-answer"]),
    ],
)
def test_what_becomes_of_a_bad_answer(bad: dict[str, object], expected: list[str]) -> None:
    assert drops("helpsteer", FIG, bad) == expected


def test_two_answers_are_left_of_three() -> None:
    made = make("helpsteer", row(None, 4, 4), FIG, ROCK)
    assert made[0] == Dropped("row", "malformed")
    assert [shown(each) for each in made[1:]] == [("u:Name a fruit.", "a:Fig.", "a:Rock.")]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [(None, "malformed"), (3, "malformed"), (["x"], "malformed"), ("", "empty-text"), (" \n", "empty-text")],
)
def test_rows_without_a_prompt_are_not_answers_of_one(prompt: object, reason: str) -> None:
    rows = [row("Fig.", 3, 4, prompt), row("Rock.", 0, 1, prompt)]
    assert drops("helpsteer", *rows) == 2 * [f"row: {reason}"]


def test_the_real_row(shared_data: Path) -> None:
    real = json.loads((shared_data / "schema-rows/helpsteer2.row0.json").read_text(encoding="utf-8"))
    assert set(real) == set(FIG)
    assert drops("helpsteer", real) == ["row: lone-answer"]
    (made,) = make("helpsteer", real, row("A language.", 2, 4, prompt=real["prompt"]))
    assert isinstance(made, Pair)
    assert (made.chosen[0].content, made.chosen_score, made.rejected_score) == (real["response"], 3.5, 3.0)

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval.data_prep.sources import Dropped, Pair
from tests.support.pairing import drops, make, shown

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")


def answer(response: object, *ratings: object, **changes: object) -> dict[str, object]:
    """An answer in the real schema; ratings in the order of ``ASPECTS``."""
    return {
        "model": "m",
        "principle": "honesty",
        "custom_system_prompt": "Be honest.",
        "response": response,
        "critique": "Fine.",
        "overall_score": 10.0,
        "fine-grained_score": 1.0,
        "annotations": {
            aspect: {"Rating": rating, "Rationale": "So."} for aspect, rating in zip(ASPECTS, ratings, strict=True)
        },
        **changes,
    }


def row(*completions: object, instruction: object = "Name a fruit.") -> dict[str, object]:
    return {
        "source": "evol_instruct",
        "instruction": instruction,
        "models": ["a", "b", "c", "d"],
        "completions": list(completions),
        "correct_answers": ["None"],
        "incorrect_answers": ["None"],
    }


FOUR = [
    answer("Fig.", "4", "5", "4", "5"),  # 4.5
    answer("Pear.", "5", "5", "5", "5"),  # 5
    answer("Rock.", "1", "2", "1", "1"),  # 1.25
    answer("Date.", "5", "4", "5", "4"),  # 4.5
]


def test_four_answers_of_which_two_tie_make_five_pairs() -> None:
    made = make("ultrafeedback", row(*FOUR))
    pairs = [each for each in made if isinstance(each, Pair)]
    assert [each for each in made if isinstance(each, Dropped)] == [Dropped("pair", "equal-scores")]
    found = [(*shown(each), each.chosen_score, each.rejected_score, each.key) for each in pairs]
    prompt = "u:Name a fruit."
    assert found == [
        (prompt, "a:Pear.", "a:Fig.", 5.0, 4.5, "0-1"),
        (prompt, "a:Fig.", "a:Rock.", 4.5, 1.25, "0-2"),
        (prompt, "a:Pear.", "a:Rock.", 5.0, 1.25, "1-2"),
        (prompt, "a:Pear.", "a:Date.", 5.0, 4.5, "1-3"),
        (prompt, "a:Date.", "a:Rock.", 4.5, 1.25, "2-3"),
    ]
    assert len({each.group for each in pairs}) == 1


def test_the_overall_score_is_not_read() -> None:
    """A known fault of the data: 10 stands where the critic said 1."""
    good = answer("Fig.", "5", "5", "5", "5", overall_score=1.0)
    bad = answer("Rock.", "1", "1", "1", "1", overall_score=10.0)
    (made,) = make("ultrafeedback", row(bad, good))
    assert shown(made) == ("u:Name a fruit.", "a:Fig.", "a:Rock.")


@pytest.mark.parametrize(
    "rating", ["N/A", "", None, "0", "6", "-1", "nan", "inf", "five", True, [], pytest.param(10**400, id="huge")]
)
def test_an_answer_without_all_ratings_makes_no_pair(rating: object) -> None:
    made = make("ultrafeedback", row(*FOUR[:3], answer("Date.", "5", rating, "5", "4")))
    assert [isinstance(each, Pair) for each in made] == [True, True, False, True, False, False]
    assert {each.reason for each in made if isinstance(each, Dropped)} == {"no-rating"}


def test_an_aspect_that_is_missing() -> None:
    some: list[object] = [{}, None, "N/A", [], {"honesty": {"Rating": "5"}}, dict.fromkeys(ASPECTS, "5")]
    for notes in some:
        bad = answer("Date.", *"5555", annotations=notes)
        assert drops("ultrafeedback", row(FOUR[0], bad)) == ["pair: no-rating"]


def test_ratings_may_be_numbers() -> None:
    (made,) = make("ultrafeedback", row(answer("Fig.", 4, 5.0, "4", "5"), FOUR[1]))
    assert isinstance(made, Pair)
    assert (made.chosen_score, made.rejected_score) == (5.0, 4.5)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (answer(" \n", *"5432"), "pair: empty-text"),
        (answer("Fig.", *"1111"), "pair: equal-texts"),
        (answer(None, *"5432"), "pair: malformed"),
        (answer(["Fig."], *"5432"), "pair: malformed"),
        ("... cut", "pair: malformed"),
        (None, "pair: malformed"),
    ],
)
def test_what_becomes_of_the_pairs_with_a_bad_answer(bad: object, reason: str) -> None:
    assert drops("ultrafeedback", row(FOUR[0], bad)) == [reason]
    assert drops("ultrafeedback", row(bad, FOUR[0])) == [reason]


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        (row(), ["row: lone-answer"]),
        (row(FOUR[0]), ["row: lone-answer"]),
        (row(*FOUR, instruction=None), ["row: malformed"]),
        ({**row(), "completions": None}, ["row: malformed"]),
        ({**row(), "completions": {"0": FOUR[0]}}, ["row: malformed"]),
        ({}, ["row: malformed"]),
        (row(*FOUR[:3], instruction=" "), 3 * ["pair: empty-text"]),
    ],
)
def test_what_becomes_of_a_bad_row(whole: dict[str, object], expected: list[str]) -> None:
    assert drops("ultrafeedback", whole) == expected


def test_the_real_row(shared_data: Path) -> None:
    text = (shared_data / "schema-rows/ultrafeedback.row53227.truncated.json").read_text(encoding="utf-8")
    real = json.loads(text)
    assert set(real) == set(row())
    assert set(real["completions"][0]) == set(FOUR[0])
    assert drops("ultrafeedback", real) == ["pair: malformed"]  # Its other answers are cut.
    (made,) = make("ultrafeedback", {**real, "completions": [FOUR[2], real["completions"][0]]})
    assert isinstance(made, Pair)
    assert made.chosen_score == real["completions"][0]["fine-grained_score"] == 4.5
    assert made.prompt[0].content == real["instruction"]

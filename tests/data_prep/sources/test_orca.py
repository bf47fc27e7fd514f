from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.pairing import drops, pair, shown


def row(**changes: object) -> dict[str, object]:
    """A row in the real schema: the second answer shown is the chosen one, and it is rated higher."""
    return {
        "system": "You are a baker.",
        "input": "Why is my bread flat?",
        "chosen": "Let it rise longer.",
        "rejected": " Old yeast.",
        "generations": [" Old yeast.", "Let it rise longer."],
        "order": ["rejected", "chosen"],
        "labelling_model": "gpt-4-1106-preview",
        "labelling_prompt": [{"content": "Rate them.", "role": "user"}],
        "raw_labelling_response": "7 9",
        "rating": [7.0, 9.0],
        "rationale": "So.",
        "status": "unchanged",
        "original_chosen": "Let it rise longer.",
        "original_rejected": " Old yeast.",
        "chosen_score": 9.0,
        "in_gsm8k_train": False,
        **changes,
    }


def test_the_pair_and_its_ratings() -> None:
    found = pair("orca", row())
    assert shown(found) == ("s:You are a baker. u:Why is my bread flat?", "a:Let it rise longer.", "a: Old yeast.")
    assert (found.chosen_score, found.rejected_score) == (9.0, 7.0)


def test_a_swapped_row_is_swapped_already() -> None:
    swapped = row(
        chosen=" Old yeast.",
        rejected="Let it rise longer.",
        rating=[9.0, 7.0],
        raw_labelling_response="9 7",
        status="swapped",
    )
    found = pair("orca", swapped)
    assert shown(found)[1:] == ("a: Old yeast.", "a:Let it rise longer.")
    assert (found.chosen_score, found.rejected_score) == (9.0, 7.0)


@pytest.mark.parametrize("system", ["", " \n", None])
def test_the_system_message_is_optional(system: object) -> None:
    assert shown(pair("orca", row(system=system)))[0] == "u:Why is my bread flat?"
    without = {name: value for name, value in row().items() if name != "system"}
    assert pair("orca", without) == pair("orca", row(system=system))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "tie"}, "pair: equal-scores"),
        ({"status": "tie", "rating": None}, "pair: equal-scores"),
        ({"rating": [8.0, 8.0]}, "pair: equal-scores"),
        ({"rating": None}, "pair: no-rating"),
        ({"rating": []}, "pair: no-rating"),
        ({"rating": [9.0]}, "pair: no-rating"),
        ({"rating": [9.0, 8.0, 7.0]}, "pair: no-rating"),
        ({"rating": [9.0, None]}, "pair: no-rating"),
        ({"rating": [9.0, True]}, "pair: no-rating"),
        ({"rating": [9.0, float("nan")]}, "pair: no-rating"),
        ({"rating": "9 7"}, "pair: no-rating"),
        ({"rating": [9.0, 7.0]}, "pair: contradicting-scores"),
        ({"rejected": "Let it rise longer."}, "pair: equal-texts"),
        ({"rejected": " "}, "pair: empty-text"),
        ({"input": ""}, "pair: empty-text"),
        ({"input": None}, "row: malformed"),
        ({"chosen": ["x"]}, "row: malformed"),
        ({"rejected": 3}, "row: malformed"),
        ({"system": 3}, "row: malformed"),
    ],
)
def test_what_is_dropped(changes: dict[str, object], reason: str) -> None:
    assert drops("orca", row(**changes)) == [reason]


@pytest.mark.parametrize("generations", [None, [], "x", ["a", "b"], [" Old yeast."]])
def test_generations_that_say_nothing_contradict_nothing(generations: object) -> None:
    assert pair("orca", row(generations=generations, rating=[9.0, 7.0])).chosen_score == 9.0


def test_the_real_row(shared_data: Path) -> None:
    text = (shared_data / "schema-rows/intel-orca-dpo-pairs.row0.truncated.json").read_text(encoding="utf-8")
    real = json.loads(text)
    assert set(real) == set(row())
    assert drops("orca", real) == ["pair: equal-scores"]
    found = pair("orca", {**real, "status": "unchanged", "rating": [9.0, 8.0]})
    assert shown(found) == (f"u:{real['input']}", f"a:{real['chosen']}", f"a:{real['rejected']}")

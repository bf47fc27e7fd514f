from __future__ import annotations

import pytest

from tests.support.pairing import drops, pair, shown


def said(*turns: str) -> list[dict[str, str]]:
    """Messages, the user's first."""
    return [{"content": turn, "role": ("user", "assistant")[place % 2]} for place, turn in enumerate(turns)]


def row(chosen: object, rejected: object, rating_chosen: object = 5, rating_rejected: object = 4) -> dict[str, object]:
    """A row in the real schema."""
    return {
        "source": "Airoboros",
        "conversation": [{"input": "Hi.", "output": "Hello!"}, {"input": "Tea?", "output": "Yes."}],
        "original_response": "Yes.",
        "generation_prompt": ["<s> Hi."],
        "raw_generation_responses": ["No."],
        "new_generations": ["No."],
        "prompt": "Tea?",
        "chosen": chosen,
        "rejected": rejected,
        "rating_chosen": rating_chosen,
        "rating_rejected": rating_rejected,
        "chosen_model": "original",
        "rejected_model": "openhermes-2.5",
    }


YES, NO = said("Hi.", "Hello!", "Tea?", "Yes."), said("Hi.", "Hello!", "Tea?", "No.")
SYSTEM = {"content": "Be brief.", "role": "system"}


def test_the_last_turn_is_compared() -> None:
    found = pair("capybara", row(YES, NO))
    assert shown(found) == ("u:Hi. a:Hello! u:Tea?", "a:Yes.", "a:No.")
    assert (found.chosen_score, found.rejected_score) == (5, 4)


def test_dialogues_may_part_earlier() -> None:
    found = pair("capybara", row(YES, said("Hi.", "What?", "Tea?", "No.")))
    assert shown(found) == ("u:Hi.", "a:Hello! u:Tea? a:Yes.", "a:What? u:Tea? a:No.")


def test_a_system_message_may_come_first() -> None:
    assert shown(pair("capybara", row([SYSTEM, *YES], [SYSTEM, *NO])))[0] == "s:Be brief. u:Hi. a:Hello! u:Tea?"
    blank = {"content": "", "role": "system"}
    assert shown(pair("capybara", row([blank, *YES], [blank, *NO])))[0] == "s: u:Hi. a:Hello! u:Tea?"
    assert drops("capybara", row([SYSTEM, SYSTEM, *YES], NO)) == ["pair: not-alternating"]
    assert drops("capybara", row([*YES, SYSTEM], NO)) == ["pair: not-alternating"]


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        (row(YES, NO, 4, 4), "pair: equal-scores"),
        (row(YES, NO, 4, "4.0"), "pair: equal-scores"),
        (row(YES, NO, 4, 5), "pair: contradicting-scores"),
        (row(YES, NO, None), "pair: no-rating"),
        (row(YES, NO, 5, True), "pair: no-rating"),
        (row(YES, NO, float("inf")), "pair: no-rating"),
        (row(YES, YES), "pair: equal-texts"),
        (row(YES, said("Hi.", "Hello!", "Tea?", " ")), "pair: empty-text"),
        (row(YES, said("Hi.", "", "Tea?", "No.")), "pair: empty-text"),
        (row(YES, []), "pair: empty-text"),
        (row([], []), "pair: empty-text"),
        (row([SYSTEM], NO), "pair: empty-text"),
        (row(YES, said("Hi.", "Hello!", "Tea?")), "pair: not-alternating"),
        (row(YES, [{"content": "Hi.", "role": "human"}, *NO[1:]]), "pair: not-alternating"),
        (row(YES, NO[1:]), "pair: not-alternating"),
        (row(YES, "No."), "row: malformed"),
        (row(YES, None), "row: malformed"),
        (row(["Hi."], NO), "row: malformed"),
        (row([{"role": "user"}], NO), "row: malformed"),
        (row([{"role": 1, "content": "Hi."}], NO), "row: malformed"),
        (row([{"role": "user", "content": None}], NO), "row: malformed"),
    ],
)
def test_what_is_dropped(whole: dict[str, object], reason: str) -> None:
    assert drops("capybara", whole) == [reason]

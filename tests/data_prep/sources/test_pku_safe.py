from __future__ import annotations

import pytest

from tests.support.pairing import drops, pair, shown


def row(safe_0: object, safe_1: object, better: object = 0, **changes: object) -> dict[str, object]:
    """A row in the schema of the data card."""
    return {
        "prompt": "How do I open a lock?",
        "response_0": "Call a locksmith.",
        "response_1": "Use your key.",
        "is_response_0_safe": safe_0,
        "is_response_1_safe": safe_1,
        "better_response_id": better,
        "safer_response_id": 0,
        **changes,
    }


@pytest.mark.parametrize(
    ("safe_0", "safe_1", "better", "expected"),
    [
        (True, False, 0, 0),
        (True, False, 1, 0),  # The unsafe one helps more.
        (False, True, 0, 1),
        (False, True, 1, 1),
        (True, True, 0, 0),
        (True, True, 1, 1),
        (True, False, None, 0),  # Which helps more does not matter.
    ],
)
def test_safe_over_unsafe_then_the_more_helpful(safe_0: bool, safe_1: bool, better: object, expected: int) -> None:
    answers = ["a:Call a locksmith.", "a:Use your key."]
    found = pair("pku-safe-rlhf", row(safe_0, safe_1, better))
    assert shown(found) == ("u:How do I open a lock?", answers[expected], answers[1 - expected])


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        (row(False, False), "pair: both-unsafe"),
        (row(False, False, None), "pair: both-unsafe"),
        (row(True, True, None), "row: malformed"),
        (row(True, True, 2), "row: malformed"),
        (row(True, True, True), "row: malformed"),
        (row(True, None), "row: malformed"),
        (row(1, 0), "row: malformed"),
        (row("True", "False"), "row: malformed"),
        (row(True, False, prompt=None), "row: malformed"),
        (row(True, False, response_1=["x"]), "row: malformed"),
        (row(True, False, response_1=""), "pair: empty-text"),
        (row(True, False, prompt="\n"), "pair: empty-text"),
        (row(True, False, response_1="Call a locksmith."), "pair: equal-texts"),
    ],
)
def test_what_is_dropped(whole: dict[str, object], reason: str) -> None:
    assert drops("pku-safe-rlhf", whole) == [reason]

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data_prep.sources.base import Dropped, Pair
from rmeval.data_prep.sources.common import (
    RatedAnswer,
    UnusableRow,
    all_pairs,
    assistant,
    group_of,
    is_blank,
    judged,
    messages,
    number,
    split_prompt,
    text,
    user,
)
from rmeval.types import Message, Messages


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0),
        (2.5, 2.5),
        ("4", 4.0),
        (" 4.5\n", 4.5),
        ("-1e2", -100.0),
        (0, 0.0),
        (True, None),
        (False, None),
        ("True", None),
        ("N/A", None),
        ("", None),
        (None, None),
        ([1], None),
        ({"Rating": 1}, None),
        (math.nan, None),
        ("nan", None),
        (math.inf, None),
        ("-infinity", None),
        pytest.param(10**400, None, id="huge"),
        pytest.param("9" * 5000, None, id="long"),
    ],
)
def test_number(value: object, expected: float | None) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(1, 1.0), (5, 5.0), ("5.0", 5.0), (0.999, None), (5.001, None)])
def test_number_on_a_scale(value: object, expected: float | None) -> None:
    assert number(value, 1, 5) == expected


@given(st.text(alphabet=" \t\n\r\x0b\x0c\x1c\x85\u00a0\u2003\u3000\u200ba"))
def test_blank(value: str) -> None:
    assert is_blank(value) == (value.strip() == "")


def test_text_and_messages_are_mended() -> None:
    row = {"a": "x\ud83d", "b": [{"role": "us\udc00er", "content": "\udfff!"}]}
    assert text(row, "a") == "x\ufffd"
    assert messages(row, "b") == (Message("us\ufffder", "\ufffd!"),)
    assert text({"a": "\U0001f600"}, "a") == "\U0001f600"
    for column in ("b", "c"):
        with pytest.raises(UnusableRow, match="malformed"):
            text(row, column)


TURNS = st.sampled_from([Message(role, content) for role in ("user", "assistant") for content in "ab"])


@given(st.lists(TURNS, max_size=5).map(tuple), st.lists(TURNS, max_size=5).map(tuple))
def test_split_prompt_finds_the_longest_common_beginning(chosen: Messages, rejected: Messages) -> None:
    prompt, *rests = split_prompt(chosen, rejected)
    assert [prompt + rest for rest in rests] == [chosen, rejected]
    # A turn longer, it would not be common, or would leave a side with nothing.
    longer = len(prompt) + 1
    assert chosen[:longer] != rejected[:longer] or min(len(chosen), len(rejected)) <= longer
    assert rests[0] or not chosen
    assert rests[1] or not rejected


def test_groups_tell_messages_apart() -> None:
    conversations: list[Messages] = [
        (),
        user(""),
        user("a"),
        assistant("a"),
        user("ab"),
        user("a") + user("b"),
        user("b") + user("a"),
        user("a") + assistant("b"),
        user("a4,1\nuserb"),
    ]
    groups = [group_of(each) for each in conversations]
    assert len(set(groups)) == len(groups)
    assert groups == [group_of(each) for each in conversations]
    assert all(len(group) == 16 for group in groups)


def test_reasons_in_their_order() -> None:
    """A pair with all faults shows the first; each that is mended shows the next."""
    blank, yes, no = assistant(" "), assistant("Yes."), assistant("No.")
    tea = user("Tea?")

    def reason(
        prompt: Messages, chosen: Messages, rejected: Messages, high: float | None = None, low: float | None = None
    ) -> str:
        made = judged(Pair(prompt, chosen, rejected, "", high, low))
        return made.reason if isinstance(made, Dropped) else "kept"

    assert reason(tea + tea, blank, blank, 1, 1) == "empty-text"
    assert reason(tea + tea, yes, yes, 1, 1) == "not-alternating"
    assert reason(tea, yes, yes, 1, 1) == "equal-texts"
    assert reason(tea, yes, no, 1, 1) == "equal-scores"
    assert reason(tea, yes, no, 1, 2) == "kept"
    assert reason(tea, yes, no) == "kept"


def test_a_flaw_of_either_side_drops_the_pair() -> None:
    good, bad = assistant("Yes."), user("Yes.")
    for sides in ((good, bad), (bad, good)):
        assert judged(Pair(user("Tea?"), *sides, "")) == Dropped("pair", "not-alternating")


@given(st.lists(st.one_of(st.sampled_from(["no-rating", "malformed"]), st.integers(0, 3)), max_size=7))
def test_all_pairs_against_a_count(drawn: list[int | str]) -> None:
    """Answers as scores alone, each with a text of its own."""
    answers = [each if isinstance(each, str) else RatedAnswer(f"{place}", each) for place, each in enumerate(drawn)]
    made = list(all_pairs("Tea?", answers))
    assert len(made) == len(drawn) * (len(drawn) - 1) // 2
    scores = [each for each in drawn if isinstance(each, int)]
    differing = sum(scores[i] != scores[j] for i in range(len(scores)) for j in range(i))
    pairs = [each for each in made if isinstance(each, Pair)]
    assert len(pairs) == differing
    assert len({each.key for each in pairs}) == differing
    for each in pairs:
        places = int(each.chosen[0].content), int(each.rejected[0].content)
        assert (each.chosen_score, each.rejected_score) == (drawn[places[0]], drawn[places[1]])
        assert each.chosen_score > each.rejected_score  # type: ignore[operator]
        assert each.key == f"{min(places)}-{max(places)}"

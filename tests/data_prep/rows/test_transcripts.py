from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data_prep.rows.transcripts import is_transcript, parse_transcript
from rmeval.errors import DataError
from rmeval.types import Message


def user(text: str) -> Message:
    return Message("user", text)


def assistant(text: str) -> Message:
    return Message("assistant", text)


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("\n\nHuman: Hi.\n\nAssistant: Hello!", [user("Hi."), assistant("Hello!")]),
        ("\n\nAssistant: Hello!", [assistant("Hello!")]),
        # Neighbours of one role, and empty turns, stay as they are.
        (
            "\n\nHuman: a\n\nHuman: b\n\nAssistant:\n\nAssistant: c",
            [user("a"), user("b"), assistant(""), assistant("c")],
        ),
        ("\n\nHuman:", [user("")]),
        # White space around a turn goes, white space within stays.
        ("\n\nHuman:  a \n\n b\t\n\n\nAssistant: c\n", [user("a \n\n b"), assistant("c")]),
        # Without a blank line before it, or in another case, it is text.
        ("\n\nHuman: x\nHuman: y Assistant: z\n\nhuman: w", [user("x\nHuman: y Assistant: z\n\nhuman: w")]),
        ("\n\nHuman: x\n\nHuman says: y", [user("x\n\nHuman says: y")]),
        # Copies that were stripped have lost the first blank line.
        ("Human: x\n\nAssistant: y", [user("x"), assistant("y")]),
        (" \nHuman: x\nHuman: y\n\nAssistant: z", [user("x\nHuman: y"), assistant("z")]),
    ],
)
def test_turns(text: str, turns: list[Message]) -> None:
    assert is_transcript(text)
    assert parse_transcript(text) == tuple(turns)


@pytest.mark.parametrize("text", ["", " \n", "human: Hi.", "Human Hi.", "x\n\nHuman: Hi.", "\n\nUser: Hi."])
def test_what_does_not_begin_with_a_marker_is_no_transcript(text: str) -> None:
    assert not is_transcript(text)
    with pytest.raises(DataError, match="not an hh-rlhf transcript"):
        parse_transcript(text)


@given(st.lists(st.tuples(st.sampled_from(["Human", "Assistant"]), st.text(alphabet="ab: \n")), min_size=1))
def test_written_turns_are_read_back(turns: list[tuple[str, str]]) -> None:
    text = "".join(f"\n\n{name}: {content}" for name, content in turns)
    roles = {"Human": "user", "Assistant": "assistant"}
    assert parse_transcript(text) == tuple(Message(roles[name], content.strip()) for name, content in turns)


def test_real_transcripts(shared_data: Path) -> None:
    with open(shared_data / "preferences/hh-rlhf-harmless-base-test.jsonl", encoding="utf-8") as lines:
        texts = [text for line in lines for text in json.loads(line).values()]
    assert len(texts) == 2 * 2312
    for text in texts:
        turns = parse_transcript(text)
        assert turns[0].role == "user"
        assert len(turns) == text.count("\n\nHuman:") + text.count("\n\nAssistant:")

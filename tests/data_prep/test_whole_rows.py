"""Prompts in texts, system columns and tools: what of a row belongs to its conversations is read, named or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rmeval.data_prep.examples import to_examples
from rmeval.data_prep.rows import load_rows
from rmeval.data_prep.score_rows import scorable_rows
from rmeval.data_prep.stream import open_source
from rmeval.errors import DataError
from rmeval.types import Example, Finding, Message

QUESTION = "What is the capital of France?"
HELLO, WELL = {"role": "user", "content": "hello"}, {"role": "assistant", "content": "well"}


def read(folder: Path, *rows: dict[str, Any]) -> tuple[list[Example], dict[str, Finding]]:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    examples, findings = to_examples(load_rows(str(file)), default_subset="all")
    return examples, {each.code: each for each in findings}


def texts(example: Example) -> list[str]:
    return [message.content for each in example.completions for message in each]


# --- the prompt, a second time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("between", [" ", "\n\n", " \n"])
def test_texts_that_begin_with_the_prompt_lose_it(tmp_path: Path, between: str) -> None:
    row = {"prompt": QUESTION, "chosen": f"{QUESTION}{between}Paris.", "rejected": f"{QUESTION}{between}Rome."}
    (example,), findings = read(tmp_path, row)
    assert example.prompt == (Message("user", QUESTION),)
    assert texts(example) == ["Paris.", "Rome."]
    assert (findings["prompt-repeated"].count, findings["prompt-repeated"].examples) == (1, (example.id,))


@pytest.mark.parametrize(
    ("prompt", "chosen", "rejected"),
    [
        (QUESTION, f"{QUESTION} Paris.", "Rome."),  # One of them quotes it.
        ("Hello", "Hello! How are you?", "Hello there."),  # Few words, which an answer may well begin with.
        (QUESTION, QUESTION, f"{QUESTION} Rome."),  # Nothing would be left of the one.
        (QUESTION[:-1], f"{QUESTION} Paris.", f"{QUESTION[:-1]}-Comte? Besançon."),  # It goes on within a word.
    ],
)
def test_texts_that_only_seem_to_repeat_the_prompt_are_kept(
    tmp_path: Path, prompt: str, chosen: str, rejected: str
) -> None:
    (example,), findings = read(tmp_path, {"prompt": prompt, "chosen": chosen, "rejected": rejected})
    assert texts(example) == [chosen, rejected]
    assert "prompt-repeated" not in findings


def test_indentation_behind_a_repeated_prompt_is_the_answers(tmp_path: Path) -> None:
    prompt = 'def f(x):\n    """Return one more than x."""\n'
    (example,), _ = read(
        tmp_path, {"prompt": prompt, "chosen": f"{prompt}    return x + 1", "rejected": f"{prompt}return x + 1"}
    )
    assert texts(example) == ["    return x + 1", "return x + 1"]


@pytest.mark.parametrize("prompt", ["\n\nAssistant:", "Assistant:"])
def test_a_transcript_without_a_question_is_text(tmp_path: Path, prompt: str) -> None:
    (example,), _ = read(tmp_path, {"prompt": prompt, "chosen": "a", "rejected": "b"})
    assert example.prompt == (Message("user", prompt),)


DIALOGUE = "\n\nHuman: Hi.\n\nAssistant: Hello!\n\nHuman: Why?\n\nAssistant:"


@pytest.mark.parametrize("repeated", [True, False])
def test_a_prompt_that_is_a_transcript_is_parsed(tmp_path: Path, repeated: bool) -> None:
    """hh-rlhf with a prompt column: the dialogue is one, whether the answers repeat it or not."""
    before = DIALOGUE if repeated else ""
    (example,), _ = read(
        tmp_path, {"prompt": DIALOGUE, "chosen": f"{before} Because.", "rejected": f"{before} Who knows?"}
    )
    (plain,), _ = read(tmp_path, {"chosen": f"{DIALOGUE} Because.", "rejected": f"{DIALOGUE} Who knows?"})
    assert (example.prompt, example.chosen, example.rejected) == (plain.prompt, plain.chosen, plain.rejected)
    assert [message.role for message in example.prompt] == ["user", "assistant", "user"]


def test_score_strips_the_prompt_as_pairs_does(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"prompt": QUESTION, "completions": [f"{QUESTION} A", f"{QUESTION} B"]}))
    (row,) = scorable_rows(open_source(str(file)))
    assert [each.completion for each in row.conversations] == [(Message("assistant", text),) for text in "AB"]
    assert row.noticed == ("prompt-repeated",)


# --- columns of the conversation --------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["system", "system_prompt"])
def test_a_system_column_is_the_first_message(tmp_path: Path, column: str) -> None:
    system = Message("system", "Be brief.")
    rows: list[dict[str, Any]] = [
        {column: "Be brief.", "prompt": QUESTION, "chosen": "Paris.", "rejected": "Rome."},
        {column: " ", "prompt": QUESTION, "chosen": "Paris.", "rejected": "Rome."},
        {
            column: "Be brief.",
            "prompt": [{"role": "system", "content": "Be long."}, HELLO],
            "chosen": [WELL],
            "rejected": "no",
        },
        {
            column: "Be brief.",
            "prompt": [HELLO],
            "chosen": [HELLO, WELL],
            "rejected": [HELLO, {**WELL, "content": "no"}],
        },
    ]
    examples, findings = read(tmp_path, *rows)
    assert (findings["system-column"].severity, findings["system-column"].count) == ("info", 2)
    assert [example.prompt[0] == system for example in examples] == [True, False, False, True]
    assert [len(example.prompt) for example in examples] == [2, 1, 2, 2]
    assert [len(example.chosen[0]) for example in examples] == [1, 1, 1, 1]


def test_without_a_prompt_column_a_system_column_counts_too(tmp_path: Path) -> None:
    row = {"system": "Be brief.", "chosen": [HELLO, WELL], "rejected": [HELLO, {**WELL, "content": "no"}]}
    (example,), _ = read(tmp_path, row)
    assert example.prompt == (Message("system", "Be brief."), Message("user", "hello"))
    file = tmp_path / "messages.jsonl"
    file.write_text(json.dumps({"system": "Be brief.", "messages": [HELLO, WELL]}))
    (scored,) = scorable_rows(open_source(str(file)))
    assert scored.conversations[0].messages[0] == Message("system", "Be brief.")


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "prompt": [HELLO],
            "chosen": [{**WELL, "reasoning_content": "hm"}],
            "rejected": "no",
            "tools": [{"type": "function"}],
            "history": [],
            "images": None,
            "note": "of no conversation",
        },
        {"prompt": [HELLO], "chosen": [{**WELL, "name": None}], "rejected": "no", "history": [["a", "b"]]},
    ]
    _, findings = read(tmp_path, *rows)
    assert findings["unread-columns"].examples == ("chosen[].reasoning_content", "history", "tools")
    assert findings["unread-columns"].severity == "warning"
    plain: list[dict[str, Any]] = [{"prompt": [HELLO], "chosen": [WELL], "rejected": "no", "tools": []}]
    assert "unread-columns" not in read(tmp_path, *plain)[1]


@pytest.mark.parametrize("content", ["", "Let me look.", None])
def test_tool_calls_are_refused(tmp_path: Path, content: str | None) -> None:
    call = {"role": "assistant", "content": content, "tool_calls": [{"function": {"name": "weather"}}]}
    with pytest.raises(DataError, match=r"line 1, column 'chosen': message 1 has tool_calls, which are not read"):
        read(tmp_path, {"prompt": QUESTION, "chosen": [call], "rejected": [WELL]})


# --- answers that look like messages ----------------------------------------------------------------------------


def test_an_answer_that_only_begins_like_messages_is_text(tmp_path: Path) -> None:
    text = """[{"role": "user", "content": "x"}] is what you need."""
    (example,), _ = read(tmp_path, {"prompt": QUESTION, "chosen": text, "rejected": "no"})
    assert texts(example) == [text, "no"]


def test_sharegpts_keys_in_json_text_are_named(tmp_path: Path) -> None:
    text = json.dumps([{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}])
    with pytest.raises(DataError, match="messages with 'from' and 'value': rename them to 'role' and 'content'"):
        read(tmp_path, {"chosen": text, "rejected": text})

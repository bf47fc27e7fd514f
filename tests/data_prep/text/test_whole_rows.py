"""Prompts in texts, system columns and tools: what of a row belongs to its conversations is read, named or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.data_prep.rows.examples import fingerprint, to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.data_prep.rows.scorable import scorable_rows
from rmeval.data_prep.rows.stream import open_source
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
            "chosen": [{**WELL, "weight": 1}],
            "rejected": "no",
            "tools": [{"type": "function"}],
            "history": [],
            "images": None,
            "note": "of no conversation",
        },
        {"prompt": [HELLO], "chosen": [{**WELL, "name": None}], "rejected": "no", "history": [["a", "b"]]},
    ]
    _, findings = read(tmp_path, *rows)
    assert findings["unread-columns"].examples == ("chosen[].weight", "history", "tools")
    assert findings["unread-columns"].severity == "warning"
    plain: list[dict[str, Any]] = [{"prompt": [HELLO], "chosen": [WELL], "rejected": "no", "tools": []}]
    assert "unread-columns" not in read(tmp_path, *plain)[1]


@pytest.mark.parametrize("content", ["", "Let me look.", None])
@pytest.mark.parametrize("arguments", [{"city": "Paris", "at": 7}, '{"city": "Paris", "at": 7}'])
def test_tool_calls_belong_to_a_message(tmp_path: Path, content: str | None, arguments: object) -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": arguments}}]
    call = {"role": "assistant", "content": content, "tool_calls": calls}
    result = {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": "18"}
    row = {"prompt": QUESTION, "chosen": [call, result, WELL], "rejected": [{**call, "tool_calls": json.dumps(calls)}]}
    (example,), findings = read(tmp_path, row)
    assert [message.turn() for message in example.chosen[0]] == [call, result, WELL]
    assert example.rejected[0] == example.chosen[0][:1]
    assert findings == {}  # Neither blank nor unread.


@pytest.mark.parametrize("calls", [{"name": "weather"}, ["weather"], [{"function": {}}], "weather", [{"id": "c1"}]])
def test_tool_calls_that_are_none_are_refused(tmp_path: Path, calls: object) -> None:
    call = {"role": "assistant", "content": "", "tool_calls": calls}
    with pytest.raises(DataError, match=r"line 1, column 'chosen': message 1 has tool_calls that are not a list of"):
        read(tmp_path, {"prompt": QUESTION, "chosen": [call], "rejected": [WELL]})


WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("tools", [[WEATHER], json.dumps([WEATHER])])
def test_a_tools_column_belongs_to_the_example(tmp_path: Path, tools: object) -> None:
    row = {"prompt": QUESTION, "chosen": [WELL], "rejected": "no"}
    (example, plain), findings = read(tmp_path, {**row, "tools": tools}, row)
    assert json.loads(example.tools) == [WEATHER]
    assert plain.tools == ""
    assert example.id != plain.id
    assert findings == {}  # Neither the same rows nor unread.
    file = tmp_path / "score.jsonl"
    file.write_text(json.dumps({"messages": [HELLO, WELL], "tools": tools}))
    (scored,) = scorable_rows(open_source(str(file)))
    assert scored.conversations[0].tools == example.tools


@pytest.mark.parametrize("tools", ["hammer, saw", ["hammer"], [{"type": "function"}], "[oops", {"a": 1}])
def test_a_tools_column_of_something_else_is_named(tmp_path: Path, tools: object) -> None:
    (example,), findings = read(tmp_path, {"prompt": QUESTION, "chosen": [WELL], "rejected": "no", "tools": tools})
    assert example.tools == ""
    assert findings["unread-columns"].examples == ("tools",)


def test_ids_differ_where_calls_do(tmp_path: Path) -> None:
    def row(arguments: str) -> dict[str, Any]:
        calls = [{"function": {"name": "weather", "arguments": arguments}}]
        return {"prompt": QUESTION, "chosen": [{**WELL, "tool_calls": calls}], "rejected": [WELL]}

    (one, other), findings = read(tmp_path, row('{"city": "Rome"}'), row('{"city": "Bonn"}'))
    assert one.id != other.id
    assert fingerprint([one]) != fingerprint([replace(other, id=one.id)])
    assert findings == {}  # Neither the same rows nor completions of the same text.


def test_parquet_gives_a_call_the_arguments_of_no_other(tmp_path: Path) -> None:
    """Arrow fills up objects: every call has the arguments of all, null where they are another's."""
    calls = [
        [{"function": {"name": "weather", "arguments": {"city": "Rome"}}}],
        [{"function": {"name": "clock", "arguments": {"zone": "CET", "days": [1]}}}],
    ]
    rows = [
        {"prompt": [HELLO], "chosen": [{**WELL, "tool_calls": each}], "rejected": [WELL], "tools": each}
        for each in calls
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    examples, _ = to_examples(load_rows(str(tmp_path / "rows.parquet")), default_subset="all")
    plain, _ = read(tmp_path, *rows)
    assert [[m.turn().get("tool_calls") for m in each.chosen[0]] for each in examples] == [[each] for each in calls]
    assert [each.id for each in examples] == [each.id for each in plain]


# --- answers that look like messages ----------------------------------------------------------------------------


def test_an_answer_that_only_begins_like_messages_is_text(tmp_path: Path) -> None:
    text = """[{"role": "user", "content": "x"}] is what you need."""
    (example,), _ = read(tmp_path, {"prompt": QUESTION, "chosen": text, "rejected": "no"})
    assert texts(example) == [text, "no"]


def test_sharegpts_keys_in_json_text_are_read(tmp_path: Path) -> None:
    said = [[{"from": "human", "value": "x"}, {"from": "gpt", "value": text}] for text in ("y", "z")]
    (example,), _ = read(tmp_path, {"chosen": json.dumps(said[0]), "rejected": json.dumps(said[1])})
    assert example.prompt == (Message("user", "x"),)
    assert example.completions == ((Message("assistant", "y"),), (Message("assistant", "z"),))

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from rmeval.data_prep.rows.examples import conversations, to_examples
from rmeval.data_prep.rows.in_memory import Rows, load_rows
from rmeval.data_prep.rows.scorable import ScorableRow, scorable_rows
from rmeval.data_prep.rows.stream import open_source
from rmeval.errors import DataError
from rmeval.eval.suites.mini import mini_path

USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}


def jsonl(path: Path, rows: list[dict[str, object]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def read(source: str, split: str | None = None) -> list[ScorableRow]:
    return list(scorable_rows(open_source(source, split=split)))


def one(path: Path, row: dict[str, object]) -> ScorableRow:
    return read(jsonl(path / "a.jsonl", [row]))[0]


def test_pairs_are_read_as_for_a_suite() -> None:
    rows = load_rows(str(mini_path()))
    expected = [
        (each.prompt, each.completion, each.index) for each in conversations(to_examples(rows, default_subset="")[0])
    ]
    found = [each for row in read(str(mini_path())) for each in row.conversations]
    assert [(each.prompt, each.completion, each.index) for each in found] == expected


TRANSCRIPT = "\n\nHuman: Hi\n\nAssistant: "
PAIRS: list[dict[str, object]] = [
    {"prompt": "Hi", "chosen": "a", "rejected": "b"},
    {"prompt": [USER], "chosen": [USER, ASSISTANT], "rejected": [ASSISTANT]},
    {"chosen": [USER, ASSISTANT], "rejected": [USER, {**ASSISTANT, "content": "x"}]},
    {"chosen": f"{TRANSCRIPT}a", "rejected": f"{TRANSCRIPT}b"},
    {"prompt": "Hi", "chosen": ["a", "b"], "rejected": ["c"]},
]


@pytest.mark.parametrize("row", PAIRS)
def test_all_forms_of_pairs(tmp_path: Path, row: dict[str, object]) -> None:
    found = one(tmp_path, row)
    (example,), _ = to_examples(Rows("x", [row]), default_subset="")
    assert [each.messages for each in found.conversations] == [each.messages for each in conversations([example])]
    several = isinstance(row["chosen"], list) and not isinstance(row["chosen"][0], Mapping)
    assert found.columns == (("score_chosen", 2 if several else None), ("score_rejected", 1 if several else None))


def test_messages_are_split_before_the_last_answer(tmp_path: Path) -> None:
    found = one(tmp_path, {"messages": [USER, ASSISTANT, USER, ASSISTANT, ASSISTANT], "id": 3})
    (conversation,) = found.conversations
    assert (len(conversation.prompt), len(conversation.completion)) == (3, 2)
    assert conversation.example_id == found.name == "line 1"
    assert found.with_scores([0.5]) == {**found.row, "score": 0.5}


def test_completions(tmp_path: Path) -> None:
    row: dict[str, object] = {"prompt": "Hi", "completions": ["a", [ASSISTANT], [USER, ASSISTANT]]}
    found = one(tmp_path, row)
    assert [each.index for each in found.conversations] == [0, 1, 2]
    assert [len(each.messages) for each in found.conversations] == [2, 2, 2]  # The prompt is not repeated.
    assert found.with_scores([1, 2, 3]) == {**row, "scores": [1, 2, 3]}
    assert one(tmp_path, {"prompt": "Hi", "completions": []}).with_scores([]) == {
        "prompt": "Hi",
        "completions": [],
        "scores": [],
    }


def test_completions_come_before_pairs_and_pairs_before_messages(tmp_path: Path) -> None:
    row: dict[str, object] = {"messages": [USER, ASSISTANT], "prompt": "Hi", "chosen": "a", "rejected": "b"}
    assert one(tmp_path, row).columns[0][0] == "score_chosen"
    assert one(tmp_path, {**row, "completions": ["a"]}).columns[0][0] == "scores"


BROKEN: list[tuple[dict[str, object], str]] = [
    ({"text": "x"}, "nothing to score; a row needs 'messages'"),
    ({}, "(it has: no columns)"),
    ({"messages": [USER]}, "column 'messages': ends with a 'user' message"),
    ({"messages": []}, "column 'messages': an empty list"),
    ({"messages": "Hi"}, "column 'messages': expected a list, found a string"),
    ({"messages": None}, "column 'messages': null"),
    ({"messages": [USER, ASSISTANT], "score": 1}, "there is a column 'score' already"),
    ({"prompt": "Hi", "completions": ["a"], "scores": None}, "there is a column 'scores' already"),
    ({"prompt": "Hi", "completions": ["a", None]}, "column 'completions[1]': expected a string or a list of messages"),
    ({"prompt": "Hi", "completions": "a"}, "column 'completions': expected a list, found a string"),
    ({"prompt": "Hi", "completions": [7]}, "column 'completions[0]': expected a string or a list of messages"),
    ({"completions": ["a"]}, "column 'prompt': missing"),
    ({"prompt": "", "completions": ["a"]}, "column 'prompt': expected a string that is not empty"),
    ({"prompt": "Hi", "chosen": "a", "rejected": 3}, "column 'rejected': expected a string or a list of messages"),
    ({"prompt": "Hi", "chosen": "a", "rejected": "b", "score_chosen": 1}, "there is a column 'score_chosen' already"),
]


@pytest.mark.parametrize(("row", "words"), BROKEN)
def test_a_row_that_cannot_be_scored_is_named(tmp_path: Path, row: dict[str, object], words: str) -> None:
    with pytest.raises(DataError) as caught:
        one(tmp_path, row)
    assert words in str(caught.value)
    assert f"{tmp_path / 'a.jsonl'} line 1" in str(caught.value)


def test_one_form_a_data_set(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"chosen": [USER, ASSISTANT], "rejected": [USER, ASSISTANT]}, PAIRS[0]]
    with pytest.raises(
        DataError, match="line 2: a row with prompt, chosen and rejected, where the first row has chosen"
    ):
        read(jsonl(tmp_path / "a.jsonl", rows))


def test_broken_unicode_is_mended_for_the_scorer_alone(tmp_path: Path) -> None:
    found = one(tmp_path, {"prompt": "Hi", "completions": ["\ud800"]})
    assert found.noticed == ("invalid-unicode",)
    assert found.conversations[0].completion[0].content == "\ufffd"
    assert found.row["completions"] == ["\ud800"]
    assert one(tmp_path, PAIRS[0]).noticed == ()


def test_the_name_is_the_place_without_the_data_set(tmp_path: Path) -> None:
    jsonl(tmp_path / "d" / "a.jsonl", PAIRS[:2])
    for source in (f"{tmp_path}/d", f"{tmp_path}/d/"):
        (_, second) = read(source)
        assert (second.place, second.name) == (f"{tmp_path}/d/a.jsonl line 2", "a.jsonl line 2")


@pytest.mark.parametrize("name", ["completion", "response"])
@pytest.mark.parametrize("value", ["Hello", [ASSISTANT], [USER, ASSISTANT]])
def test_one_sample_a_row(name: str, value: object, tmp_path: Path) -> None:
    row = {"prompt_id": 7, "prompt": "Hi", name: value}
    found = one(tmp_path, row)
    (conversation,) = found.conversations
    assert [each.content for each in conversation.messages] == ["Hi", "Hello"]
    assert found.written([0.5]) == [{**row, "score": 0.5}]


def test_responses_are_completions(tmp_path: Path) -> None:
    row: dict[str, object] = {"prompt": [USER], "responses": ["a", "b"]}
    found = one(tmp_path, row)
    assert [each.completion[0].content for each in found.conversations] == ["a", "b"]
    assert found.written([1, 2]) == [{**row, "scores": [1, 2]}]


def test_what_was_read_before_is_read_as_before(tmp_path: Path) -> None:
    more = {"response": "r", "responses": ["r"], "completion": "r"}
    assert one(tmp_path, {**PAIRS[0], **more}).columns[0][0] == "score_chosen"
    assert one(tmp_path, {"prompt": "Hi", "messages": [USER, ASSISTANT], **more}).conversations[0].completion[0].content
    assert one(tmp_path, {"prompt": "Hi", "messages": [USER, ASSISTANT], **more}).columns == (("score", None),)

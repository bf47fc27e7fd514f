from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data_prep.rows.examples import conversations, fingerprint, to_examples
from rmeval.data_prep.rows.in_memory import Rows, load_rows
from rmeval.errors import DataError, RmevalError
from rmeval.types import Conversation, Example, Finding, Message, Messages


def one(row: Mapping[str, object], *codes: str) -> Example:
    """Return the example of a row, which must have these findings and no others."""
    examples, findings = to_examples(Rows("data", [row]), default_subset="all")
    assert [each.code for each in findings] == list(codes)
    return examples[0]


def refused(*rows: Mapping[str, object]) -> str:
    """Return the one line with which rows are refused."""
    with pytest.raises(DataError) as caught:
        to_examples(Rows("data", rows), default_subset="all")
    line = str(caught.value)
    assert "\n" not in line
    return line


def said(*turns: str) -> list[dict[str, str]]:
    """Return messages from ``user: Hi``, as a data set holds them."""
    return [dict(zip(("role", "content"), turn.split(": ", 1), strict=True)) for turn in turns]


def messages(*turns: str) -> Messages:
    return tuple(Message(each["role"], each["content"]) for each in said(*turns))


# --- forms ------------------------------------------------------------------------------------------------------


def test_strings_with_a_prompt() -> None:
    example = one({"prompt": "Hi", "chosen": "Hello", "rejected": ""}, "blank-completion")
    assert (example.row, example.subset, example.prompt) == (0, "all", messages("user: Hi"))
    assert example.chosen == (messages("assistant: Hello"),)
    assert example.rejected == ((Message("assistant", ""),),)


def test_a_prompt_of_messages() -> None:
    example = one({"prompt": said("system: Be kind", "user: Hi"), "chosen": "a", "rejected": said("assistant: b")})
    assert example.prompt == messages("system: Be kind", "user: Hi")
    assert example.completions == (messages("assistant: a"), messages("assistant: b"))


@pytest.mark.parametrize("prompt", ["Hi", said("user: Hi")])
def test_a_repeated_prompt_is_stripped(prompt: object) -> None:
    row = {"prompt": prompt, "chosen": said("user: Hi", "assistant: a"), "rejected": said("assistant: b")}
    example = one(row)
    assert example.prompt == messages("user: Hi")
    assert example.completions == (messages("assistant: a"), messages("assistant: b"))


def test_several_completions() -> None:
    several = {"prompt": "Hi", "chosen": ["a"], "rejected": ["b", "c", said("user: Hi", "assistant: d")]}
    example = one(several, "several-completions")
    assert example.chosen == (messages("assistant: a"),)
    assert example.rejected == (messages("assistant: b"), messages("assistant: c"), messages("assistant: d"))


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt"),
    [
        # They differ in the last turn, or before it.
        (["user: x", "assistant: a"], ["user: x", "assistant: b"], 1),
        (["user: x", "assistant: a", "user: y", "assistant: c"], ["user: x", "assistant: b"], 1),
        # One is the beginning of the other, or the same: each keeps its last turn.
        (["user: x", "assistant: a"], ["user: x", "assistant: a", "user: y", "assistant: b"], 1),
        (["user: x", "assistant: a", "user: y"], ["user: x", "assistant: a", "user: z"], 2),
        # Nothing in common.
        (["user: x", "assistant: a"], ["user: y", "assistant: a"], 0),
        (["assistant: a"], ["assistant: b"], 0),
        # The same text in another role.
        (["user: x", "user: a", "user: b"], ["user: x", "assistant: a", "user: b"], 1),
    ],
)
def test_messages_without_a_prompt(chosen: list[str], rejected: list[str], prompt: int) -> None:
    example = one({"chosen": said(*chosen), "rejected": said(*rejected)})
    assert example.prompt == messages(*chosen[:prompt])
    assert example.chosen == (messages(*chosen[prompt:]),)
    assert example.rejected == (messages(*rejected[prompt:]),)


def test_several_conversations_without_a_prompt() -> None:
    row = {
        "chosen": [said("user: x", "assistant: a", "user: y", "assistant: b")],
        "rejected": [said("user: x", "assistant: a", "user: y", "assistant: c"), said("user: x", "assistant: d")],
    }
    example = one(row, "several-completions")
    assert example.prompt == messages("user: x")
    assert example.chosen == (messages("assistant: a", "user: y", "assistant: b"),)
    assert example.rejected == (messages("assistant: a", "user: y", "assistant: c"), messages("assistant: d"))


def test_transcripts() -> None:
    start = "\n\nHuman: x\n\nAssistant: a\n\nHuman: y\n\nAssistant:"
    example = one({"chosen": f"{start} b", "rejected": f"{start} c\n\nHuman: z\n\nAssistant: d"})
    assert example.prompt == messages("user: x", "assistant: a", "user: y")
    assert example.chosen == (messages("assistant: b"),)
    assert example.rejected == (messages("assistant: c", "user: z", "assistant: d"),)


def test_a_transcript_beside_a_prompt_is_text() -> None:
    text = "\n\nHuman: x\n\nAssistant: a"
    assert one({"prompt": "p", "chosen": text, "rejected": "b"}).chosen == ((Message("assistant", text),),)


def test_a_differing_user_turn_after_an_assistant_turn_of_the_prompt() -> None:
    row = {"prompt": said("assistant: Hi"), "chosen": said("user: x"), "rejected": said("user: y", "assistant: z")}
    assert one(row).completions == (messages("user: x"), messages("user: y", "assistant: z"))


# --- what is refused --------------------------------------------------------------------------------------------

GOOD = {"prompt": "p", "chosen": "a", "rejected": "b"}


def test_missing_columns() -> None:
    needed = "row needs 'chosen' and 'rejected': answers to a 'prompt', or else whole conversations (or --map)"
    lacking = refused({"prompt": "p", "chosen": "a"})
    assert lacking == f"data has no column 'rejected' (it has: 'prompt', 'chosen'); a {needed}"
    assert refused({}) == f"data has no column 'chosen' (it has: none); a {needed}"
    meant = refused({"prompt": "p", "chosen": "a", "reject": "b"})
    assert "(it has: 'prompt', 'chosen', 'reject'); did you mean 'reject'? A row needs" in meant
    # A column that other rows have is missing in this one.
    assert refused(GOOD, {"prompt": "p", "chosen": "a"}) == "data row 2, column 'rejected': missing"
    assert refused(GOOD, {"chosen": "a", "rejected": "b"}) == "data row 2, column 'prompt': missing"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"prompt": None}, "column 'prompt': null"),
        ({"prompt": ""}, "column 'prompt': expected a string that is not empty, found an empty string"),
        ({"prompt": 3}, "column 'prompt': expected a string that is not empty, found a number"),
        ({"prompt": []}, "column 'prompt': an empty list"),
        ({"prompt": ["x"]}, "column 'prompt': message 1 is a string, not an object with 'role' and 'content'"),
        ({"chosen": None}, "column 'chosen': null"),
        ({"chosen": True}, "column 'chosen': expected a string or a list of messages, found a boolean"),
        ({"chosen": []}, "column 'chosen': an empty list"),
        ({"chosen": ["a", None]}, "column 'chosen': expected a string or a list of messages, found null"),
        ({"chosen": [[]]}, "column 'chosen': an empty list"),
        ({"rejected": {"role": "user"}}, "column 'rejected': expected a string or a list of messages, found an object"),
        ({"rejected": [{"content": "x"}]}, "column 'rejected': message 1 needs a string as its 'role', found none"),
        (
            {"rejected": [*said("assistant: a"), {"role": "user", "content": None}]},
            "column 'rejected': message 2 needs a string as its 'content', found null",
        ),
        ({"chosen": said("user: p")}, "column 'chosen': nothing comes after the prompt's messages"),
        (
            {"chosen": said("user: other", "assistant: a")},
            "column 'chosen': begins with a 'user' message but not with the prompt; leave the 'prompt' column out",
        ),
        (
            {"chosen": said("system: s", "user: p", "assistant: a")},
            "column 'chosen': begins with a 'system' message but not with the prompt; leave the 'prompt' column out",
        ),
        ({"subset": ["x"]}, "column 'subset': expected a string or a number, found a list"),
    ],
)
def test_rows_that_are_refused(change: dict[str, object], line: str) -> None:
    good = {**GOOD, **({"subset": "s"} if "subset" in change else {})}
    assert refused(good, {**good, **change}) == f"data row 2, {line}"


def test_strings_that_need_a_prompt() -> None:
    assert refused({"chosen": "a", "rejected": "b"}) == (
        "data row 1, column 'chosen': there is no column 'prompt', and this is neither an hh-rlhf transcript "
        r"('\n\nHuman: …') nor a list of messages"
    )


@pytest.mark.parametrize("name", ["question", "instruction", "input", "query"])
def test_a_prompt_of_another_name_is_named(name: str) -> None:
    assert refused({name: "Hi", "chosen": "a", "rejected": "b"}) == (
        f"data row 1, column 'chosen': there is no column 'prompt', but there is {name!r}: rename it to 'prompt'"
    )


# --- messages that became text ------------------------------------------------------------------------------------

CHOSEN, REJECTED = said("user: Hi", 'assistant: It\'s "a" [1]'), said("user: Hi", "assistant: b")


@pytest.mark.parametrize("prompt", [{}, {"prompt": "Hi"}, {"prompt": json.dumps(CHOSEN[:1])}])
def test_json_text_of_messages_is_read_as_messages(prompt: dict[str, str]) -> None:
    example = one({**prompt, "chosen": json.dumps(CHOSEN), "rejected": json.dumps(REJECTED)}, "json-text")
    assert example.prompt == messages("user: Hi")
    assert example.completions == (messages('assistant: It\'s "a" [1]'), messages("assistant: b"))


def test_json_text_of_several_conversations() -> None:
    row = {"prompt": "Hi", "chosen": json.dumps([CHOSEN, REJECTED]), "rejected": [json.dumps(said("assistant: c"))]}
    example = one(row, "several-completions", "json-text")
    assert [each[0].content[0] for each in example.completions] == ["I", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        str(CHOSEN),  # As Python shows it, and as a CSV of pandas does.
        str(np.array(CHOSEN)),  # As a CSV of datasets does: no commas.
        repr(np.array(CHOSEN)),
        json.dumps(CHOSEN)[:-9],  # Cut short.
        str([CHOSEN]),
        str([{"content": "Hi", "role": "user"}]),
        str([{"from": "human", "value": "Hi"}]),
    ],
)
@pytest.mark.parametrize("column", ["prompt", "chosen", "rejected"])
def test_messages_that_became_text_otherwise_are_refused(text: str, column: str) -> None:
    assert refused({**GOOD, column: text}) == (
        f"data row 1, column {column!r}: a list of messages that was written as text, and not as JSON (a CSV file does "
        "that to lists): save the data as JSONL or Parquet"
    )


@pytest.mark.parametrize(
    "text",
    [
        '["a", "b"]',
        '[{"name": "x", "role": "admin"}]',
        '[{"role": "admin", "content": "x"}]',
        "[{'a': 1}]",
        '{"role": "user", "content": "x"}',
        "See [{'role': 'user'}].",
        "[1] a footnote",
    ],
)
def test_an_answer_that_is_data_stays_text(text: str) -> None:
    assert one({**GOOD, "chosen": text}).chosen == ((Message("assistant", text),),)


def test_real_messages_in_a_csv_and_as_json_text() -> None:
    """The same fifty rows: as lists, as JSON text, and as ``Dataset.to_csv`` writes lists."""
    folder = Path(os.environ.get("RMEVAL_SHARED", "/nowhere")) / "cases/08-conversations-in-csv-or-as-json-text"
    if not folder.is_dir():
        pytest.skip("no cases: RMEVAL_SHARED is not set")
    lists, _ = to_examples(load_rows(str(folder / "rows.jsonl")), default_subset="all")
    text, findings = to_examples(load_rows(str(folder / "json-text.jsonl")), default_subset="all")
    assert fingerprint(text) == fingerprint(lists)
    assert ("json-text", len(text)) in [(each.code, each.count) for each in findings]
    with pytest.raises(
        DataError, match=r"rows\.csv line 2, column 'chosen': a list of messages that was written as text"
    ):
        to_examples(load_rows(str(folder / "rows.csv")), default_subset="all")


def test_the_place_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n\n{json.dumps({**GOOD, 'chosen': None})}\n")
    with pytest.raises(DataError, match=r"a\.jsonl line 3, column 'chosen': null$"):
        to_examples(load_rows(str(path)), default_subset="all")


# --- subsets, ids, findings -------------------------------------------------------------------------------------


def test_subsets() -> None:
    rows = Rows("data", [{**GOOD, "subset": "x", "kind": "y"}])
    assert to_examples(rows, default_subset="all")[0][0].subset == "x"
    assert to_examples(rows, subset_column="kind", default_subset="all")[0][0].subset == "y"
    assert to_examples(rows, subset_column="absent", default_subset="all")[0][0].subset == "all"


@pytest.mark.parametrize(
    ("value", "subset"), [(3, "3"), (2.0, "2"), (0.5, "0.5"), (False, "False"), (None, "(none)"), ("", "(none)")]
)
def test_a_subset_need_not_be_a_string(value: object, subset: str) -> None:
    examples, findings = to_examples(
        Rows("data", [{**GOOD, "subset": "s"}, {**GOOD, "subset": value}]), default_subset=""
    )
    assert [example.subset for example in examples] == ["s", subset]
    assert [(each.code, each.count) for each in findings] == ([("no-subset", 1)] if subset == "(none)" else [])


@pytest.mark.parametrize("ids", [[3, "4"], ["a", "b"], [0, -1]])
def test_the_id_column(ids: list[object]) -> None:
    rows = Rows("data", [{**GOOD, "chosen": str(value), "id": value} for value in ids])
    assert [example.id for example in to_examples(rows, default_subset="all")[0]] == [str(value) for value in ids]


@pytest.mark.parametrize(
    ("ids", "unusable"),
    [([7, "7"], "7"), ([1, None], None), (["a", ""], ""), ([True, 2], True), ([1.5, 2], 1.5)],
)
def test_an_id_column_that_does_not_do(ids: list[object], unusable: object) -> None:
    rows = Rows("data", [{**GOOD, "chosen": str(row), "id": value} for row, value in enumerate(ids)])
    examples, findings = to_examples(rows, default_subset="all")
    assert all(len(example.id) == 16 for example in examples)
    assert findings == [Finding("ids-not-used", "warning", 1, (examples[ids.index(unusable)].id,))]


def test_content_ids_and_duplicates() -> None:
    written = (
        '{"chosen":[[{"content":"\\u00e9","role":"assistant"}]],"prompt":[{"content":"p","role":"user"}],'
        '"rejected":[[{"content":"b","role":"assistant"}]],"subset":"all"}'
    )
    first = hashlib.sha256(written.encode()).hexdigest()[:16]
    same: list[dict[str, object]] = [{**GOOD, "chosen": "é", "extra": row} for row in range(3)]
    examples, findings = to_examples(Rows("data", [*same, GOOD]), default_subset="all")
    assert [example.id for example in examples[:3]] == [first, f"{first}#2", f"{first}#3"]
    assert [example.row for example in examples] == [0, 1, 2, 3]
    assert findings == [Finding("duplicate-rows", "warning", 2, (f"{first}#2", f"{first}#3"))]
    # The same words in another subset are another example; with ids of their own, duplicates are still counted.
    assert to_examples(Rows("data", [{**GOOD, "subset": each} for each in "ab"]), default_subset="")[1] == []
    assert to_examples(Rows("data", [{**GOOD, "id": each} for each in "ab"]), default_subset="all")[1] == [
        Finding("duplicate-rows", "warning", 1, ("b",))
    ]


def test_identical_completions_are_kept_and_counted() -> None:
    rows: list[dict[str, object]] = [{**GOOD, "id": n, "prompt": str(n), "rejected": "a"} for n in range(7)]
    rows.append({**GOOD, "id": 7, "chosen": ["x", "y"], "rejected": ["z", "y"]})
    rows.append({**GOOD, "id": 8})
    examples, findings = to_examples(Rows("data", rows), default_subset="all")
    assert len(examples) == 9
    assert findings == [
        Finding("identical-completions", "warning", 8, ("0", "1", "2", "3", "4")),
        Finding("several-completions", "warning", 1, ("7",)),
    ]


def test_blank_completions_are_counted() -> None:
    rows = [{**GOOD, "id": 1, "chosen": " \n"}, {**GOOD, "id": 2}, {**GOOD, "id": 3, "rejected": said("assistant: ")}]
    _, findings = to_examples(Rows("data", rows), default_subset="all")
    assert findings == [Finding("blank-completion", "warning", 2, ("1", "3"))]


def test_broken_unicode_is_mended_and_counted() -> None:
    text = (
        '{"prompt": "a\\ud800b", "chosen": "\\ud83d\\ude00", "rejected": "\\udc00\\u0000\\u001b", "subset": "s\\udfff"}'
    )
    rows = [json.loads(text), {**GOOD, "subset": "s"}]
    examples, findings = to_examples(Rows("data", rows), default_subset="all")
    assert examples[0].prompt == (Message("user", "a\ufffdb"),)
    assert examples[0].chosen[0][0].content == "\U0001f600"
    assert examples[0].rejected[0][0].content == "\ufffd\0\x1b"
    assert examples[0].subset == "s\ufffd"
    assert findings == [Finding("invalid-unicode", "warning", 1, (examples[0].id,))]


# --- what follows -----------------------------------------------------------------------------------------------


def test_conversations() -> None:
    rows = [{**GOOD, "id": 1, "rejected": ["b", "c"]}, {**GOOD, "id": 2}]
    examples, _ = to_examples(Rows("data", rows), default_subset="all")
    prompt = messages("user: p")
    assert conversations(examples) == [
        Conversation(prompt, messages("assistant: a"), "1", 0),
        Conversation(prompt, messages("assistant: b"), "1", 1),
        Conversation(prompt, messages("assistant: c"), "1", 2),
        Conversation(prompt, messages("assistant: a"), "2", 0),
        Conversation(prompt, messages("assistant: b"), "2", 1),
    ]


def test_the_fingerprint() -> None:
    example = one({**GOOD, "id": 1})
    written = (
        '{"chosen":[[{"content":"a","role":"assistant"}]],"id":"1","prompt":[{"content":"p","role":"user"}],'
        '"rejected":[[{"content":"b","role":"assistant"}]],"subset":"all"}\n'
    )
    assert fingerprint([example]) == f"sha256:{hashlib.sha256(written.encode()).hexdigest()}"
    assert fingerprint([example, example]) == f"sha256:{hashlib.sha256(2 * written.encode()).hexdigest()}"


@pytest.mark.parametrize(
    "change",
    [
        {"id": 2},
        {"subset": "t"},
        {"prompt": "q"},
        {"chosen": "c"},
        {"rejected": ["b", "c"]},
        {"chosen": "b", "rejected": "a"},
    ],
)
def test_the_fingerprint_sees_every_part(change: dict[str, object]) -> None:
    row = {**GOOD, "id": 1, "subset": "s"}
    codes = ["several-completions"] if isinstance(change.get("rejected"), list) else []
    assert fingerprint([one(row)]) != fingerprint([one({**row, **change}, *codes)])


# --- anything at all --------------------------------------------------------------------------------------------

TEXT = st.text(max_size=8) | st.sampled_from(["", "\ud800", "\n\nHuman: x\n\nAssistant: y", "user", "assistant"])
MESSAGE = st.fixed_dictionaries({"role": TEXT, "content": TEXT})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | MESSAGE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
COLUMN = st.sampled_from(["prompt", "chosen", "rejected", "subset", "id"]) | TEXT
COMPLETION = TEXT | st.lists(MESSAGE, min_size=1, max_size=3).map(lambda each: [*said("assistant: x"), *each])
COMPLETIONS = COMPLETION | st.lists(COMPLETION, min_size=1, max_size=3)
GOOD_ROW = st.fixed_dictionaries(
    {
        "prompt": st.text(min_size=1)
        | st.lists(MESSAGE, min_size=1, max_size=3).map(lambda each: [*each, *said("user: q")]),
        "chosen": COMPLETIONS,
        "rejected": COMPLETIONS,
        "subset": st.text(min_size=1),
    },
    optional={"id": JSON, "other": JSON},
)


@given(st.lists(st.dictionaries(COLUMN, JSON | COMPLETIONS, max_size=6), max_size=4))
def test_junk_raises_nothing_of_its_own(rows: list[dict[str, Any]]) -> None:
    try:
        examples, _ = to_examples(Rows("data", rows), default_subset="all")
    except RmevalError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is fine
    else:
        assert len(examples) == len(rows)
        fingerprint(examples)


@given(st.lists(GOOD_ROW, min_size=1, max_size=5))
def test_every_good_row_is_an_example(rows: list[dict[str, Any]]) -> None:
    examples, _ = to_examples(Rows("data", rows), default_subset="all")
    assert [example.row for example in examples] == list(range(len(rows)))
    assert len({example.id for example in examples}) == len(rows)
    for conversation in conversations(examples):
        assert conversation.prompt
        assert conversation.completion
        for message in conversation.messages:
            (message.role + message.content).encode()  # valid Unicode
    assert fingerprint(examples) == fingerprint(to_examples(Rows("data", rows), default_subset="all")[0])


# --- real rows --------------------------------------------------------------------------------------------------


def real(path: Path) -> tuple[list[dict[str, str]], list[Example], list[Finding]]:
    with open(path, encoding="utf-8") as lines:
        raw = [json.loads(line) for line in lines]
    return raw, *to_examples(load_rows(str(path)), default_subset="all")


def test_real_transcripts(shared_data: Path) -> None:
    raw, examples, findings = real(shared_data / "preferences/hh-rlhf-harmless-base-test.jsonl")
    assert (len(raw), len(examples)) == (2312, 2312)
    # Told apart without the parser: rows with an answer that ends where it begins.
    blank = sum(any(row[side].rstrip().endswith("Assistant:") for side in ("chosen", "rejected")) for row in raw)
    assert [(each.code, each.count) for each in findings] == [("blank-completion", blank)]
    assert all(example.prompt for example in examples)
    # Told apart without the parser: rows of which what comes before the last answer differs.
    differ = [row for row, each in enumerate(raw) if before(each["chosen"]) != before(each["rejected"])]
    assert len(differ) == 5
    assert [e.row for e in examples if any(len(completion) > 1 for completion in e.completions)] == differ
    assert all(completion[-1].role == "assistant" for example in examples for completion in example.completions)


def before(transcript: str) -> list[str]:
    """Return the words of a transcript, without those of its last answer."""
    return transcript[: transcript.rindex("\n\nAssistant:")].split()


@pytest.mark.parametrize(("name", "count", "identical"), [("train", 1000, 4), ("eval", 200, 1)])
def test_real_ultrafeedback(shared_data: Path, name: str, count: int, identical: int) -> None:
    raw, examples, findings = real(shared_data / f"preferences/ultrafeedback-binarized-{name}.jsonl")
    assert sum(row["chosen"] == row["rejected"] for row in raw) == identical
    blank = sum(not (row["chosen"].strip() and row["rejected"].strip()) for row in raw)
    counts = {"identical-completions": identical, "blank-completion": blank}
    assert {finding.code: finding.count for finding in findings} == {code: n for code, n in counts.items() if n}
    assert len(examples) == count
    for row, example in zip(raw, examples, strict=True):
        assert example.prompt == (Message("user", row["prompt"]),)
        assert example.completions == ((Message("assistant", row["chosen"]),), (Message("assistant", row["rejected"]),))


def test_real_rewardbench(shared_data: Path) -> None:
    raw, examples, findings = real(shared_data / "rewardbench/filtered-partial.jsonl")
    assert (len(examples), findings) == (1616, [])
    assert [example.id for example in examples] == [str(row["id"]) for row in raw]
    assert Counter(example.subset for example in examples) == {
        "llmbar-natural": 100,
        "llmbar-adver-neighbor": 134,
        "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47,
        "llmbar-adver-manual": 46,
        **dict.fromkeys(["hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"], 164),
        "alpacaeval-easy": 5,
        "xstest-should-refuse": 126,
        "xstest-should-respond": 82,
    }

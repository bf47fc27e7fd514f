"""The two tables of a run, ``scores.parquet`` and ``examples.parquet``: their columns, and how they are made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from rmeval.types import Example, Message, Messages, Score

__all__ = ["TAG", "TEXT_COLUMNS", "examples_table", "parse_messages", "prompt_hash", "scores_table"]

_SCORES_SCHEMA = pa.schema(
    {
        "example_id": pa.string(),
        "subset": pa.string(),
        "completion": pa.int32(),
        "role": pa.string(),
        "score": pa.float64(),
        "tokens": pa.int32(),
        "truncated": pa.bool_(),
        "refined": pa.bool_(),
    }
)
_SAID = (pa.field("note", pa.string()), pa.field("status", pa.string()))
"""Only of kinds that explain themselves, or may have no answer."""
_EXAMPLES_SCHEMA = pa.schema(
    {
        "example_id": pa.string(),
        "row": pa.int64(),
        "subset": pa.string(),
        "prompt_hash": pa.string(),
        "completion_hashes": pa.list_(pa.string()),
        "completion_chars": pa.list_(pa.int32()),
    }
)
TAG = "tag"
"""A column of ``examples.parquet``, only where a suite has tags."""
TEXT_COLUMNS = ("prompt", "completions", "tools")
"""Columns of ``examples.parquet`` that hold text; the last only where an example has some."""


def prompt_hash(prompt: Messages, tools: str = "") -> str:
    """Return the first 16 hex digits of the sha256 of a list of messages and the tools beside it."""
    return hashlib.sha256((_messages_json(prompt) + tools).encode()).hexdigest()[:16]


def scores_table(examples: Sequence[Example], scores: Sequence[Score]) -> pa.Table:
    """Build ``scores.parquet`` from the scores of all completions of all examples, in order."""
    rows: list[dict[str, Any]] = []
    schema = _SCORES_SCHEMA
    for field in _SAID if any(score.note or score.status != "scored" for score in scores) else ():
        schema = schema.append(field)
    remaining = iter(scores)
    for example in examples:
        for place in range(len(example.completions)):
            score = next(remaining)
            rows.append(
                {
                    "example_id": example.id,
                    "subset": example.subset,
                    "completion": place,
                    "role": "chosen" if place < len(example.chosen) else "rejected",
                    "score": score.value,
                    "tokens": score.tokens,
                    "truncated": score.truncated,
                    "refined": score.refined,
                    "note": score.note.encode("utf-8", "replace").decode(),
                    "status": score.status,
                }
            )
    return pa.Table.from_pylist(rows, schema)


def examples_table(examples: Sequence[Example], *, keep_text: bool = True) -> pa.Table:
    """Build ``examples.parquet``; without text it keeps hashes and lengths."""
    schema = _EXAMPLES_SCHEMA
    if any(example.tag for example in examples):
        schema = schema.append(pa.field(TAG, pa.string()))
    if keep_text:
        tools = any(example.tools for example in examples)
        for name in TEXT_COLUMNS if tools else TEXT_COLUMNS[:-1]:
            schema = schema.append(pa.field(name, pa.string()))
    rows = [
        {
            "example_id": example.id,
            "row": example.row,
            "subset": example.subset,
            "prompt_hash": prompt_hash(example.prompt, example.tools),
            "completion_hashes": [prompt_hash(completion) for completion in example.completions],
            "tag": example.tag,
            "completion_chars": [sum(m.chars for m in completion) for completion in example.completions],
            "prompt": _messages_json(example.prompt),
            "completions": "[" + ",".join(map(_messages_json, example.completions)) + "]",
            "tools": example.tools,
        }
        for example in examples
    ]
    return pa.Table.from_pylist(rows, schema)


def parse_messages(text: str) -> Messages:
    """Read one list of messages back from ``examples.parquet``."""
    return tuple(Message.of(item) for item in json.loads(text))


def _messages_json(messages: Messages) -> str:
    return json.dumps([message.turn() for message in messages], ensure_ascii=False)

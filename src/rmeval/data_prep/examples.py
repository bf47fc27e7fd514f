"""Rows become examples: three forms of rows, one shape of example.

=============================  =======================================================================================
columns                        prompt and completions
=============================  =======================================================================================
prompt, chosen, rejected       the prompt is a string (one user message) or messages; completions are strings (one
                               assistant message) or messages, which may repeat the prompt's at their start
chosen, rejected               message lists; the prompt is their longest common beginning
chosen, rejected               hh-rlhf transcripts; parsed, then the same
=============================  =======================================================================================

``chosen`` and ``rejected`` may each be a list of several completions.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from rmeval.data_prep.audit import finding
from rmeval.data_prep.rows import Row, Rows
from rmeval.data_prep.transcripts import is_transcript, parse_transcript
from rmeval.errors import DataError
from rmeval.types import Conversation, Example, Finding, Message, Messages

__all__ = ["conversations", "fingerprint", "to_examples"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_TRANSCRIPT = r"neither an hh-rlhf transcript ('\n\nHuman: …') nor a list of messages"


def to_examples(
    rows: Rows, *, subset_column: str = "subset", default_subset: str
) -> tuple[list[Example], list[Finding]]:
    """Turn every row into an example, in order.

    Args:
        rows: the data set.
        subset_column: the column that names a row's subset.
        default_subset: the subset of all rows where there is no such column.

    Returns:
        As many examples as rows, and what was noticed: ``duplicate-rows``, ``identical-completions`` and
        ``invalid-unicode``, all warnings.

    Raises:
        DataError: if a column is missing or a value is not what it should be; the message names row and column.
    """
    columns = rows.columns
    for column in ("chosen", "rejected"):
        if column not in columns:
            raise DataError(f"{rows.name} has no column {column!r} (it has: {', '.join(map(repr, columns)) or 'none'})")
    contents = []
    broken: list[int] = []  # rows with text that is not Unicode
    for index, row in enumerate(rows.rows):
        reader = _RowReader(row, rows, index)
        subset = reader.text(subset_column) if subset_column in columns else default_subset
        contents.append((subset, *reader.sides(explicit="prompt" in columns)))
        if reader.mended:
            broken.append(index)
    digests = [_digest(*content) for content in contents]
    ids = _column_ids(rows) or _numbered(digests)
    examples = [Example(ids[row], row, *content) for row, content in enumerate(contents)]
    return examples, _findings(examples, digests, broken)


def conversations(examples: Iterable[Example]) -> list[Conversation]:
    """Return every completion as a conversation, in data-set order, right completions of an example first."""
    return [
        Conversation(example.prompt, completion, example.id, index)
        for example in examples
        for index, completion in enumerate(example.completions)
    ]


def fingerprint(examples: Iterable[Example]) -> str:
    """Return ``sha256:<digest>`` over ids, subsets and all messages, in order."""
    digest = hashlib.sha256()
    for example in examples:
        content = _content(example.subset, example.prompt, example.chosen, example.rejected)
        digest.update(_canonical({"id": example.id, **content}) + b"\n")
    return f"sha256:{digest.hexdigest()}"


# --- one row ----------------------------------------------------------------------------------------------------


class _RowReader:
    """Takes one row apart; every complaint names the row and the column."""

    def __init__(self, row: Row, rows: Rows, index: int) -> None:
        self.row, self.rows, self.index = row, rows, index
        self.mended = False
        """True once a text was not valid Unicode and had to be mended."""

    def sides(self, *, explicit: bool) -> tuple[Messages, tuple[Messages, ...], tuple[Messages, ...]]:
        """Return the prompt, the chosen and the rejected completions."""
        chosen, rejected = self._completions("chosen", explicit), self._completions("rejected", explicit)
        if explicit:
            prompt = self._prompt()
            chosen = [self._without_prompt(each, prompt, "chosen") for each in chosen]
            rejected = [self._without_prompt(each, prompt, "rejected") for each in rejected]
        else:
            prompt = _common_beginning([*chosen, *rejected])
            chosen, rejected = [c[len(prompt) :] for c in chosen], [r[len(prompt) :] for r in rejected]
        return prompt, tuple(chosen), tuple(rejected)

    def text(self, column: str) -> str:
        """Return the column's value, which must be a string and not empty."""
        value = self._value(column)
        if not isinstance(value, str) or not value:
            raise self._error(column, f"expected a string that is not empty, found {_kind(value)}")
        return self._mend(value)

    def _prompt(self) -> Messages:
        value = self._value("prompt")
        if isinstance(value, list):
            return self._messages(value, "prompt")
        return (Message("user", self.text("prompt")),)

    def _completions(self, column: str, explicit: bool) -> list[Messages]:
        """Return the column's completions: a string, a list of messages, or a list of several of either."""
        value = self._value(column)
        if isinstance(value, list) and value and not isinstance(value[0], Mapping):
            return [self._completion(each, column, explicit) for each in value]
        return [self._completion(value, column, explicit)]

    def _completion(self, value: object, column: str, explicit: bool) -> Messages:
        if isinstance(value, list):
            return self._messages(value, column)
        if not isinstance(value, str):
            raise self._error(column, f"expected a string or a list of messages, found {_kind(value)}")
        text = self._mend(value)
        if explicit:
            return (Message("assistant", text),)
        if not is_transcript(text):
            raise self._error(column, f"there is no column 'prompt', and this is {_NO_TRANSCRIPT}")
        return parse_transcript(text)

    def _messages(self, value: Sequence[object], column: str) -> Messages:
        if not value:
            raise self._error(column, "an empty list")
        messages = []
        for number, each in enumerate(value, start=1):
            if not isinstance(each, Mapping):
                raise self._error(column, f"message {number} is {_kind(each)}, not an object with 'role' and 'content'")
            for key in ("role", "content"):
                if not isinstance(each.get(key), str):
                    found = _kind(each[key]) if key in each else "none"
                    raise self._error(column, f"message {number} needs a string as its {key!r}, found {found}")
            messages.append(Message(self._mend(each["role"]), self._mend(each["content"])))
        return tuple(messages)

    def _without_prompt(self, completion: Messages, prompt: Messages, column: str) -> Messages:
        """Strip the prompt's messages where the completion repeats them."""
        if completion[: len(prompt)] == prompt:
            completion = completion[len(prompt) :]
        if not completion:
            raise self._error(column, "nothing comes after the prompt's messages")
        # A whole conversation that is not quite the prompt's would be scored with two beginnings.
        first, last = completion[0].role, prompt[-1].role
        if first == "system" or first == last == "user":
            raise self._error(
                column, f"begins with a {first!r} message but not with the prompt; leave the 'prompt' column out"
            )
        return completion

    def _value(self, column: str) -> object:
        if self.row.get(column) is None:
            raise self._error(column, "null" if column in self.row else "missing")
        return self.row[column]

    def _mend(self, text: str) -> str:
        """Replace halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
        mended = text if text.isascii() else _SURROGATE.sub("\ufffd", text)
        self.mended = self.mended or mended != text
        return mended

    def _error(self, column: str, problem: str) -> DataError:
        return DataError(f"{self.rows.locate(self.index)}, column {column!r}: {problem}")


def _common_beginning(completions: Sequence[Messages]) -> Messages:
    """Return the messages that all begin with; each keeps at least its last message."""
    turns = zip(*(each[:-1] for each in completions), strict=False)
    return tuple(turn[0] for turn in takewhile(lambda turn: len(set(turn)) == 1, turns))


def _kind(value: object) -> str:
    """Name a value in a message, without its text."""
    if value is None:
        return "null"
    if isinstance(value, (str, list)) and not value:
        return "an empty string" if isinstance(value, str) else "an empty list"
    return {str: "a string", list: "a list", bool: "a boolean", int: "a number", float: "a number"}.get(
        type(value), "an object" if isinstance(value, Mapping) else type(value).__name__
    )


# --- all rows ---------------------------------------------------------------------------------------------------


def _column_ids(rows: Rows) -> list[str] | None:
    """Return the values of the ``id`` column, or None where one is missing, empty or not unique."""
    values = [row.get("id") for row in rows.rows]
    if any(not isinstance(value, (str, int)) or isinstance(value, bool) or value == "" for value in values):
        return None
    ids = [_SURROGATE.sub("\ufffd", str(value)) for value in values]
    return ids if len(set(ids)) == len(ids) else None


def _numbered(digests: Iterable[str]) -> list[str]:
    """Return the first 16 digits of each digest; the second with the same ones gets ``#2``, and so on."""
    seen: Counter[str] = Counter()
    ids = []
    for digest in digests:
        short = digest[:16]
        seen[short] += 1
        ids.append(short if seen[short] == 1 else f"{short}#{seen[short]}")
    return ids


def _findings(examples: Sequence[Example], digests: Sequence[str], broken: Sequence[int]) -> list[Finding]:
    first: dict[str, int] = {}
    places = {
        "duplicate-rows": [row for row, digest in enumerate(digests) if first.setdefault(digest, row) != row],
        "identical-completions": [e.row for e in examples if not set(e.chosen).isdisjoint(e.rejected)],
        "invalid-unicode": broken,
    }
    return [
        finding(code, len(found), tuple(examples[row].id for row in found[:5]))
        for code, found in places.items()
        if found
    ]


def _content(
    subset: str, prompt: Messages, chosen: Sequence[Messages], rejected: Sequence[Messages]
) -> dict[str, object]:
    def plain(messages: Messages) -> list[dict[str, str]]:
        return [{"role": message.role, "content": message.content} for message in messages]

    return {
        "subset": subset,
        "prompt": plain(prompt),
        "chosen": [plain(each) for each in chosen],
        "rejected": [plain(each) for each in rejected],
    }


def _digest(subset: str, prompt: Messages, chosen: Sequence[Messages], rejected: Sequence[Messages]) -> str:
    return hashlib.sha256(_canonical(_content(subset, prompt, chosen, rejected))).hexdigest()


def _canonical(value: object) -> bytes:
    # ASCII, so that any string at all, even half a surrogate pair, has one encoding
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")

"""One row, taken apart into messages."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.rows.message_forms import plain
from rmeval.data_prep.rows.transcripts import is_open_transcript, is_transcript, parse_transcript
from rmeval.data_prep.text.tools import carried, read_tools
from rmeval.errors import DataError
from rmeval.types import Message, Messages

__all__ = ["RowReader", "kind", "mend"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_TRANSCRIPT = r"neither an hh-rlhf transcript ('\n\nHuman: …') nor a list of messages"
_PROMPT_NAMES = ("question", "instruction", "input", "query", "user", "context", "problem")
"""What other data sets call the prompt."""
_SYSTEM = ("system", "system_prompt")
"""Columns that hold the system message."""
_UNREAD = ("history", "functions", "documents", "image", "images", "video", "videos", "audio", "audios")
"""Columns that belong to a conversation and are not read."""
_READ = ("role", "content", "tool_calls")
"""Keys of a message that are read, or hold nothing where they are not."""
_BREAK = re.compile(r"\A(?:(?:[ \t]*\r?\n)+| )")
"""What stands between a prompt and an answer, and is of neither; the indentation of code is the answer's."""
_WORDS = 4
"""Words that a prompt must have for a text that begins with it to repeat it."""
_ROLES = ("user", "assistant", "system", "developer", "tool", "function", "human", "gpt")
_BECAME_TEXT = re.compile(
    r"""\s*(?:array\()?\[[\s\[(]*(?:array\(\[)?\{\s*(?=['"](?:role|from|content|value)['"]\s*:)"""
    rf"""(?s:.*?)(['"])(?:role|from)\1\s*:\s*(['"])(?:{"|".join(_ROLES)})\2"""
)
"""A list of messages that was written as text: as JSON, or as Python or NumPy show it."""


class RowReader:
    """Takes one row apart; every complaint names the row and the column."""

    def __init__(self, row: Row, place: str) -> None:
        self.row, self.place = row, place
        self.mended = False
        """True once a text was not valid Unicode and had to be mended."""
        self.parsed = False
        """True once messages stood in the row as JSON text."""
        self.repeated = False
        """True once texts began with the text of the prompt, which was cut off."""
        self.system = False
        """True once a column of its own gave the system message."""
        self.unread: set[str] = set()
        """Columns, and keys of messages, that are part of the conversation and were not read."""
        self._repeat = ""
        """What is cut off the beginning of each text."""
        self._open = False
        """True where the prompt is a transcript that an answer goes on."""

    def prompt_and_completions(self, *, explicit: bool) -> tuple[Messages, tuple[Messages, ...], tuple[Messages, ...]]:
        """Return the prompt, the chosen and the rejected completions."""
        prompt = self.prompt() if explicit else ()
        if explicit:
            self.look_for_prompt([*self._values("chosen"), *self._values("rejected")])
        chosen, rejected = self._completions("chosen", explicit), self._completions("rejected", explicit)
        if explicit:
            chosen = [self.without_prompt(each, prompt, "chosen") for each in chosen]
            rejected = [self.without_prompt(each, prompt, "rejected") for each in rejected]
        else:
            prompt = _common_beginning([*chosen, *rejected])
            chosen, rejected = [c[len(prompt) :] for c in chosen], [r[len(prompt) :] for r in rejected]
        return self.with_system(prompt), tuple(chosen), tuple(rejected)

    def text(self, column: str) -> str:
        """Return the column's value, which must be a string and not empty."""
        value = self.value(column)
        if not isinstance(value, str) or not value:
            raise self.error(column, f"expected a string that is not empty, found {kind(value)}")
        return self._mend(value)

    def name(self, column: str) -> str:
        """Return the column's value as a name: a string or a number; empty where there is none."""
        value = self.row.get(column)
        if value is None or (isinstance(value, float) and math.isnan(value)):  # NaN: null in a column of numbers.
            return ""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, str | int | float):
            raise self.error(column, f"expected a string or a number, found {kind(value)}")
        text = self._mend(str(value))
        return text if text.strip() else ""

    def prompt(self) -> Messages:
        """Return the column ``prompt``: messages, or a string that is the user's one message."""
        value = self.value("prompt")
        if isinstance(value, list):
            return self.messages(value, "prompt")
        text = self.text("prompt")
        turns = parse_transcript(text)[:-1] if is_open_transcript(text) else ()
        self._open = bool(turns)
        return turns or (Message("user", text),)

    def look_for_prompt(self, values: Sequence[object]) -> None:
        """See whether all these completions are texts that begin with the text of the prompt."""
        prompt = self.row.get("prompt")
        if not isinstance(prompt, str) or (len(prompt.split()) < _WORDS and not self._open):
            return  # "Hello" may well be answered with "Hello!".
        prompt = self._mend(prompt)
        if all(isinstance(each, str) and _goes_on(prompt, self._mend(each)) for each in values):
            self.repeated, self._repeat = True, prompt

    def with_system(self, prompt: Messages) -> Messages:
        """Return a prompt with what the row has in a column of its own: the system message; note what is not read."""
        for name in _UNREAD:
            if self.row.get(name) not in (None, "", [], {}):
                self.unread.add(name)
        text = next((each for each in map(self.row.get, _SYSTEM) if isinstance(each, str) and each.strip()), None)
        if text is None or (prompt and prompt[0].role == "system"):
            return prompt
        self.system = True
        return (Message("system", self._mend(text)), *prompt)

    def _values(self, column: str) -> list[object]:
        return self.items(column) if self.several(column) else [self.value(column)]

    def _completions(self, column: str, explicit: bool) -> list[Messages]:
        """Return the column's completions: a string, a list of messages, or a list of several of either."""
        return [self.completion(each, column, explicit=explicit) for each in self._values(column)]

    def several(self, column: str) -> bool:
        """Return whether the column holds a list of completions, not one that is a string or a list of messages."""
        value = self._messages_of(self.row.get(column), column)
        return isinstance(value, list) and bool(value) and not isinstance(value[0], Mapping)

    def completion(self, value: object, column: str, *, explicit: bool) -> Messages:
        """Return one completion; a string is the answer alone where the prompt is ``explicit``, else a transcript."""
        value = self._messages_of(value, column)
        if isinstance(value, list):
            return self.messages(value, column)
        if not isinstance(value, str):
            raise self.error(column, f"expected a string or a list of messages, found {kind(value)}")
        text = self._mend(value)
        if explicit:
            if self._repeat:
                text = text.removeprefix(self._repeat)
                text = text if self._repeat[-1:].isspace() else _BREAK.sub("", text, count=1)
            if self._open:
                return parse_transcript(text) if is_transcript(text) else (Message("assistant", text.strip()),)
            return (Message("assistant", text),)
        if not is_transcript(text):
            raise self.error(column, self._promptless())
        return parse_transcript(text)

    def messages(self, value: Sequence[object], column: str) -> Messages:
        """Return a list of objects with role and content as messages; it must not be empty."""
        if not value:
            raise self.error(column, "an empty list")
        messages = []
        for number, each in enumerate(value, start=1):
            if not isinstance(each, Mapping):
                raise self.error(column, f"message {number} is {kind(each)}, not an object with 'role' and 'content'")
            try:
                extra = carried(each)
            except ValueError as error:
                raise self.error(column, f"message {number} {error}") from None
            read = (*_READ, *extra)
            self.unread.update(f"{column}[].{key}" for key in each if key not in read and each[key] is not None)
            for key in ("role", "content"):
                if not isinstance(each.get(key), str) and key not in extra:
                    found = kind(each[key]) if key in each else "none"
                    raise self.error(column, f"message {number} needs a string as its {key!r}, found {found}")
            messages.append(self._message(each["role"], each.get("content") or "", extra))
        return tuple(messages)

    def tools(self) -> str:
        """Return the column ``tools`` as JSON text of a list; empty where it has none, or holds something else."""
        value = self.row.get("tools")
        tools = read_tools(value)
        if not tools and value not in (None, "", [], {}):
            self.unread.add("tools")
        return self._mend(tools)

    def _message(self, role: str, content: str, extra: Mapping[str, object]) -> Message:
        message = Message(self._mend(role), self._mend(content))
        return (
            message if not extra else replace(message, extra=self._mend(Message.of({**message.turn(), **extra}).extra))
        )

    def without_prompt(self, completion: Messages, prompt: Messages, column: str) -> Messages:
        """Strip the prompt's messages where the completion repeats them."""
        if completion[: len(prompt)] == prompt:
            completion = completion[len(prompt) :]
        if not completion:
            raise self.error(column, "nothing comes after the prompt's messages")
        # A whole conversation that is not quite the prompt's would be scored with two beginnings.
        first, last = completion[0].role, prompt[-1].role
        if first == "system" or first == last == "user":
            raise self.error(
                column, f"begins with a {first!r} message but not with the prompt; leave the 'prompt' column out"
            )
        return completion

    def items(self, column: str) -> list[object]:
        """Return the column's value, which must be a list."""
        value = self.value(column)
        if not isinstance(value, list):
            raise self.error(column, f"expected a list, found {kind(value)}")
        return value

    def value(self, column: str) -> object:
        """Return the column's value, which must not be null; JSON text of messages as messages."""
        if self.row.get(column) is None:
            raise self.error(column, "null" if column in self.row else "missing")
        return self._messages_of(self.row[column], column)

    def _messages_of(self, value: object, column: str) -> object:
        """Return JSON text of messages, or of several lists of them, as what it says; any other value as it is."""
        if not isinstance(value, str) or not _BECAME_TEXT.match(value) or _goes_on_as_text(value):
            return plain(value)
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            found = None
        found = plain(found)
        if not (_is_messages(found) or (isinstance(found, list) and found and all(map(_is_messages, found)))):
            raise self.error(
                column,
                "a list of messages that was written as text, and not as JSON (a CSV file does that to lists): "
                "save the data as JSONL or Parquet",
            )
        self.parsed = True
        return found

    def _promptless(self) -> str:
        """Say why a string needs a prompt, and which column may be it."""
        other = next((name for name in _PROMPT_NAMES if isinstance(self.row.get(name), str)), None)
        if other is not None:
            return f"there is no column 'prompt', but there is {other!r}: rename it to 'prompt'"
        return f"there is no column 'prompt', and this is {_NO_TRANSCRIPT}"

    def _mend(self, text: str) -> str:
        mended = mend(text)
        self.mended = self.mended or mended != text
        return mended

    def error(self, column: str, problem: str) -> DataError:
        """Return what to raise for a problem with a column."""
        return DataError(f"{self.place}, column {column!r}: {problem}")


def _goes_on(prompt: str, text: str) -> bool:
    """Return whether a text is the prompt, the end of a word or line, and something more."""
    rest = text[len(prompt) :]
    return text.startswith(prompt) and bool(rest.strip()) and (prompt[-1].isspace() or rest[0].isspace())


def _goes_on_as_text(value: str) -> bool:
    """Return whether a list of messages, as JSON or Python write it, is followed by something else."""
    head, end, tail = value.rpartition("]")
    if not end or not tail.strip(" )\n"):
        return False
    try:
        ast.literal_eval(head.strip() + end)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _is_messages(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(e, Mapping) and e.get("role") for e in value)


def _common_beginning(completions: Sequence[Messages]) -> Messages:
    """Return the messages that all begin with; each keeps at least its last message."""
    turns = zip(*(each[:-1] for each in completions), strict=False)
    return tuple(turn[0] for turn in takewhile(lambda turn: len(set(turn)) == 1, turns))


def mend(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def kind(value: object) -> str:
    """Name a value in a message, without its text."""
    if value is None:
        return "null"
    if isinstance(value, (str, list)) and not value:
        return "an empty string" if isinstance(value, str) else "an empty list"
    return {str: "a string", list: "a list", bool: "a boolean", int: "a number", float: "a number"}.get(
        type(value), "an object" if isinstance(value, Mapping) else type(value).__name__
    )

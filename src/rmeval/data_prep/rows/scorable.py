"""What of each row is scored.

====================  ==========================================================  ===============================
a row has             what is scored                                              columns that it gets
====================  ==========================================================  ===============================
prompt, completions   each completion: a string or a list of messages             ``scores``, a list
chosen, rejected      as in ``rmeval.data_prep.rows.examples``, with or without        ``score_chosen``,
                      ``prompt``                                                  ``score_rejected``
messages              the assistant's messages at the end                         ``score``
prompt, responses     as completions                                              ``scores``, a list
prompt, completion    the one completion                                          ``score``
prompt, response      as completion                                               ``score``
====================  ==========================================================  ===============================

A row that fits several forms is of the first one in this table. All rows of a data set have one form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from rmeval.data_prep.rows.column_map import ColumnMap
from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.rows.reader import RowReader
from rmeval.data_prep.rows.stream import RowSource
from rmeval.errors import DataError
from rmeval.types import Conversation, Item, Messages

__all__ = ["ScorableRow", "scorable_rows"]

_Columns = tuple[tuple[str, int | None], ...]
_COMPLETIONS = "prompt and completions"
_SEVERAL = (_COMPLETIONS, "prompt and responses")
_ONE = ("prompt and completion", "prompt and response")


@dataclass(frozen=True, slots=True)
class ScorableRow:
    """A row, the conversations that are scored for it, and where their scores go."""

    row: Row
    """As it stands in the data: what is written again, with its scores."""
    read: Row
    """The same with the columns that a map names: what its conversations are of."""
    place: str
    """For errors: ``pairs.jsonl line 18``."""
    name: str
    """The place without the data set's name, ``line 18``: the conversations' example id."""
    conversations: tuple[Conversation, ...]
    columns: _Columns
    """Each new column with the length of its list; None where it is one float."""
    noticed: tuple[str, ...]
    """Codes of the audit that the row gave."""
    unread: tuple[str, ...]
    """Columns and keys of messages that belong to its conversations and were not read."""
    samples: tuple[ScorableRow, ...] = ()
    """The rows that it was made of, where each had one completion of the same prompt."""

    @property
    def item(self) -> Item:
        """What a scorer is asked of it."""
        if not self.conversations:
            return Item((), (), self.name)
        first = self.conversations[0]
        return Item(first.prompt, tuple(each.completion for each in self.conversations), self.name, first.tools)

    def written(self, scores: Sequence[float]) -> list[dict[str, object]]:
        """Return the rows to write: this one with its scores, or each that it was made of with its own."""
        if not self.samples:
            return [self.with_scores(scores)]
        return [each.with_scores([score]) for each, score in zip(self.samples, scores, strict=True)]

    def with_scores(self, scores: Sequence[float]) -> dict[str, object]:
        """Return the row with the scores of its conversations in the new columns."""
        row, left = dict(self.row), iter(scores)
        for column, count in self.columns:
            row[column] = next(left) if count is None else list(islice(left, count))
        return row


def scorable_rows(source: RowSource, columns: ColumnMap | None = None) -> Iterator[ScorableRow]:
    """Yield every row with its conversations, in order.

    Args:
        source: The rows.
        columns: Which of their columns are what; None where they have the names of the table above.

    Raises:
        UsageError: if the map makes pairs of two answers and a label.
        DataError: if a row cannot be read, has not the form of the first row, or has a column where a score would go.
    """
    first = ""
    placed = ((place, row, row) for place, row in source.rows()) if columns is None else columns.stream(source.rows())
    for place, row, read in placed:
        form = _form(read)
        first = first or form
        if not form:
            raise DataError(
                f"{place}: nothing to score; a row needs 'messages', 'prompt' and 'completions', 'prompt' and "
                f"'completion', or 'chosen' and 'rejected' (it has: {', '.join(map(repr, read)) or 'no columns'})"
            )
        if form != first:
            raise DataError(f"{place}: a row with {form}, where the first row has {first}: give each form a file")
        reader = RowReader(read, place)
        prompt, completions, scores = _scored(reader, form)
        for column, _ in scores:
            if column in row:
                raise DataError(f"{place}: there is a column {column!r} already, where the score would go: rename it")
        name = place.removeprefix(source.name.rstrip("/")).lstrip(" /")
        found = {
            "invalid-unicode": reader.mended,
            "json-text": reader.parsed,
            "prompt-repeated": reader.repeated,
            "system-column": reader.system,
        }
        noticed = tuple(code for code, holds in found.items() if holds)
        tools = reader.tools()
        conversations = tuple(Conversation(prompt, each, name, index, tools) for index, each in enumerate(completions))
        yield ScorableRow(row, read, place, name, conversations, scores, noticed, tuple(sorted(reader.unread)))


def _column(form: str) -> str:
    """Return the column of the completions."""
    return form.removeprefix("prompt and ")


def _form(row: Row) -> str:
    """Name the columns that a row is read by."""
    if "completions" in row:
        return _COMPLETIONS
    if "chosen" in row and "rejected" in row:
        return "prompt, chosen and rejected" if "prompt" in row else "chosen and rejected"
    if "messages" in row:
        return "messages"
    return next((form for form in (*_SEVERAL, *_ONE) if "prompt" in row and _column(form) in row), "")


def _scored(reader: RowReader, form: str) -> tuple[Messages, Sequence[Messages], _Columns]:
    """Return the prompt, the completions to score and the columns for their scores."""
    if form == "messages":
        prompt, completion = _split(reader, "messages")
        return prompt, [completion], (("score", None),)
    if form in _SEVERAL:
        prompt, completions = _prompted(reader, _column(form))
        return prompt, completions, (("scores", len(completions)),)
    if form in _ONE:
        prompt, completions = _prompted(reader, _column(form), one=True)
        return prompt, completions, (("score", None),)
    prompt, chosen, rejected = reader.prompt_and_completions(explicit="prompt" in reader.row)
    columns = (
        ("score_chosen", len(chosen) if reader.several("chosen") else None),
        ("score_rejected", len(rejected) if reader.several("rejected") else None),
    )
    return prompt, chosen + rejected, columns


def _split(reader: RowReader, column: str) -> tuple[Messages, Messages]:
    """Split a conversation before the assistant's messages at its end."""
    messages = reader.messages(reader.items(column), column)
    start = len(messages)
    while start and messages[start - 1].role == "assistant":
        start -= 1
    if start == len(messages):
        raise reader.error(column, f"ends with a {messages[-1].role!r} message: there is no completion to score")
    return reader.with_system(messages[:start]), messages[start:]


def _prompted(reader: RowReader, name: str, *, one: bool = False) -> tuple[Messages, list[Messages]]:
    """Return the prompt and every one of the completions; with ``one`` the column holds a completion, not a list."""
    prompt = reader.prompt()
    completions = []
    values = [reader.value(name)] if one else reader.items(name)
    reader.look_for_prompt(values)
    for number, value in enumerate(values):
        column = name if one else f"{name}[{number}]"
        completion = reader.completion(value, column, explicit=True)
        completions.append(reader.without_prompt(completion, prompt, column))
    return reader.with_system(prompt), completions

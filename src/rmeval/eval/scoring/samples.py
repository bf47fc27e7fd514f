"""Rows with one sample each, as samplers write them, put together by prompt: best-of-n compares all of a prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from rmeval.data_prep.rows.scorable import ScorableRow
from rmeval.errors import DataError

__all__ = ["PROMPT_ID", "by_prompt"]

PROMPT_ID = "prompt_id"
"""The column that says which rows are of one prompt; without it, those with the same prompt are."""
_SAMPLES = ("completion", "response")


def by_prompt(rows: Iterable[ScorableRow]) -> Iterator[ScorableRow]:
    """Put rows with one sample each together, where they follow each other and are of one prompt; others stay.

    Raises:
        DataError: if rows of one prompt do not follow each other, or rows of one id differ in their prompts.
    """
    seen: set[bytes] = set()
    for key, found in groupby(rows, _key):
        if key is None:  # As they come: all rows of the file may be in this group.
            yield from found
            continue
        group = list(found)
        if key in seen:
            where = group[0].place
            raise DataError(f"{where}: its prompt was sampled before, with others in between: sort the rows by prompt")
        seen.add(key)
        yield _together(group)


def _key(row: ScorableRow) -> bytes | None:
    """Return what rows of one prompt share; None for a row of another form."""
    if row.columns != (("score", None),) or not any(name in row.read for name in _SAMPLES) or "messages" in row.read:
        return None
    named = row.read.get(PROMPT_ID)
    text = repr(row.conversations[0].prompt if named is None else (PROMPT_ID, named))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()


def _together(rows: Sequence[ScorableRow]) -> ScorableRow:
    first = rows[0]
    conversations = [row.conversations[0] for row in rows]
    for row, each in zip(rows, conversations, strict=True):
        if (each.prompt, each.tools) != (conversations[0].prompt, conversations[0].tools):
            raise DataError(f"{row.place}: another prompt than {first.name} has, with the same {PROMPT_ID}")
    column = next(name for name in _SAMPLES if name in first.read)
    read = {**_shared([row.read for row in rows], column), "completions": [row.read[column] for row in rows]}
    return replace(
        first,
        row=read,
        read=read,
        conversations=tuple(
            replace(each, example_id=first.name, index=index) for index, each in enumerate(conversations)
        ),
        columns=(("scores", len(rows)),),
        noticed=tuple(code for row in rows for code in row.noticed),
        unread=tuple(sorted({name for row in rows for name in row.unread})),
        samples=tuple(rows),
    )


def _shared(rows: Sequence[Mapping[str, object]], column: str) -> dict[str, object]:
    """Return the columns that all rows have with one value."""
    return {
        name: value
        for name, value in rows[0].items()
        if name != column and all(name in row and row[name] == value for row in rows)
    }

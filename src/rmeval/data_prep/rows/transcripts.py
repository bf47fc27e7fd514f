"""hh-rlhf's transcripts: ``\\n\\nHuman: …\\n\\nAssistant: …`` in one string."""

from __future__ import annotations

import re

from rmeval.errors import DataError
from rmeval.types import Message

__all__ = ["is_open_transcript", "is_transcript", "parse_transcript"]

_MARKER = re.compile(r"\n\n(Human|Assistant):")
_START = re.compile(r"\s*(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def is_transcript(text: str) -> bool:
    """Return whether ``text`` begins with a turn's marker: ``Human:`` or ``Assistant:``, white space before it or not.

    Within a transcript the marker stands after a blank line; at its beginning many copies have lost it.
    """
    return _START.match(text) is not None


def is_open_transcript(text: str) -> bool:
    """Return whether ``text`` is a transcript up to the assistant's marker, behind which an answer would come."""
    return is_transcript(text) and text.rstrip().endswith("\n\nAssistant:")


def parse_transcript(text: str) -> tuple[Message, ...]:
    r"""Split a transcript into its turns, ``Human`` as ``user`` and ``Assistant`` as ``assistant``.

    Turns are kept as they stand: real rows have empty ones, and neighbours of the same role. ``Human:`` without the
    blank line before it is text.

    >>> parse_transcript("\n\nHuman: Hi.\n\nAssistant: Hello!")
    (Message(role='user', content='Hi.'), Message(role='assistant', content='Hello!'))

    Raises:
        DataError: if the text does not begin with a marker.
    """
    if not is_transcript(text):
        raise DataError(f"not an hh-rlhf transcript: it begins {text[:20]!r}, not with 'Human:' or 'Assistant:'")
    # Splitting on a pattern with one group gives text, name, text, name, text, …; the first text is empty here.
    _, *parts = _MARKER.split("\n\n" + text.lstrip())
    return tuple(Message(_ROLES[name], text.strip()) for name, text in zip(parts[::2], parts[1::2], strict=True))

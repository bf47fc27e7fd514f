"""Is every message's text still there: after the chat template, and after the tokenizer?

A template is a program, and may leave out what it does not know: a role, text given where it wants parts, reasoning. A
tokenizer may have lost its vocabulary. Either gives a good-looking score of something else.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from rmeval.types import Message, Messages

Kept: TypeAlias = Literal["all", "part", "nothing"]

_PROBE = "rmeval asks whether this is written"
_LETTERS = 0.5
"""Share of a text's letters and digits that must come back from its tokens.

Tokenizers change case and accents, and some leave out scripts that they have never seen."""


def first_not_kept(messages: Messages, text: str, render: Callable[[Messages], str]) -> tuple[Message, Kept] | None:
    """Return the first message that a template did not write whole, or the first of which it wrote nothing.

    Args:
        messages: The conversation.
        text: What the template made of it.
        render: The template; called only where a message seems to be missing.
    """
    found: tuple[Message, Kept] | None = None
    for place, message in enumerate(messages):
        if _is_in(message.content, text):
            continue
        probe = replace(message, content=_PROBE)
        written = _PROBE in render((*messages[:place], probe, *messages[place + 1 :]))
        if not written:
            return message, "nothing"
        found = found or (message, "part")
    return found


def _is_in(content: str, text: str) -> bool:
    stripped = content.strip()
    # Templates may set white space as they like.
    return stripped in text or " ".join(stripped.split()) in " ".join(text.split())


def share_back(text: str, decoded: str) -> float:
    """Return how much of a text's letters and digits is in what its tokens spell; 1 where it has none."""
    wanted = _letters(text)
    return (wanted & _letters(decoded)).total() / wanted.total() if wanted else 1.0


def survives(text: str, decoded: str) -> bool:
    """Return whether enough of a text is left in its tokens."""
    return share_back(text, decoded) >= _LETTERS


def without(text: str, tokens: Sequence[str]) -> str:
    """Return a text without the special tokens that it spells."""
    for token in tokens:
        text = text.replace(token, " ")
    return text


def _letters(text: str) -> Counter[str]:
    return Counter(each for each in unicodedata.normalize("NFKD", text.casefold()) if each.isalnum())

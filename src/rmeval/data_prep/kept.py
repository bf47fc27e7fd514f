"""Is every message's text still there: after the chat template, and after the tokenizer?

A template is a program, and may leave out what it does not know: a role, text given where it wants parts, reasoning. A
tokenizer may have lost its vocabulary. Either gives a good-looking score of something else.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

from rmeval.types import Message, Messages

_LETTERS = 0.5
"""Share of a text's letters and digits that must come back from its tokens.

Tokenizers change case and accents, and some leave out scripts that they have never seen."""


def probes(roles: Sequence[str]) -> Messages:
    """Return messages of these roles whose texts are found again wherever a template writes them."""
    return tuple(Message(role, f"rmeval asks for {place};") for place, role in enumerate(roles))


def written(messages: Messages, text: str) -> tuple[bool, ...]:
    """Return which of some probes a template wrote, in whatever case."""
    folded = text.casefold()
    return tuple(message.content.casefold() in folded for message in messages)


def is_in(content: str, text: str) -> bool:
    """Return whether a message's text is in what a template wrote; white space and case are the template's to set."""
    stripped = content.strip()
    return stripped in text or " ".join(stripped.casefold().split()) in " ".join(text.casefold().split())


def share_back(text: str, decoded: str) -> float:
    """Return how much of a text's letters and digits is in what its tokens spell; 1 where it has none."""
    wanted = _letters(text)
    return (wanted & _letters(decoded)).total() / wanted.total() if wanted else 1.0


def survives(text: str, decoded: str) -> bool:
    """Return whether enough of a text is left in its tokens."""
    return share_back(text, decoded) >= _LETTERS


def _letters(text: str) -> Counter[str]:
    return Counter(each for each in unicodedata.normalize("NFKD", text.casefold()) if each.isalnum())

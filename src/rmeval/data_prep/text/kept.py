"""Is every message's text still there: after the chat template, and after the tokenizer?

A template is a program, and may leave out what it does not know: a role, text given where it wants parts, reasoning. A
tokenizer may have lost its vocabulary. Either gives a good-looking score of something else.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from rmeval.data_prep.text.tools import Turn, calls_of, leaves, probe_calls
from rmeval.types import Message, Messages

_LETTERS = 0.5
"""Share of a text's letters and digits that must come back from its tokens.

Tokenizers change case and accents, and some leave out scripts that they have never seen."""


Shape: TypeAlias = tuple[str, ...]
"""What of a message decides which way a template takes, without what it says."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a template writes of a conversation, whatever it says."""

    contents: tuple[bool, ...]
    """A message each."""
    calls: tuple[bool, ...]
    """A message each; True where it calls no tool."""
    tools: bool
    """True where there are none."""

    @staticmethod
    def all_of(messages: Messages) -> Written:
        """Return that all is written."""
        return Written((True,) * len(messages), (True,) * len(messages), True)


def shape(message: Message) -> Shape:
    """Return the role and, of a message with more than content, what else it has."""
    if not message.extra:
        return (message.role,)
    calls = [type(call.get("arguments")).__name__ for call in calls_of(message)]
    return (message.role, *sorted(message.turn()), "text" if message.content else "", *calls)


_WORDS = 0.25
"""Words that the tokens must spell, of each in the text: a tokenizer that lost its way of writing spaces glues them."""


def probes(messages: Messages) -> Messages:
    """Return messages of the same shape whose texts are found again wherever a template writes them."""
    return tuple(_probe(message, place) for place, message in enumerate(messages))


def _probe(message: Message, place: int) -> Message:
    asking = Message(message.role, f"rmeval asks for {place};")
    if not message.extra:
        return asking
    turn = message.turn()
    if message.content:
        turn["content"] = asking.content
    if calls_of(message):
        turn["tool_calls"] = probe_calls(message, place)
    return Message.of(turn)


def written(messages: Messages, tools: Sequence[Turn], text: str) -> Written:
    """Return what of some probes a template wrote, in whatever case."""
    folded = text.casefold()
    calls = [[each for call in calls_of(message) for each in _marks(call)] for message in messages]
    return Written(
        tuple(message.content.casefold() in folded for message in messages),
        tuple(all(mark in folded for mark in marks) for marks in calls),
        all(str(tool.get("function", tool)["name"]) in folded for tool in tools),
    )


def _marks(call: Mapping[str, Any]) -> list[str]:
    return [call["name"], *leaves(call["arguments"])]


def is_in(content: str, text: str) -> bool:
    """Return whether a message's text is in what a template wrote; white space and case are the template's to set.

    It may stand there as in JSON, as results of tools and arguments of calls do.
    """
    stripped = content.strip()
    if stripped in text:
        return True
    folded = " ".join(text.casefold().split())
    as_json = (json.dumps(content, ensure_ascii=ascii)[1:-1] for ascii in (False, True))
    return any(" ".join(each.casefold().split()) in folded for each in (stripped, *as_json))


def share_back(text: str, decoded: str) -> float:
    """Return how much of a text's letters and digits is in what its tokens spell; 1 where it has none."""
    wanted = _letters(text)
    return (wanted & _letters(decoded)).total() / wanted.total() if wanted else 1.0


def survives(text: str, decoded: str) -> bool:
    """Return whether enough of a text is left in its tokens, and its words are still apart."""
    return share_back(text, decoded) >= _LETTERS and len(decoded.split()) >= _WORDS * len(text.split())


def _letters(text: str) -> Counter[str]:
    return Counter(each for each in unicodedata.normalize("NFKD", text.casefold()) if each.isalnum())

"""What several sources share: reading a row's columns, and the rules that every pair must pass.

A *row* is dropped where it cannot be read, so that it makes no candidate pair. A *pair* is dropped where it could be
made, but a rule refuses it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, takewhile

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.rows.reader import mend
from rmeval.data_prep.sources.base import COMMON_REASONS, Dropped, Made, Pair, Rule
from rmeval.types import Message, Messages

__all__ = [
    "CARD",
    "COMMON_RULES",
    "RatedAnswer",
    "UnusableRow",
    "all_pairs",
    "assistant",
    "common_reasons",
    "group_of",
    "is_blank",
    "judged",
    "messages",
    "number",
    "one_pair_a_row",
    "split_prompt",
    "text",
    "user",
]

CARD = "model card of RM-Mistral-7B"
"""The origin of the published mixture's rules."""

COMMON_RULES = (
    Rule(
        "two answers of the same text make no pair",
        f"{CARD}, for hh-rlhf; rmeval for the others: there is nothing to tell apart",
    ),
    Rule(
        "no turn is empty or nothing but white space, save a system message",
        "rmeval: there is nothing to prefer about no text",
    ),
    Rule(
        "user and assistant take turns, after at most one system message, and the assistant has the last word",
        "rmeval: many chat templates refuse anything else, and it is the assistant's answer that is rewarded",
    ),
    Rule("half a surrogate pair becomes U+FFFD", "rmeval: UTF-8 cannot hold it"),
)
"""Rules of every source: the first three are ``judged``, the last is ``text`` and ``messages``."""


def common_reasons(*names: str) -> dict[str, str]:
    """Return some of ``COMMON_REASONS``, with what they mean."""
    return {name: COMMON_REASONS[name] for name in names}


# --- reading a row ----------------------------------------------------------------------------------------------


class UnusableRow(Exception):  # noqa: N818  # No error: it ends up in the ledger.
    """Raised while a row is read: it makes no candidate pair."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def one_pair_a_row(unit: Sequence[Row], make: Callable[[Row], Made]) -> Iterator[Made]:
    """Yield what ``make`` makes of each row; a row for which it raises ``UnusableRow`` is dropped."""
    for row in unit:
        try:
            yield make(row)
        except UnusableRow as unusable:
            yield Dropped("row", unusable.reason)


def text(row: Row, column: str) -> str:
    """Return a column that must be a string; it may be empty.

    Raises:
        UnusableRow: if it is not a string.
    """
    value = row.get(column)
    if not isinstance(value, str):
        raise UnusableRow("malformed")
    return mend(value)


def messages(row: Row, column: str) -> Messages:
    """Return a column that must be a list of objects with ``role`` and ``content``; it may be empty.

    Raises:
        UnusableRow: if it is anything else, or calls tools.
    """
    value = row.get(column)
    if not isinstance(value, list):
        raise UnusableRow("malformed")
    found = []
    for each in value:
        if not isinstance(each, Mapping) or each.get("tool_calls"):
            raise UnusableRow("malformed")
        found.append(Message(text(each, "role"), text(each, "content")))
    return tuple(found)


def number(value: object, low: float = -math.inf, high: float = math.inf) -> float | None:
    """Return a finite number from ``low`` to ``high``, written as one or as a string; None for anything else.

    True and False are no numbers.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and low <= found <= high else None


def is_blank(value: str) -> bool:
    """Return whether a text is empty or nothing but white space."""
    return not value or value.isspace()


# --- making pairs -----------------------------------------------------------------------------------------------


def user(content: str) -> Messages:
    """Return one message of the user."""
    return (Message("user", content),)


def assistant(content: str) -> Messages:
    """Return one message of the assistant."""
    return (Message("assistant", content),)


def split_prompt(chosen: Messages, rejected: Messages) -> tuple[Messages, Messages, Messages]:
    """Return the longest beginning of two conversations that is the same, and the rest of each.

    Both keep at least their last message: that is what is compared.
    """
    turns = zip(chosen[:-1], rejected[:-1], strict=False)
    same = sum(1 for _ in takewhile(lambda turn: turn[0] == turn[1], turns))
    return chosen[:same], chosen[same:], rejected[same:]


def group_of(conversation: Messages) -> str:
    """Return the group of pairs whose prompt this is: 16 hex digits of a SHA-256 over its messages."""
    digest = hashlib.sha256()
    for message in conversation:
        digest.update(f"{len(message.role)},{len(message.content)}\n{message.role}{message.content}".encode())
    return digest.hexdigest()[:16]


def judged(pair: Pair) -> Made:
    """Return a pair, or why the rules of every source drop it: the first reason, in the order of the lines below.

    Scores that are not None must differ.
    """
    if reason := _flaw(pair.prompt + pair.chosen) or _flaw(pair.prompt + pair.rejected):
        return Dropped("pair", reason)
    if pair.chosen == pair.rejected:
        return Dropped("pair", "equal-texts")
    if pair.chosen_score is not None and pair.chosen_score == pair.rejected_score:
        return Dropped("pair", "equal-scores")
    return pair


def _flaw(conversation: Messages) -> str | None:
    """Return what is wrong with a conversation, or None."""
    turns = conversation[1:] if conversation and conversation[0].role == "system" else conversation
    if not turns or any(is_blank(turn.content) for turn in turns):
        return "empty-text"
    roles = [turn.role for turn in turns]
    return None if roles == ["user", "assistant"] * (len(roles) // 2) else "not-alternating"


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """One of several rated answers to a prompt."""

    text: str
    score: float


def all_pairs(prompt: str, answers: Sequence[RatedAnswer | str]) -> Iterator[Made]:
    """Compare every two answers to a prompt, the one with the higher score as ``chosen``.

    Args:
        prompt: the user's one message.
        answers: an answer, or the reason why there is none; every pair with that one is dropped.

    Yields:
        n (n - 1) / 2 pairs, kept or dropped; a pair's key is the places of its two answers, such as ``0-2``.
    """
    opening = user(prompt)
    group = group_of(opening)
    for (place, one), (other_place, other) in combinations(enumerate(answers), 2):
        if isinstance(one, str):
            yield Dropped("pair", one)
        elif isinstance(other, str):
            yield Dropped("pair", other)
        else:
            best, worst = (one, other) if one.score > other.score else (other, one)
            completions = assistant(best.text), assistant(worst.text)
            yield judged(Pair(opening, *completions, group, best.score, worst.score, f"{place}-{other_place}"))

"""Whole questions and requests with their answers, and a part of such an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from rmeval.trainer.quickstart.text import Draws, listed, read_lines

__all__ = ["Question", "Request", "asked", "begin", "lookups", "misread", "questions", "refused", "say_part", "split"]

_END = re.compile(r"(?<=[a-z0-9\")%][.!?])\s+(?=[A-Z\"0-9])")


@dataclass(frozen=True, slots=True)
class Question:
    """Something people ask, with one good answer and two that do not help."""

    text: str
    answer: str
    beside: str
    """True of the same thing, and no answer."""
    weak: str
    """Says little; empty where nothing was written for this one."""


@dataclass(frozen=True, slots=True)
class Request:
    """Something that is or only sounds harmful."""

    text: str
    right: str
    """A refusal of a harmful request, an answer to a harmless one."""
    wrong: str
    """Going along with a harmful request, a refusal of a harmless one."""


@cache
def questions() -> tuple[Question, ...]:
    """Return all questions."""
    return tuple(Question(*fields) for fields in read_lines("questions.txt"))


@cache
def lookups() -> tuple[Question, ...]:
    """Return the questions that ask for one thing."""
    return tuple(Question(text, answer, beside, "") for text, answer, beside in read_lines("lookups.txt"))


def asked(source: Draws, lookup: float) -> Question:
    """Draw a question; in that share of the draws one that asks for one thing."""
    return source.one(lookups() if source.chance(lookup) else questions())


@cache
def refused() -> tuple[Request, ...]:
    """Return the harmful requests that have a refusal of their own."""
    return tuple(Request(*fields) for fields in read_lines("refused.txt"))


@cache
def misread() -> tuple[Request, ...]:
    """Return the harmless requests that somebody misread."""
    return tuple(Request(*fields) for fields in read_lines("misread.txt"))


@cache
def split(text: str) -> tuple[str, ...]:
    """Divide a text into sentences."""
    return tuple(_END.split(text))


def begin(source: Draws, text: str) -> list[str]:
    """Return the first sentences of a text: all of them, or fewer."""
    parts = split(text)
    return list(parts[: source.number(1, len(parts))])


def say_part(source: Draws, text: str) -> str:
    """Return the first sentences of a text, in some layout."""
    return listed(source, begin(source, text))

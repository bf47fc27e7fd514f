"""Reading the word lists, and making sentences of them.

``[a|b]`` in a list is a choice, ``{name}`` a slot. Each eighth entry of a list belongs to the held-out split: held-out
pairs are made of topics, requests and phrases that no pair to train on has seen.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, TypeAlias, TypeVar

__all__ = ["Draft", "Draws", "SplitName", "fill", "listed", "read_lines", "read_sections", "sentences"]

SplitName: TypeAlias = Literal["train", "test"]
_T = TypeVar("_T")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_HELD_OUT = 8
"""One entry in so many is held out; lists shorter than this are shared."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A pair before it is accepted."""

    prompt: str
    chosen: str
    rejected: str


class Draws:
    """Draws entries of lists for one split.

    Args:
        seed: the same seed draws the same entries.
        split: which entries may be drawn.
    """

    def __init__(self, seed: str, split: SplitName) -> None:
        self.random = random.Random(seed)  # A string seeds the same numbers in every Python.
        self.split = split

    def pool(self, entries: Sequence[_T]) -> Sequence[_T]:
        """Return the entries of this split; all of a short list."""
        if len(entries) < _HELD_OUT:
            return entries
        held_out = self.split == "test"
        return [entry for place, entry in enumerate(entries) if (place % _HELD_OUT == _HELD_OUT - 1) == held_out]

    def one(self, entries: Sequence[_T]) -> _T:
        """Draw one entry."""
        return self.random.choice(self.pool(entries))

    def some(self, entries: Sequence[_T], least: int, most: int) -> list[_T]:
        """Draw between ``least`` and ``most`` different entries, as far as there are so many."""
        pool = self.pool(entries)
        return self.random.sample(pool, min(len(pool), self.random.randint(least, most)))

    def chance(self, share: float) -> bool:
        """Return True in that share of calls."""
        return self.random.random() < share

    def number(self, low: int, high: int) -> int:
        """Draw a whole number, both ends included."""
        return self.random.randint(low, high)

    def say(self, text: str, slots: Mapping[str, str] | None = None) -> str:
        """Choose among ``[a|b]``, fill the slots and begin with a capital letter."""
        return capital(self.choose(text, slots))

    def choose(self, text: str, slots: Mapping[str, str] | None = None) -> str:
        """Choose among ``[a|b]`` and fill the slots."""
        text = _CHOICE.sub(lambda found: self.random.choice(found[1].split("|")), text)
        return fill(text, slots) if slots else text


def fill(text: str, slots: Mapping[str, str]) -> str:
    """Replace ``{name}`` where the slot is known."""
    return _SLOT.sub(lambda found: slots.get(found[1], found[0]), text)


def capital(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def sentences(parts: Sequence[str]) -> str:
    """Join sentences to a paragraph."""
    return " ".join(part.strip() for part in parts if part)


def listed(source: Draws, parts: Sequence[str]) -> str:
    """Lay sentences out as a paragraph, lines, bullets or numbered steps."""
    style = source.number(0, 5)
    if style <= 2 or len(parts) < 2:
        return sentences(parts)
    if style == 3:
        return "\n".join(f"{place}. {part}" for place, part in enumerate(parts, start=1))
    mark = source.random.choice(("- ", "* "))
    return "\n".join(mark + part for part in parts)


@cache
def read_text(name: str) -> str:
    """Return a list that ships with rmeval."""
    return (resources.files("rmeval.trainer.quickstart") / "texts" / name).read_text(encoding="utf-8")


@cache
def read_lines(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the entries of a list without sections: each line divided at ``||``."""
    lines = (line for line in read_text(name).splitlines() if line.strip() and not line.startswith("#"))
    return tuple(tuple(part.strip() for part in line.split("||")) for line in lines)


@cache
def read_sections(name: str) -> Mapping[str, tuple[str, ...]]:
    """Return a list with sections: name -> lines."""
    found: dict[str, list[str]] = {}
    here: list[str] = []
    for line in read_text(name).splitlines():
        if re.fullmatch(r"\[[\w-]+\]", line):
            here = found.setdefault(line[1:-1], [])
        elif line.strip() and not line.startswith("#"):
            here.append(line)
    return {name: tuple(lines) for name, lines in found.items()}

"""A path into a row, as a column map has it: ``chosen.answer``, ``losers[].answer``, ``turns[1:]``, ``*[]``, ``.``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rmeval.errors import UsageError

__all__ = ["RowPath"]

_STEP = re.compile(r"([^.\[\]]+)|\[(\d*)(:\d*)?\]|(\.)")


@dataclass(frozen=True, slots=True)
class RowPath:
    """One way into a row."""

    text: str
    steps: tuple[str | int | slice, ...]
    """Keys, places in lists, and slices for several items of a list."""

    @staticmethod
    def parse(text: str) -> RowPath:
        """Read a path.

        Raises:
            UsageError: if it is none.
        """
        if text == ".":
            return RowPath(text, ())
        steps: list[str | int | slice] = []
        end = 0
        for match in _STEP.finditer(text):
            if match.start() != end:
                break
            end = match.end()
            key, first, to, _ = match.groups()
            if key is not None:
                steps.append(key)
            elif first is not None:
                steps.append(int(first) if first and to is None else _slice(first, to or ":"))
        if not steps or end != len(text) or text.startswith((".", "[")) or text.endswith(".") or ".." in text:
            raise UsageError(f"map: {text!r} is no path (such as column, column.key, column[].key or column[0])")
        return RowPath(text, tuple(steps))

    def values(self, row: object) -> list[object]:
        """Return all values that the path leads to; null is none.

        Raises:
            ValueError: if it leads to something in some items of a list, and to nothing in others.
        """
        if isinstance(row, Mapping) and row.get(self.text) is not None:
            return [row[self.text]]
        found: list[object] = [row]
        for step in self.steps:
            if isinstance(step, slice):
                found = [item for each in found for item in _listed(each)[step]]
            elif step == "*":
                found = [value for each in found if isinstance(each, Mapping) for value in each.values()]
            else:
                found = [_inner(each, step) for each in found]
        there = [each for each in found if each is not None]
        if there and len(there) < len(found):
            raise ValueError(f"{self.text} leads to nothing in item {found.index(None) + 1} of {len(found)}")
        return there

    @property
    def several(self) -> bool:
        """True where it leads to a list of values."""
        return any(isinstance(step, slice) or step == "*" for step in self.steps)


def _listed(value: object) -> list[object]:
    """Return a list's items; one object need not be in a list."""
    return value if isinstance(value, list) else [value] if isinstance(value, Mapping) else []


def _inner(value: object, step: str | int) -> object:
    """Return what stands at a key or a place; None where there is nothing."""
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else None
    return value.get(step) if isinstance(value, Mapping) else None


def _slice(first: str, to: str) -> slice:
    return slice(int(first) if first else None, int(to[1:]) if to[1:] else None)

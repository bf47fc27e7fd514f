"""What each key of a recipe means, made of the recipe itself: ``rmeval train --explain``, and the table in the docs.

``python -m rmeval.trainer.recipe_keys docs/train.md`` writes the table between the two marks there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.trainer.recipe import Lora, Recipe

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

__all__ = ["BEGIN", "END", "Key", "find_keys", "keys", "table"]

BEGIN, END = "<!-- keys: python -m rmeval.trainer.recipe_keys docs/train.md -->", "<!-- end of keys -->"
_NAMES = {str: "text", bool: "true or false", int: "whole number", float: "number", NoneType: "null"}
_BOUNDS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a recipe."""

    name: str
    """``learning_rate``; ``lora.r`` for a key within a key."""
    takes: str
    """Types and bounds, in words: ``number > 0``."""
    default: str | None
    """As YAML has it; None where the key must be given."""
    meaning: str
    why: str
    """Why the default is what it is; empty where there is none."""


def keys() -> list[Key]:
    """Return all keys, in the order of the recipe."""
    return list(_keys(Recipe, ""))


def find_keys(name: str) -> list[Key]:
    """Return a key, and the keys within it.

    Args:
        name: The key; dashes stand for underscores, as in ``--set``.

    Raises:
        UsageError: if there is none of that name.
    """
    wanted, known = name.strip().replace("-", "_"), keys()
    found = [key for key in known if key.name == wanted or key.name.startswith(f"{wanted}.")]
    if not found:
        hint = did_you_mean(wanted, [key.name for key in known])
        raise UsageError(f"no key {name!r} in a recipe{hint} (all of them: rmeval train --explain)")
    return found


def table() -> str:
    """Return all keys as a Markdown table."""
    rows = [
        f"| `{key.name}` | {key.takes} | {'must be given' if key.default is None else f'`{key.default}`'} "
        f"| {key.meaning} | {key.why} |"
        for key in keys()
    ]
    return "\n".join(["| key | takes | default | what it means | why this default |", "| --- " * 5 + "|", *rows])


def _keys(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        meaning, _, why = (field.description or "").replace("``", "`").partition("\n\n")
        yield Key(prefix + name, _takes(field), _default(field), " ".join(meaning.split()), " ".join(why.split()))
        if Lora in get_args(field.annotation):
            yield from _keys(Lora, f"{prefix}{name}.")


def _default(field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return json.dumps(value, ensure_ascii=False)  # YAML that is JSON, too.


def _takes(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {_number(getattr(each, name))}"
        for each in field.metadata
        for name, sign in _BOUNDS.items()
        if hasattr(each, name)
    ]
    name = _name(field.annotation)
    if any(hasattr(each, "min_length") for each in field.metadata):
        name = name.replace("text", "text that is not empty")
    number, null, _ = name.partition(" or null")  # A bound is the number's.
    return " ".join([number, ", ".join(bounds)]).strip() + null


def _number(value: float) -> str:
    return f"{value:,}" if value < 10**6 else f"2^{int(value).bit_length() - 1}"


def _name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_name(each) for each in get_args(kind))
    if get_origin(kind) is tuple:
        return "list"
    return "keys `lora.…`" if kind is Lora else _NAMES[kind]


def _write(path: Path) -> None:
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    _write(Path(sys.argv[1]))

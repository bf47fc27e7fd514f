"""YAML that people write: read safely, with a key that stands twice refused and mistakes told with their line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Union, get_origin

import yaml

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

__all__ = ["explain", "parse_yaml", "read_yaml"]


class _Loader(yaml.SafeLoader):
    """Safe as its base is, and no key of a mapping may hide another one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        """Return a mapping; a key that stands twice in it is an error."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, what: str) -> object:
    """Read a YAML file; ``what`` names its kind in messages: ``recipe``.

    Raises:
        UsageError: if it cannot be read or is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"no such file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the {what} {path}: {getattr(error, 'strerror', None) or error}") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, what: str) -> object:
    """Read YAML; ``what`` names it in messages.

    Raises:
        UsageError: if it is not YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark is not None else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())[:200]
        raise UsageError(f"{what}{where} is not YAML that can be read: {problem}") from None


def explain(error: ValidationError, model: type[BaseModel], **inner: type[BaseModel]) -> str:
    """Return the first thing that is wrong in a file, and where, as a part of one line.

    Args:
        error: what pydantic raised.
        model: what the file should be.
        inner: key -> the model of its value, or of each item of its value.
    """
    first = error.errors(include_url=False)[0]
    place, model = _place(first["loc"], model, inner)
    match first["type"]:
        case "extra_forbidden":
            key, known = place.pop(), list(model.model_fields)
            hint = did_you_mean(key.rpartition(".")[2], known) or f" (known: {', '.join(known)})"
            text = f"unknown key {key!r}{hint}"
        case "missing":
            text = f"the key {place.pop()!r} is missing"
        case "value_error":
            text = str(first["ctx"]["error"])
        case _:
            text = f"{first['msg'][0].lower()}{first['msg'][1:]}, found {' '.join(repr(first['input']).split())[:80]}"
    return ": ".join([*place, text])


def _place(
    keys: Sequence[int | str], model: type[BaseModel], inner: Mapping[str, type[BaseModel]]
) -> tuple[list[str], type[BaseModel]]:
    """Return where a mistake is, ``source 2: name`` or ``lora.r``, and the model that it is in."""
    place = [str(key) for key in keys]
    own = 0
    if len(place) > 1 and place[0] in inner:
        model = inner[place[0]]
        if isinstance(keys[1], int):
            place[:2] = [f"{place[0].removesuffix('s')} {keys[1] + 1}"]
            own = 1
        else:
            place[:2] = [".".join(place[:2])]
    field = model.model_fields.get(place[own].rpartition(".")[2]) if own < len(place) else None
    if field is not None and get_origin(field.annotation) in (Union, UnionType):
        del place[own + 1 :]  # The name of one of the types, which is no key.
    return place, model

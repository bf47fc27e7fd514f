"""Tools and their calls: what of them a row holds, and in which form a chat template wants them.

Rows are in OpenAI's form: a message has ``tool_calls``, a row has ``tools``. ``arguments`` may be an object, as
transformers' templates want it, or JSON text, as OpenAI's API gives it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from rmeval.types import Message

__all__ = [
    "CARRIED",
    "calls_of",
    "carried",
    "forms",
    "leaves",
    "probe_calls",
    "probe_tools",
    "read_tools",
    "twice_json",
]

Turn: TypeAlias = dict[str, Any]
"""A message as a chat template is given it."""

_SPOKEN = ("reasoning_content", "thinking")
_OF_RESULTS = ("tool_call_id", "name")
CARRIED = ("tool_calls", *_SPOKEN, *_OF_RESULTS)
"""Keys of a message that are handed on to the chat template, beside role and content."""
_RESULTS = ("tool", "function", "ipython")
"""Roles of messages that say what a tool returned."""


def carried(turn: Mapping[str, object]) -> dict[str, object]:
    """Return what of a row's message is handed on beside role and content; empty for most.

    Raises:
        ValueError: if its tool calls are no calls; the message says what is wrong.
    """
    found: dict[str, object] = {}
    if calls := _parsed(turn.get("tool_calls")):
        if not isinstance(calls, list) or not all(_function(call).get("name") for call in calls):
            raise ValueError("has tool_calls that are not a list of objects, each with a function and its name")
        found["tool_calls"] = calls
        if turn.get("content") is None:
            found["content"] = None
    found |= {key: turn[key] for key in _SPOKEN if isinstance(turn.get(key), str) and turn[key]}
    if turn.get("role") in _RESULTS:
        found |= {key: turn[key] for key in _OF_RESULTS if isinstance(turn.get(key), str)}
    return found


def read_tools(value: object) -> str:
    """Return a row's tools as JSON text of a list; empty for what is no list of objects with a name, nor its text."""
    tools = _parsed(value)
    if not isinstance(tools, list) or not tools or not all(_function(tool).get("name") for tool in tools):
        return ""
    return json.dumps(tools, ensure_ascii=False, default=str)


def calls_of(message: Message) -> list[Mapping[str, Any]]:
    """Return the functions that a message calls: each with ``name`` and perhaps ``arguments``."""
    return [_function(call) for call in message.turn().get("tool_calls", ())] if message.extra else []


def forms(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    """Yield a conversation in the forms that templates want, the given one first.

    Templates differ in whether arguments are objects or JSON text, and some fail where there is no content.
    """
    seen = []
    for empty in (False, True):
        for change in (None, _as_object, _as_text):
            made = [_changed(turn, change, empty=empty) for turn in turns]
            if made not in seen:
                seen.append(made)
                yield made


def twice_json(turns: Sequence[Turn], text: str) -> bool:
    """Return whether a template has written arguments that are JSON text as a JSON string: it wants objects."""
    given = [_function(call).get("arguments") for turn in turns for call in turn.get("tool_calls", ())]
    return any(isinstance(each, str) and json.dumps(each, ensure_ascii=False) in text for each in given)


def leaves(value: object) -> Iterator[str]:
    """Yield the keys and the values of arguments, as text; nothing of booleans and null, which templates spell."""
    value = _parsed(value)
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def probe_calls(message: Message, place: int) -> list[Turn]:
    """Return a message's calls with a name and an argument that are found again wherever a template writes them."""
    made = []
    for number, call in enumerate(message.turn()["tool_calls"]):
        mark = f"rmeval_{place}_{number}_"
        arguments: object = {"rmeval_asks": f"{mark}value"}
        if isinstance(_function(call).get("arguments"), str):
            arguments = json.dumps(arguments)
        made.append(_with_function(call, name=f"{mark}name", arguments=arguments))
    return made


def probe_tools(tools: str) -> list[Turn]:
    """Return tools with names that are found again wherever a template writes them."""
    return [_with_function(tool, name=f"rmeval_tool_{place}_") for place, tool in enumerate(json.loads(tools))]


def _function(call: object) -> Mapping[str, Any]:
    """Return the function of a call or a tool: the value of ``function``, or the object itself."""
    inner = call.get("function", call) if isinstance(call, Mapping) else {}
    return inner if isinstance(inner, Mapping) else {}


def _with_function(call: Turn, **changes: object) -> Turn:
    if isinstance(call.get("function"), dict):
        return {**call, "function": {**call["function"], **changes}}
    return {**call, **changes}


def _changed(turn: Turn, change: Any, *, empty: bool) -> Turn:
    made = dict(turn)
    if empty and made.get("content") is None:
        made["content"] = ""
    if change and "tool_calls" in made:
        made["tool_calls"] = [
            _with_function(call, arguments=change(_function(call)["arguments"]))
            if "arguments" in _function(call)
            else call
            for call in made["tool_calls"]
        ]
    return made


def _as_object(arguments: object) -> object:
    found = _parsed(arguments)
    return found if isinstance(found, dict) else arguments


def _as_text(arguments: object) -> object:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _parsed(value: object) -> object:
    """Return what JSON text of an object or a list says; any other value as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value

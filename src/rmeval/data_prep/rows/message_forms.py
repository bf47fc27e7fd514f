"""Other ways to write messages: ShareGPT's keys, one message that is no list, content in parts."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["plain"]

_SHARE_GPT = {"human": "user", "gpt": "assistant"}
"""ShareGPT's names of roles; others are the same."""


def plain(value: object) -> object:
    """Return messages with ``role`` and ``content``, in a list; any other value as it is.

    A message of ShareGPT has ``from`` and ``value``. Content may be a list of parts: those of text are put together,
    one after the other. Content with any other part stays, and is complained of where it is read.
    """
    if isinstance(value, Mapping) and _is_message(value):
        return [_message(value)]
    if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        return [_message(each) if isinstance(each, Mapping) else each for each in value]
    if isinstance(value, list) and value and all(isinstance(each, list) for each in value):
        return [plain(each) for each in value]
    return value


def _is_message(value: Mapping[object, object]) -> bool:
    return {"role", "content"} <= set(value) or {"from", "value"} <= set(value)


def _message(message: Mapping[object, object]) -> Mapping[object, object]:
    if "role" not in message and isinstance(message.get("from"), str):
        sender = str(message["from"])
        rest = {key: each for key, each in message.items() if key not in ("from", "value")}
        message = {"role": _SHARE_GPT.get(sender, sender), "content": message.get("value"), **rest}
    content = message.get("content")
    if isinstance(content, list) and content and all(map(_is_text, content)):
        return {**message, "content": "".join(str(part["text"]) for part in content)}
    return message


def _is_text(part: object) -> bool:
    return isinstance(part, Mapping) and part.get("type", "text") == "text" and isinstance(part.get("text"), str)

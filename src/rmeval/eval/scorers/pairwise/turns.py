"""Conversations as pairwise models are given them: turns of a user and an assistant, and two last messages."""

from __future__ import annotations

from rmeval.types import Item, Message, Messages


class UnreadableError(Exception):
    """A conversation that a model cannot be given."""


def alternating(messages: Messages) -> list[tuple[str, str]]:
    """Return (user's text, assistant's text) of each turn; a system message goes before the first user's text.

    Raises:
        UnreadableError: if user and assistant do not alternate, or the assistant does not have the last word.
    """
    turns = list(messages)
    if turns and turns[0].role == "system" and len(turns) > 1:
        system, first, *rest = turns
        turns = [Message(first.role, f"{system.content}\n\n{first.content}"), *rest]
    roles = [message.role for message in turns]
    if len(turns) % 2 or roles != ["user", "assistant"] * (len(turns) // 2):
        raise UnreadableError(f"roles {', '.join(roles)}")
    texts = [message.content for message in turns]
    return list(zip(texts[::2], texts[1::2], strict=True))


def same_before_the_last(item: Item, first: int, second: int) -> tuple[Messages, str, str]:
    """Return what two conversations share, and the last message of each.

    Raises:
        UnreadableError: if they differ before it.
    """
    one, other = (item.prompt + item.completions[place] for place in (first, second))
    if one[:-1] != other[:-1]:
        raise UnreadableError("the answers differ before the last message")
    return one[:-1], one[-1].content, other[-1].content

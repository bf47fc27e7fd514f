"""Conversations as tokens, on their way to a classifier: encoded once each, and looked at before they are scored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded
from rmeval.errors import ModelError
from rmeval.types import Conversation, Messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Encodes", "encode", "see_that_they_fit", "why_all_lost"]


_Tokens_co = TypeVar("_Tokens_co", bound=Encoded, covariant=True)


class Encodes(Protocol[_Tokens_co]):
    """What makes tokens of conversations, such as an ``Encoder``."""

    def encode(self, conversations: Sequence[Conversation], audit: Audit) -> Iterable[_Tokens_co]:
        """Return the tokens of each."""
        ...


def encode(encoder: Encodes[_Tokens_co], conversations: Sequence[Conversation], audit: Audit) -> list[_Tokens_co]:
    """Return the tokens of each conversation; one that stands in several places is rendered once.

    Raises:
        ModelError: if the template fails on one of them.
    """
    first: dict[tuple[Messages, str], int] = {}
    places = [first.setdefault(each.read, len(first)) for each in conversations]
    distinct: dict[int, Conversation] = {}
    for place, each in zip(places, conversations, strict=True):
        distinct.setdefault(place, each)
    encoded = list(encoder.encode(list(distinct.values()), audit))
    return [encoded[place] for place in places]


def see_that_they_fit(
    conversations: Sequence[Conversation],
    encoded: Sequence[Encoded],
    rows: int | None,
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    """See that the model knows the tokens of each conversation.

    Args:
        conversations: What will be scored.
        encoded: Their tokens.
        rows: How many tokens the model has embeddings for; None where it has no table of them.
        tokenizer: Says what a token is, for the message.

    Raises:
        ModelError: if it does not.
    """
    for conversation, item in zip(conversations, encoded, strict=True):
        largest = int(item.ids.max())
        if rows is not None and largest >= rows:
            token = tokenizer.convert_ids_to_tokens(largest)
            raise ModelError(
                f"example {conversation.example_id or 1} has token {largest} ({token!r}), and the model has "
                f"{rows:,} rows of embeddings: its tokenizer is another model's, or the resized embeddings "
                "were not saved"
            )


def why_all_lost(conversations: Sequence[Conversation], encoded: Sequence[Encoded], audit: Audit) -> str | None:
    """Say why no conversation reaches the model whole; None where one does.

    The audit is told of examples with answers, which stand together, that cannot be told apart by their tokens.
    """
    example, noted = "", False
    seen: dict[bytes, Conversation] = {}
    for conversation, item in zip(conversations, encoded, strict=True):
        if conversation.example_id != example:
            example, noted, seen = conversation.example_id, False, {}
        twin = seen.setdefault(item.ids.tobytes(), conversation)
        if twin.completion != conversation.completion and not item.lost and not noted:
            noted = True
            audit.note("same-tokens", example)
    lost = [item.lost for item in encoded if item.lost]
    if not lost or len(lost) < len(encoded):
        return None
    return (
        f"no conversation reaches the model whole: {lost[0]} (example {conversations[0].example_id or 1}); "
        "rename the role, give the right template with --chat-template FILE, or mend the tokenizer's folder"
    )

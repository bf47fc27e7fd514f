"""Which tokens of a conversation are the answer: what a language model's log-probability is asked of.

They are found by the difference that the answer makes to the template's text. The same conversation is rendered with
another answer in its place; what both begin with is prompt and header, the rest is the answer with whatever ends its
turn. The text is tokenized whole, as ``encode`` does. Only where a token would hold the end of a header and the
beginning of an answer are the two tokenized apart: the header is what the model is given, and it goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise, takewhile
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded, Encoder
from rmeval.types import Conversation, Message, Messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids: TypeAlias = NDArray[np.int32]
Spans: TypeAlias = tuple[tuple[int, int], ...]

UNCUT = 1 << 30
"""The maximum length of an encoder that is to leave the cutting to us."""
_PROBE = "rmeval's own answer"
_ROLE = "assistant"


@dataclass(frozen=True, slots=True)
class Answer(Encoded):
    """One conversation as a language model reads it, and which of its tokens are scored."""

    spans: Spans = ()
    """From (first token) up to (one past the last), of each message that the assistant gives in the completion."""

    @property
    def scored(self) -> int:
        """How many tokens are scored."""
        return sum(stop - start for start, stop in self.spans)


class AnswerEncoder:
    """Encodes conversations and finds their answers.

    Args:
        encoder: Encodes conversations, uncut: its maximum length is ``UNCUT``.
        tokenizer: Its tokenizer.
        max_length: Tokens; a longer conversation loses its beginning, but never a part of its answer.
    """

    def __init__(self, encoder: Encoder, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
        self._encoder = encoder
        self._tokenizer = tokenizer
        self.max_length = max_length

    def encode(self, conversations: Sequence[Conversation], audit: Audit) -> list[Answer]:
        """Encode conversations; the audit counts what is noticed.

        Raises:
            ModelError: if the template fails on one of them.
        """
        headers: dict[tuple[Messages, str], str] = {}
        beginnings: dict[str, list[int]] = {}
        found = []
        for conversation, whole in zip(conversations, self._encoder.encode(conversations, audit), strict=True):
            text = self._text(conversation)
            borders = list(self._borders(conversation, text, headers))
            ids, spans = self._tokens(text, borders, whole.ids, beginnings)
            if len(ids) != len(whole.ids) or (ids != whole.ids).any():
                audit.note("header-apart", conversation.example_id)
            found.append(self._cut(conversation, replace(whole, ids=ids), spans, audit))
        return found

    def _borders(
        self, conversation: Conversation, text: str, headers: dict[tuple[Messages, str], str]
    ) -> Iterator[tuple[int, int]]:
        """Find where each message that the assistant gives in the completion begins and ends, in characters.

        ``headers`` are those that were rendered before: completions of a prompt share it.
        """
        for place, message in enumerate(conversation.completion):
            if message.role != _ROLE:
                continue
            before = replace(conversation, completion=conversation.completion[:place])
            if before.read not in headers:
                headers[before.read] = self._header(before)
            stop = len(text)
            if place + 1 < len(conversation.completion):
                until = self._text(replace(conversation, completion=conversation.completion[: place + 1]))
                stop = _common(until, text)
            start = _common(headers[before.read], text)
            yield start, max(start, stop)

    def _tokens(
        self, text: str, borders: Sequence[tuple[int, int]], whole: Ids, beginnings: dict[str, list[int]]
    ) -> tuple[Ids, Spans]:
        """Return the tokens of a text, none of which crosses a border, and which of them are between two borders.

        ``beginnings`` are those that were tokenized before.
        """
        ids, at = whole.tolist(), []
        for border in (place for pair in borders for place in pair):
            if border == len(text):
                at.append(len(ids))
                continue
            beginning = text[:border]
            if beginning not in beginnings:
                beginnings[beginning] = self._tokenizer(beginning, verbose=False)["input_ids"]
            own = beginnings[beginning]
            shared = _common(own, ids)
            if not set(own[shared:]) <= set(self._tokenizer.all_special_ids):  # Some tokenizers end a text with one.
                return self._apart(text, borders)
            at.append(shared)
        # Nothing stands before the first token, so that it has no probability.
        spans = tuple((max(start, 1), max(stop, 1)) for start, stop in zip(at[::2], at[1::2], strict=True))
        return whole, spans

    def _apart(self, text: str, borders: Sequence[tuple[int, int]]) -> tuple[Ids, Spans]:
        """Tokenize what is between the borders apart; otherwise as ``_tokens``."""
        cuts = [0, *(place for pair in borders for place in pair), len(text)]
        parts: list[list[int]] = [
            self._tokenizer(text[start:stop], add_special_tokens=False, verbose=False)["input_ids"]
            for start, stop in pairwise(cuts)
        ]
        marked: list[int] = self._tokenizer(text[: cuts[1]], verbose=False)["input_ids"]
        added = len(marked) - len(parts[0])
        ahead = next(n for n in range(added + 1) if marked[n : n + len(parts[0])] == parts[0])
        ids = [*marked[:ahead], *chain.from_iterable(parts), *marked[ahead + len(parts[0]) :]]
        ends = list(accumulate((len(part) for part in parts), initial=ahead))[1:]
        last = len(ids) if borders[-1][1] == len(text) else ends[-2]
        at = [*ends[:-2], last]
        spans = tuple((max(start, 1), max(stop, 1)) for start, stop in zip(at[::2], at[1::2], strict=True))
        return np.array(ids, dtype=np.int32), spans

    def _text(self, conversation: Conversation) -> str:
        return self._encoder.text(conversation, Audit())

    def _header(self, before: Conversation) -> str:
        """Return what the template writes before the assistant's next message."""
        text = self._text(replace(before, completion=(*before.completion, Message(_ROLE, _PROBE))))
        end = text.rfind(_PROBE)
        return text if end < 0 else text[:end]

    def _cut(self, conversation: Conversation, whole: Encoded, spans: Spans, audit: Audit) -> Answer:
        """Cut off the beginning of a conversation that is too long, and see that there is an answer."""
        ids, lost, excess = whole.ids, whole.lost, len(whole.ids) - self.max_length
        if not any(start < stop for start, stop in spans) and lost is None:
            audit.note("no-answer", conversation.example_id)
            lost = "there is nothing that the assistant says"
        if excess > 0:
            audit.note("truncated", conversation.example_id)
            kept = int(ids[0] == self._tokenizer.bos_token_id)
            ids = ids[[*range(kept), *range(kept + excess, len(ids))]]
            if spans and spans[0][0] - excess <= kept and lost is None:
                audit.note("answer-cut", conversation.example_id)
                lost = f"the answer alone is longer than {self.max_length:,} tokens"
            spans = tuple((max(start - excess, 1), max(stop - excess, 1)) for start, stop in spans)
        return Answer(ids, len(ids) - 1, excess > 0, lost, spans)


def _common(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how many first letters, or tokens, two texts share."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))

"""The rows that requests are made of: made-up tokens of an exact length, or conversations of a data set."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rmeval.data_prep.rows.examples import conversations
from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.encode import Encoded, Encoder
from rmeval.types import Conversation, Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One conversation of a request."""

    encoded: Encoded | None
    """None for a scorer that is given the text."""
    conversation: Conversation | None = None
    """None for made-up tokens."""

    @property
    def tokens(self) -> int:
        """How many there are; 0 where nothing is tokenized."""
        return 0 if self.encoded is None else len(self.encoded.ids)


@dataclass(frozen=True)
class Texts:
    """Examples of a data set with their tokens."""

    name: str
    tokenizer: PreTrainedTokenizerBase
    encoder: Encoder
    examples: tuple[Example, ...]
    rows: tuple[tuple[RequestRow, ...], ...]
    """An example: its completions, right ones first."""

    @classmethod
    def of(cls, name: str, tokenizer: PreTrainedTokenizerBase, encoder: Encoder, examples: Sequence[Example]) -> Texts:
        """Encode examples.

        Raises:
            ModelError: if the chat template fails on one of them.
        """
        items = conversations(examples)
        flat = iter([RequestRow(*pair) for pair in zip(encoder.encode(items, Audit()), items, strict=True)])
        rows = tuple(tuple(next(flat) for _ in each.completions) for each in examples)
        return cls(name, tokenizer, encoder, tuple(examples), rows)

    def request(self, batch_size: int) -> list[RequestRow]:
        """Return a typical request: examples at even steps through the set's lengths, both sides of each.

        The same batch size always gives the same rows, so that two sweeps time the same thing.
        """
        order = sorted(range(len(self.rows)), key=lambda place: (_tokens(self.rows[place]), place))
        chosen = spaced([self.rows[place] for place in order], (batch_size + 1) // 2)
        flat = [row for rows in chosen for row in rows]
        return (flat * (batch_size // len(flat) + 1))[:batch_size]

    def spread(self, tokens: float) -> Texts:
        """Return examples at even steps through the set, with at most so many tokens in all but at least 16 examples.

        Their number is a power of two or the whole set, so that a slightly faster machine takes the same ones.
        """
        whole = sum(map(_tokens, self.rows))
        count = max(16, int(len(self.rows) * tokens / max(1, whole)))
        count = len(self.rows) if count >= len(self.rows) else 1 << (count.bit_length() - 1)
        places = [i * len(self.rows) // count for i in range(count)]
        return replace(
            self,
            examples=tuple(self.examples[place] for place in places),
            rows=tuple(self.rows[place] for place in places),
        )


def made_up_rows(
    vocabulary: int, avoid: Collection[int], count: int, length: int, seed: int = 0, last: int | None = None
) -> list[RequestRow]:
    """Return rows of random tokens of exactly ``length``, none of them in ``avoid`` (pads and other markers).

    They end in the token ``last``, if one is given: BART and T5 read their score at an EOS.
    """
    allowed = np.setdiff1d(np.arange(vocabulary, dtype=np.int32), np.array(sorted(avoid), dtype=np.int32))
    drawn = np.random.default_rng((seed, count, length)).choice(allowed, size=(count, length))
    if last is not None:
        drawn[:, -1] = last
    return [RequestRow(Encoded(ids, length - 1, truncated=False)) for ids in drawn]


def spaced(things: Sequence[_T], count: int) -> list[_T]:
    """Return so many of the things at even steps through them; some come twice where there are fewer."""
    return [things[int((place + 0.5) * len(things) / count)] for place in range(count)]


def _tokens(rows: Sequence[RequestRow]) -> int:
    return sum(row.tokens for row in rows)

"""Conversation to token ids: the one tokenization policy, shared by trainer and evaluation.

1. The chat template turns the conversation, and tools beside it, into text (``render``). A template
   that refuses or drops a system message gets it folded into the first user message. Any other template error is the
   user's to mend. A template that asks for today's date gets the same one on every day.
2. Where the tokenizer adds a BOS token by itself, the ones the template wrote at the start are removed: exactly one is
   left. BOS tokens elsewhere stay, because in ChatML tokenizers the BOS is the marker of every turn.
3. The tokenizer's own special tokens are added, as ``transformers``' text-classification pipeline does; not for a
   model whose authors leave them out.
4. A conversation longer than ``max_length`` loses its beginning: the end of the answer is what is judged. The
   tokenizer cuts before it adds its special tokens, so an added BOS survives.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rmeval.data_prep.text.audit import Audit
from rmeval.data_prep.text.kept import survives
from rmeval.data_prep.text.pooling import GateToken, pooled_position
from rmeval.data_prep.text.render import Rendered, Renderer
from rmeval.data_prep.text.template import TEMPLATE_DATE, Template
from rmeval.errors import ModelError
from rmeval.types import Conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CHUNK = 256
"""Conversations tokenized at a time."""
_TRIED = 16
"""Conversations whose tokens are spelled out again to see that the text is in them."""
_NEAR = 4
"""How many tokens behind the first one a second BOS is looked for."""
_TAIL = 3
"""How many last tokens may hold the end-of-turn token: some templates add a line break after it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One conversation as the model reads it."""

    ids: NDArray[np.int32]
    """Token ids, shape (tokens,)."""
    pooled: int
    """The position whose output gives the score in a decoder."""
    truncated: bool
    lost: str | None = None
    """What of the conversation is not there at all, so that a score would be of something else; None where all is."""


class Encoder:
    """Encodes conversations by the policy above and tells the audit what it noticed.

    Args:
        tokenizer: The model's tokenizer.
        template: The chat template.
        max_length: In tokens; longer conversations lose their beginning.
        pad_token_id: The *model's* pad token (``config.pad_token_id``), which decides what a decoder pools; None if it
            has none, or if the model is not a decoder.
        today: What a template that asks for today's date is told.
        gate: Where the model reads beside the token that is scored; None for nowhere.
        special: Let the tokenizer add its special tokens; False where a model's authors do not.
        asks: Let the text end with the header of the assistant's next turn, and nothing behind it: a language model is
            asked what comes next.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template: Template,
        max_length: int,
        pad_token_id: int | None,
        today: date = TEMPLATE_DATE,
        *,
        gate: GateToken | None = None,
        special: bool = True,
        asks: bool = False,
    ) -> None:
        self.template = template
        self._gate = gate
        self._renderer = Renderer(tokenizer, template, today, asks=asks)
        self.max_length = max_length
        self._tokenizer = tokenizer
        self._pad_token_id = pad_token_id
        self._bos = str(tokenizer.bos_token) if tokenizer.bos_token is not None else None
        self._adds_special, self._asks = special, asks
        ahead, behind = _added(tokenizer) if special else ([], [])
        self._adds_bos = self._bos is not None and ahead[:1] == [tokenizer.bos_token_id]
        self._behind = len(behind) if asks else 0
        # Some are special without being in the tokenizer's map of them.
        marks = {id: str(token) for id, token in tokenizer.added_tokens_decoder.items() if token.special}
        marks |= dict(zip(tokenizer.all_special_ids, map(str, tokenizer.all_special_tokens), strict=True))
        self._special_ids = np.array(sorted(marks), dtype=np.int32)
        spelled = "|".join(map(re.escape, sorted(filter(None, marks.values()), key=len, reverse=True)))
        self._special = re.compile(spelled or "(?!)")
        self._unknown = np.array([*self._special_ids, tokenizer.unk_token_id or -1], dtype=np.int32)
        self._to_try = _TRIED
        self._lock = threading.Lock()
        tokenizer.truncation_side = "left"

    @property
    def reads_clock(self) -> bool:
        """True once the template has asked for today's date."""
        return self._renderer.clock.asked > 0

    def encode(self, conversations: Sequence[Conversation], audit: Audit) -> Iterator[Encoded]:
        """Encode conversations one after the other, a few hundred at a time; the audit counts what is noticed.

        Raises:
            ModelError: if the template fails on one of them, or one that is not lost has no gate.
        """
        for start in range(0, len(conversations), _CHUNK):
            # A fast tokenizer cannot be changed, to truncate, while another thread uses it.
            with self._lock:
                chunk = self._encode_chunk(conversations[start : start + _CHUNK], audit)
            yield from chunk

    def text(self, conversation: Conversation, audit: Audit) -> str:
        """Render a conversation to the text that is given to the tokenizer.

        Raises:
            ModelError: if the template fails on it.
        """
        return self._text(conversation, audit).text

    def _text(self, conversation: Conversation, audit: Audit) -> Rendered:
        rendered = self._renderer.render(conversation, audit)
        text = rendered.text
        if self._bos and self._adds_bos and text.startswith(self._bos):
            while text.startswith(self._bos):
                text = text.removeprefix(self._bos)
            audit.note("bos-once", conversation.example_id)
        return replace(rendered, text=text)

    def _encode_chunk(self, conversations: Sequence[Conversation], audit: Audit) -> list[Encoded]:
        encoded = []
        texts = [self._text(conversation, audit) for conversation in conversations]
        whole: list[list[int]] = self._tokenizer(
            [each.text for each in texts], verbose=False, add_special_tokens=self._adds_special
        )["input_ids"]
        for conversation, rendered, full in zip(conversations, texts, whole, strict=True):
            truncated = len(full) - self._behind > self.max_length
            ids = full
            if truncated:
                most = self.max_length + self._behind
                ids = self._tokenizer(
                    rendered.text, truncation=True, max_length=most, add_special_tokens=self._adds_special
                )["input_ids"]
            ids = ids[: len(ids) - self._behind]
            lost = rendered.lost or self._lost_in_tokens(rendered.text, full, conversation.example_id, audit)
            array = np.asarray(ids or [0], dtype=np.int32)  # Lost, but a batch must hold something.
            pooled = pooled_position(array, self._pad_token_id)
            self._check(conversation, array, pooled, truncated, audit)
            if self._gate is not None and lost is None and self._gate.position(array[: pooled + 1]) is None:
                raise ModelError(_why_no_gate(self._gate, conversation.example_id, len(array), truncated))
            encoded.append(Encoded(array, pooled, truncated, lost))
        return encoded

    def _lost_in_tokens(self, text: str, ids: list[int], place: str, audit: Audit) -> str | None:
        """See that a text became tokens; return why not."""
        known = ~np.isin(np.asarray(ids, dtype=np.int32), self._unknown)
        if not known.any() and any(map(str.isalnum, self._special.sub(" ", text))):
            audit.note("text-dropped", place)
            return f"the tokenizer, of {len(self._tokenizer):,} tokens, makes none of the text"
        if 2 * known.sum() < len(ids) and self._tokenizer.unk_token_id in ids:
            audit.note("unknown-tokens", place)
        if self._to_try > 0:  # Decoding takes time, and a damaged tokenizer shows it on any text.
            self._to_try -= 1
            if not survives(self._special.sub(" ", text), str(self._tokenizer.decode(ids, skip_special_tokens=True))):
                audit.note("text-lost-in-tokens", place)
        return None

    def _check(
        self, conversation: Conversation, ids: NDArray[np.int32], pooled: int, truncated: bool, audit: Audit
    ) -> None:
        """Tell the audit what a reader should know of this row."""
        note, place = audit.note, conversation.example_id
        bos = self._tokenizer.bos_token_id
        if truncated:
            note("truncated", place)
        if bos is not None and ids[0] != bos:
            note("missing-bos", place)
        if bos is not None and ids[0] == bos and self._second_bos(ids, bos):
            note("double-bos", place)
        if not self._asks and not np.isin(ids[-_TAIL:], self._special_ids).any():
            note("missing-eos", place)
        if pooled != len(ids) - 1:
            note("pooled-not-last", place)
        said = (text for message in conversation.messages for text in (message.content, message.extra))
        if any(map(self._special.search, said)):
            note("special-token-in-text", place)

    def look_again(self) -> None:
        """Look at the tokens of the next conversations as if they were the first ones."""
        self._to_try = _TRIED

    def _second_bos(self, ids: NDArray[np.int32], bos: int) -> bool:
        """Return whether a second BOS comes before anything that can be read, such as after a byte order mark."""
        again = np.flatnonzero(ids[1 : _NEAR + 1] == bos)
        if not len(again):
            return False
        between = str(self._tokenizer.decode(ids[1 : again[0] + 1].tolist()))
        return not any(each.isprintable() and not each.isspace() for each in between)


def _added(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Return the ids that the tokenizer puts before a text by itself, and those that it puts behind."""
    bare: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    full: list[int] = tokenizer("a")["input_ids"]
    if not bare:  # Of a tokenizer without a vocabulary.
        return full, []
    ahead = next((n for n in range(len(full) - len(bare) + 1) if full[n : n + len(bare)] == bare), len(full))
    return full[:ahead], full[ahead + len(bare) :]


def _why_no_gate(gate: GateToken, place: str, tokens: int, truncated: bool) -> str:
    """Say why a conversation cannot be scored by a model with a gate."""
    what = f"example {place or 1} has no token that the model's gate reads, the end of the turn before the last answer"
    if truncated:
        return f"{what}: all but the last {tokens:,} tokens were cut off; a larger --max-length keeps it"
    header = ", ".join(map(str, gate.pattern))
    return f"{what} with an assistant's header (tokens {header}): give the model's template with --chat-template FILE"

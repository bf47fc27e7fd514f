"""What passes between the parts of rmeval: frozen values, standard library only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["info", "warning", "error"]
OutcomeKind: TypeAlias = Literal["right", "wrong", "tie", "partial", "invalid", "unparsed"]
Lists: TypeAlias = Literal["all", "each", "grid"]
"""What m right and n wrong completions are: one example, an example a right one, or one for each of m × n pairs."""
Scale: TypeAlias = Literal["pointwise", "within-item"]
"""Where scores compare: everywhere, or among the completions of one item only."""
Status: TypeAlias = Literal["scored", "unparsed", "failed"]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with (work done, work in all), both in the same unit, while something long runs."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    """``system``, ``user``, ``assistant``, or whatever else the chat template knows."""
    content: str
    extra: str = ""
    """What else a template may read, as JSON text of an object: tool calls, reasoning, a content of null."""

    def turn(self) -> dict[str, Any]:
        """Return the message as a chat template is given it."""
        turn: dict[str, Any] = {"role": self.role, "content": self.content}
        return turn | json.loads(self.extra) if self.extra else turn

    @staticmethod
    def of(turn: Mapping[str, Any]) -> Message:
        """Build the message of what ``turn`` returns."""
        content = turn["content"]
        more = {key: value for key, value in turn.items() if key != "role" and (key != "content" or value is None)}
        extra = json.dumps(more, ensure_ascii=False, default=str) if more else ""
        return Message(turn["role"], "" if content is None else content, extra)

    @property
    def chars(self) -> int:
        """Characters of all that it says, calls of tools among it."""
        return len(self.content) + len(self.extra)


Messages: TypeAlias = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One benchmark item: a prompt, at least one right and one wrong completion; a preference pair has one of each."""

    id: str
    """Unique in its data set: the row's own unique ``id``, else a hash of its content."""
    row: int
    """Position in the data set, from 0, before ``--subset`` and ``--limit``."""
    subset: str
    prompt: Messages
    """What all completions continue. May be empty where completions differ from their first turn on."""
    chosen: tuple[Messages, ...]
    """The right completions, at least one; each is a non-empty list of messages."""
    rejected: tuple[Messages, ...]
    """The wrong completions, at least one."""
    tools: str = ""
    """The tools that the assistant may call, as JSON text of a list; empty for none."""
    tag: str = ""
    """What the suite's rule or formula must know beside right and wrong; most suites need nothing."""

    @property
    def completions(self) -> tuple[Messages, ...]:
        """All completions, right ones first: the order of ``completion`` in ``scores.parquet``."""
        return self.chosen + self.rejected


@dataclass(frozen=True, slots=True)
class Item:
    """What a scorer is asked: a prompt and its completions, without labels."""

    prompt: Messages
    completions: tuple[Messages, ...]
    id: str = ""
    """The example it belongs to: the random reference line hashes it, others may ignore it."""
    tools: str = ""
    """As in ``Example``."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a pointwise scorer scores: a prompt and one completion of it."""

    prompt: Messages
    completion: Messages
    example_id: str = ""
    """The example it belongs to, and its place there: ``baseline:random`` hashes these, others may ignore them."""
    index: int = 0
    tools: str = ""
    """As in ``Example``."""

    @property
    def messages(self) -> Messages:
        """The whole conversation."""
        return self.prompt + self.completion

    @property
    def read(self) -> tuple[Messages, str]:
        """All that a model reads of it: two conversations with the same are one, whatever examples they are of."""
        return self.messages, self.tools


@dataclass(frozen=True, slots=True)
class Score:
    """What a scorer says of one completion."""

    value: float
    """Higher is better; the unit is the model's own. NaN or infinite where the model gave no number."""
    tokens: int | None = None
    """Tokens that the model read (after truncation); characters of the completion for a reference line; None where
    neither is known."""
    truncated: bool = False
    """True where the conversation was longer than ``max_length`` and lost its beginning."""
    refined: bool = False
    """True where the value was computed again in float32 because a decision hung on it."""
    note: str = ""
    """What the scorer says of it in words, such as a judge's verdict."""
    status: Status = "scored"
    """``unparsed`` where a verdict could not be read: wrong, and counted apart; ``failed`` where there is no answer:
    the example is invalid."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the audit noticed; the codes are listed in ``rmeval.data_prep.text.audit``."""

    code: str
    severity: Severity
    count: int
    """How many conversations, rows or parts of the model it concerns."""
    examples: tuple[str, ...] = ()
    """Up to five places where it was seen."""


@dataclass(frozen=True, slots=True)
class ScoredExample:
    """All that the metrics need of one example: its scores and lengths, no text."""

    id: str
    subset: str
    prompt_hash: str
    """Examples of a subset with the same prompt form a cluster: their outcomes are not independent."""
    chosen: tuple[float, ...]
    """Scores of the right completions."""
    rejected: tuple[float, ...]
    """Scores of the wrong completions."""
    chosen_chars: tuple[int, ...]
    """Characters of each right completion: what the length reference lines read."""
    rejected_chars: tuple[int, ...]
    truncated: bool = False
    """True where at least one completion was truncated."""
    exact: bool = False
    """True where precision cannot change the outcome: scored again in float32, or all completions the same text."""
    tag: str = ""
    """That of the example."""
    unparsed: bool = False
    """True where a verdict could not be read: the example is wrong, whatever its scores."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the scores of one example turned out."""

    kind: OutcomeKind
    """``invalid`` leaves the denominator; ``unparsed`` is counted apart and is wrong."""
    margin: float
    """What the outcome hangs on, such as the lowest score of a right completion minus the highest of a wrong one: by
    how much scores may move before it changes. NaN where invalid."""
    credit: float = 0.0
    """What it counts in its subset's number, between 0 and 1."""

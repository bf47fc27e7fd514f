"""What a source is: a public data set, and the rules that turn its rows into preference pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rmeval.data_prep.rows.files import Row
from rmeval.types import Messages

__all__ = ["COMMON_REASONS", "Dropped", "Made", "Pair", "Rule", "Source"]


@dataclass(frozen=True, slots=True)
class Pair:
    """One preference: of two completions of a prompt, the better and the worse."""

    prompt: Messages
    """What both completions continue; empty where they differ from their first turn on."""
    chosen: Messages
    """The better completion alone, without the prompt; at least one message."""
    rejected: Messages
    group: str
    """What the pair's candidates have in common in its source: a post, a row, a prompt. A cap counts by it."""
    chosen_score: float | None = None
    """In the source's own unit; None where it has none."""
    rejected_score: float | None = None
    key: str = ""
    """Distinguishes the pair within its group, from ids of the source; a cap draws by its hash."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that became no pair."""

    unit: Literal["row", "pair"]
    """A whole row, or one of the pairs that its rows could have made."""
    reason: str
    """A key of the source's ``reasons``."""


Made: TypeAlias = Pair | Dropped


@dataclass(frozen=True, slots=True)
class Rule:
    """One decision that a source takes, and where it comes from."""

    text: str
    origin: str
    """A model card, a data set card, a paper; or ``rmeval`` for a decision of ours, with its reason."""


@dataclass(frozen=True, slots=True)
class Source:
    """A public data set with its rules.

    Rows go in as *units*: usually one row, or all rows with the same ``unit_key``. Each row of a unit is
    either dropped as a row, once, or takes part in the unit's candidate pairs; each candidate is yielded once, as a
    ``Pair`` or as a pair dropped. So the ledger adds up whatever the rows hold.
    """

    name: str
    title: str
    hub_id: str | None
    """Where the rows are unless a mixture gives a path; None for a source that always needs one."""
    home: str
    """Page of the data set; empty for pairs of the user's own."""
    licence: str
    columns: tuple[str, ...]
    """What a row must have. Data none of whose first rows has them is another data set, an error."""
    pairs: Callable[[Sequence[Row]], Iterator[Made]]
    """Turns one unit into pairs and drops. Pure; never raises, whatever the rows hold."""
    rules: tuple[Rule, ...]
    reasons: Mapping[str, str]
    """Every reason that ``pairs`` can give, with what it means."""
    published: int | None = None
    """Pairs that the published mixture counts for it: to compare with, never to force."""
    split: str = "train"
    """The split to read where there are several."""
    files: tuple[str, ...] = ()
    """In a folder or Hub repository: patterns (``fnmatch``) of the files that belong to it; empty for all."""
    unit_key: Callable[[Row], str | None] | None = None
    """All rows of the same key are one unit; None, or a key of None: a row is a unit of its own."""
    cap: int | None = None
    """Most pairs a group; those with the lowest hash of seed and keys stay."""


COMMON_REASONS: Mapping[str, str] = {
    "malformed": "a column is missing or is not what it should be",
    "empty-text": "the prompt or an answer is empty, or nothing but white space",
    "tools": "it calls tools or has some beside its messages: prepared pairs hold none (training on the rows does)",
    "not-alternating": "user and assistant do not take turns, or the last turn is not the assistant's",
    "equal-texts": "both answers are the same text",
    "equal-scores": "both answers are rated the same",
    "no-rating": "an answer has no rating, or one that is not on the scale",
    "contradicting-scores": "the answer that is called the better one is rated lower",
    "lone-answer": "there is no other answer of the prompt to compare with",
}
"""Reasons that several sources give."""

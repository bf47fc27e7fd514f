"""What passes between the parts of rmeval: frozen values, standard library only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
class ModelInfo:
    """Which model gave the scores, in enough detail to load the same one again."""

    name: str
    """As given: a Hub id, a folder, ``quickstart``, or ``baseline:…``."""
    kind: str
    """``classifier``, ``baseline`` or the name of a scorer's own kind."""
    fingerprint: str
    """``hub:<commit>`` for a Hub model, ``sha256:<digest>`` of its files for a folder."""
    revision: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    """Number of weights."""
    dtype: str | None = None
    """What matrix products computed in."""
    residual_dtype: str | None = None
    """What flowed between the layers."""
    device: str | None = None
    attention: str | None = None
    """What attended: ``packed`` or ``packed-flex`` on the fast path, else transformers' name of it."""
    attention_dtype: str | None = None
    path: str | None = None
    """``packed``, ``packed-compiled``, ``plain`` (padded batches) or ``plain-single`` (one conversation at a time)."""
    why_path: str | None = None
    """Why the fast path was not used; None where it was."""
    max_length: int | None = None
    """Tokens; longer conversations lose their beginning."""
    template_hash: str | None = None
    """sha256 of the chat template's text."""
    template_source: str | None = None
    """``tokenizer`` or the file it came from."""
    template_date: str | None = None
    """The date that the template was given for today's, ISO 8601; None where it asked for none."""
    tokenizer: str | None = None
    """As given, where it is not the model's own."""
    tokenizer_fingerprint: str | None = None
    """``hub:<commit>`` or ``sha256:<digest>`` of that one's files."""
    untrained_head: bool = False
    scale: Scale = "pointwise"
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Of each of several models that a kind needs, such as a policy and its reference."""
    endpoint: str | None = None
    """The address that was asked, of a model behind one; never a key."""
    sampling: Mapping[str, float | int | str | None] = field(default_factory=dict)
    """How answers were drawn, of a model that writes: temperature, seed, …"""
    prompt_hash: str | None = None
    """sha256 of what a judge is told, beside the item."""


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


@dataclass(frozen=True, slots=True)
class Estimate:
    """An accuracy with its 95% interval; all three are shares of 1."""

    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SubsetResult:
    """The result of one subset."""

    n: int
    """Examples whose scores are all finite: the denominator of the accuracy."""
    right: int
    ties: int
    invalid: int
    """Examples with a NaN or infinite score; not in ``n``."""
    truncated: int
    """Examples of which at least one completion was truncated."""
    accuracy: float | None
    """The mean credit, or what the subset's own formula gives; None where every example is invalid."""
    low: float | None
    high: float | None
    mean_margin: float | None
    """Mean of the margins; None where there is none."""
    undecided: int = 0
    """Examples whose margin lies within the dtype's drift and that were not scored again in float32."""
    lowest: float | None = None
    """The accuracy if float32 found every undecided example wrong; None where the accuracy is."""
    highest: float | None = None
    """The accuracy if float32 found every undecided example right."""
    expected: int | None = None
    """Examples the whole subset has, where the suite knows it."""
    partial: int = 0
    """Examples with a part of the credit that are no tie."""
    unparsed: int = 0
    """Examples whose verdict could not be read; in ``n``, and wrong."""


@dataclass(frozen=True, slots=True)
class ReferenceResult:
    """What a reference line (``longest``, ``shortest``, ``random``) reaches on the same examples."""

    overall: float | None
    sections: Mapping[str, float]
    subsets: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Results:
    """Every number of a run; all of it recomputes from ``scores.parquet`` and ``examples.parquet``."""

    overall: Estimate | None
    """None where the suite defines an overall number and none of its sections has a row."""
    sections: Mapping[str, Estimate]
    subsets: Mapping[str, SubsetResult]
    reference_lines: Mapping[str, ReferenceResult] = field(default_factory=dict)
    lowest: float | None = None
    """The overall accuracy if float32 found every undecided example wrong; None where there is no overall number."""
    highest: float | None = None
    """The overall accuracy if float32 found every undecided example right."""


@dataclass(frozen=True, slots=True)
class DataInfo:
    """Which rows were scored."""

    dataset: str
    """As given: a Hub id, a path, or ``mini``."""
    fingerprint: str
    """sha256 over the examples that were scored, in order."""
    rows: int
    """Examples scored."""
    split: str | None = None
    revision: str | None = None
    """The commit of a Hub data set."""
    subsets: tuple[str, ...] = ()
    """The ``--subset`` filter; empty for all."""
    limit: int | None = None
    added: Mapping[str, str] = field(default_factory=dict)
    """What the suite's own options added: the option, and the commit of its rows."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time went, in seconds."""

    load_seconds: float
    plan_seconds: float
    scoring_seconds: float
    refine_seconds: float
    total_seconds: float


@dataclass(frozen=True, slots=True)
class Accounting:
    """Where the tokens went."""

    given: int
    """Tokens of all conversations."""
    distinct: int
    """Tokens left when each is counted once among conversations with the same beginning."""
    computed: int
    """Tokens that went through the model, padding left out."""
    padded: int
    """Token places that went through the model, padding counted."""
    recalled: int | None = None
    """Conversations whose score came from the journal; None in runs of 0.1, which did not count them."""
    recalled_from: Mapping[str, int] = field(default_factory=dict)
    """What had computed those, and how many distinct ones each: versions, hardware, day."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The content of ``run.json``: everything needed to believe a run and to repeat it."""

    schema_version: int
    rmeval_version: str
    created: str
    """ISO 8601, UTC."""
    command: tuple[str, ...]
    suite: str
    weights: str | None
    """Name of the suite's weight table that gave the sections."""
    partial: bool
    partial_reasons: tuple[str, ...]
    model: ModelInfo
    data: DataInfo
    settings: Mapping[str, str | int | float | bool | None]
    """The flags that shaped the run, with their defaults filled in."""
    environment: Mapping[str, str | int | float | None]
    """Versions and hardware."""
    audit: tuple[Finding, ...]
    results: Results
    drift: float | None
    """Margins within this could be decided otherwise in float32; None for float32 and where it is not known."""
    timing: Timing
    accounting: Accounting | None
    files: Mapping[str, str]
    """sha256 of the run's other files."""
    suite_file: str | None = None
    """The text of the suite's file as JSON, where the suite came from a file: all that is needed to read the run."""

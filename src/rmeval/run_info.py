"""What a run says of itself: model, data, numbers, times. Frozen values; ``rmeval.records`` keeps them on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rmeval.types import Finding, Scale

_REASONS = 4
"""Why a run is partial: as many are named in one line. Runs of 0.1 have a reason a subset."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model gave the scores, in enough detail to load the same one again."""

    name: str
    """As given: a Hub id, a folder, ``quickstart``, or ``baseline:…``."""
    kind: str
    """``classifier``, ``baseline`` or the name of a scorer's own kind."""
    fingerprint: str
    """``hub:<commit>`` for a Hub model, ``sha256:<digest>`` of its files for a folder, ``memory:<digest>`` of its
    configuration and weights for one that Python handed over."""
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
    own_code: str | None = None
    """sha256 of the Python files that came with the model and were run; None where none was."""
    untrained_head: bool = False
    head: str | None = None
    """The family of a reward head that is no classifier's of transformers."""
    outputs: Mapping[str, float] = field(default_factory=dict)
    """Of a model with several outputs: those that make the score, ``INDEX LABEL``, and their weights."""
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
    rules: Mapping[str, Estimate] = field(default_factory=dict)
    """The overall number by other rules that the suite knows, such as another worth of a tie."""
    views: Mapping[str, SubsetResult] = field(default_factory=dict)
    """Numbers of groups of examples across the subsets, which the suite names."""
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
    limit_per_subset: int | None = None
    """At most so many examples of each subset, drawn by the seed in the settings."""
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
    comparisons: int | None = None
    """How often a pairwise model was asked for two answers, each order counted; None for other kinds."""


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
    """Each in short, with the details in brackets behind it."""
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


def in_short(reasons: Sequence[str]) -> str:
    """Return why a run is partial in one line, such as ``9 of 23 subsets missing, 3 short``."""
    short = [reason.partition(" (")[0] for reason in reasons]
    more = [f"and {len(short) - _REASONS} more"] if len(short) > _REASONS else []
    return ", ".join([*short[:_REASONS], *more])

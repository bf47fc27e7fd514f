"""The JSON of a mixture's statistics: ``rmeval.data_prep.output.statistics`` collects it, reports draws it."""

from __future__ import annotations

from typing import TypedDict

__all__ = [
    "PREVIEW_CHARS",
    "STATISTICS_VERSION",
    "Histogram",
    "LedgerEntry",
    "MixtureStatistics",
    "OverlapEntry",
    "PairStatistics",
    "Preview",
    "PreviewMessage",
    "RuleEntry",
    "SourceStatistics",
    "SplitEntry",
]

STATISTICS_VERSION = 1
PREVIEW_CHARS = 1_000
"""Characters that are kept of each message of an example."""


class Histogram(TypedDict):
    """Counts in fixed bins."""

    edges: list[float]
    """Ascending; a value on an edge belongs to the bin above it."""
    counts: list[int]
    """One more than edges has: below the first edge, between neighbours, from the last edge on."""
    sum: float
    """Of all values, exact for whole numbers: the mean is ``sum / total``."""
    total: int
    """How many values: the sum of ``counts``."""


class PreviewMessage(TypedDict):
    """One message of an example."""

    role: str
    content: str
    """The first ``PREVIEW_CHARS`` characters."""
    chars: int
    """Characters of the whole message."""


class Preview(TypedDict):
    """One pair to look at."""

    prompt: list[PreviewMessage]
    chosen: list[PreviewMessage]
    rejected: list[PreviewMessage]
    chosen_score: float | None
    rejected_score: float | None


class SourceStatistics(TypedDict):
    """One source's pairs in the output. Everything but ``train`` and ``test`` is of the training split alone."""

    name: str
    train: int
    """Pairs."""
    test: int
    share: float
    """Of the training pairs of all sources; 0 where there are none."""
    longer_chosen: int
    """Training pairs whose chosen completion has more characters than the rejected one."""
    shorter_chosen: int
    equal_length: int
    prompt_chars: Histogram
    chosen_chars: Histogram
    rejected_chars: Histogram
    difference_chars: Histogram
    """Chosen minus rejected."""
    score_gap: Histogram
    """Chosen minus rejected score, of the pairs that have both and finite; empty for a source without scores."""
    examples: list[Preview]
    """Drawn by a hash of seed, source and place."""


class RuleEntry(TypedDict):
    """A rule of a source, and where it comes from."""

    text: str
    origin: str


class LedgerEntry(TypedDict):
    """What became of a source's rows: ``rows`` less ``dropped_rows`` make ``candidates``; less ``dropped_pairs``,
    ``pairs``."""

    name: str
    title: str
    home: str
    """Page of the data set; may be empty."""
    licence: str
    rules: list[RuleEntry]
    rows: int
    """Rows read."""
    dropped_rows: dict[str, int]
    """Reason -> rows."""
    candidates: int
    """Pairs that the remaining rows could make."""
    dropped_pairs: dict[str, int]
    """Reason -> pairs; the split's and the overlap's reasons too."""
    pairs: int
    """Pairs in the output, both splits."""
    published: int | None
    """Pairs that the published mixture counts; None where there is no such number."""
    reasons: dict[str, str]
    """Reason -> what it means, for the reasons above."""


class SplitEntry(TypedDict):
    """How the held-out split was made."""

    held_out: str
    """As in the mixture: a fraction or a number of pairs a source."""
    openings: int
    """Distinct normalised first user turns."""
    near_duplicates: int
    """Openings that follow an earlier one."""
    dropped_pairs: int
    """Pairs that are near to both splits."""


class OverlapEntry(TypedDict):
    """How many examples of a benchmark's subset the training rows contain, by ``data_prep.overlap.contamination``."""

    benchmark: str
    subset: str
    examples: int
    exact: int
    ngram: int
    completion: int
    share: float
    """``(exact + ngram) / examples``."""
    short: int
    """Examples whose prompt is too short for 8-grams."""


class PairStatistics(TypedDict):
    """What ``StatisticsBuilder.to_json`` returns."""

    schema_version: int
    """``STATISTICS_VERSION``."""
    seed: int
    preview_chars: int
    """``PREVIEW_CHARS``."""
    sources: list[SourceStatistics]
    """In order of first appearance."""


class MixtureStatistics(PairStatistics):
    """All that the statistics page shows."""

    mixture: str
    """Its name, or the name of its file."""
    ledger: list[LedgerEntry]
    split: SplitEntry | None
    overlap: list[OverlapEntry] | None
    """None where no benchmark was looked at."""

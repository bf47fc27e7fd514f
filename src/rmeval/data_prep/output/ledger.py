"""What became of every row: the ledger. One that does not add up cannot be made.

    rows read       = rows used + rows dropped, by reason
    candidate pairs = pairs + pairs dropped, by reason
    pairs           = training pairs + test pairs

The published count of a source stands beside its pairs: a check that is reported, never forced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from rmeval.data_prep.output.statistics_schema import LedgerEntry
from rmeval.data_prep.sources.base import Rule

__all__ = ["LEDGER_VERSION", "Ledger", "LedgerJson", "SourceLedger", "SourceLedgerJson", "Totals"]

LEDGER_VERSION = 1


@dataclass(frozen=True, slots=True)
class SourceLedger:
    """What became of one source's rows."""

    name: str
    """The source's label in the mixture: the subset of its pairs."""
    source: str
    """Whose rules: a key of ``SOURCES``."""
    title: str
    home: str
    """Page of the data set; may be empty."""
    licence: str
    data: str
    """A Hub id, or the name of a local file or folder without its path."""
    revision: str | None
    """The commit of a Hub data set."""
    files: Mapping[str, str]
    """The data's files -> their sha256."""
    rules: tuple[Rule, ...]
    rows: int
    """Rows read."""
    used_rows: int
    """Rows that took part in a candidate pair."""
    dropped_rows: Mapping[str, int]
    """Reason -> rows."""
    candidates: int
    """Pairs that the rows used could make."""
    dropped_pairs: Mapping[str, int]
    """Reason -> pairs: the source's rules, the cap, the mixture's limits, the split and the overlap."""
    pairs: int
    """Pairs in the output."""
    train: int
    test: int
    published: int | None
    """Pairs that the published mixture counts, before any split."""
    reasons: Mapping[str, str]
    """What each reason above means."""

    def __post_init__(self) -> None:
        """Refuse numbers that do not add up: the code is wrong, not the data.

        Raises:
            ValueError: which says what does not.
        """
        counts = {**self.dropped_rows, **self.dropped_pairs}
        sums = {
            "rows used and dropped": (self.used_rows + sum(self.dropped_rows.values()), self.rows),
            "pairs and pairs dropped": (self.pairs + sum(self.dropped_pairs.values()), self.candidates),
            "train and test": (self.train + self.test, self.pairs),
        }
        for what, (found, expected) in sums.items():
            if found != expected:
                raise ValueError(f"the ledger of {self.name} does not add up: {what} are {found}, not {expected}")
        if min(self.used_rows, self.train, self.test, *counts.values()) < 0:
            raise ValueError(f"the ledger of {self.name} has a negative number")
        if unknown := counts.keys() - self.reasons.keys():
            raise ValueError(f"the ledger of {self.name} has reasons without a meaning: {', '.join(sorted(unknown))}")

    @property
    def difference(self) -> int | None:
        """Pairs less published; None where nothing is published."""
        return None if self.published is None else self.pairs - self.published

    def entry(self) -> LedgerEntry:
        """Return the part that the statistics page shows."""
        return {
            "name": self.name,
            "title": self.title,
            "home": self.home,
            "licence": self.licence,
            "rules": [{"text": rule.text, "origin": rule.origin} for rule in self.rules],
            "rows": self.rows,
            "dropped_rows": dict(self.dropped_rows),
            "candidates": self.candidates,
            "dropped_pairs": dict(self.dropped_pairs),
            "pairs": self.pairs,
            "published": self.published,
            "reasons": dict(self.reasons),
        }

    def to_json(self) -> SourceLedgerJson:
        """Return everything as plain JSON types."""
        return {
            **self.entry(),
            "source": self.source,
            "data": self.data,
            "revision": self.revision,
            "files": dict(self.files),
            "used_rows": self.used_rows,
            "train": self.train,
            "test": self.test,
            "difference": self.difference,
        }


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all sources."""

    rows: int
    used_rows: int
    dropped_rows: int
    candidates: int
    dropped_pairs: int
    pairs: int
    train: int
    test: int
    published: int | None
    """None unless every source has a published count."""
    difference: int | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of every source's rows, in the order of the mixture."""

    mixture: str
    """Its name."""
    seed: int
    sources: tuple[SourceLedger, ...]

    @property
    def totals(self) -> Totals:
        """Sum over the sources."""
        published = [each.published for each in self.sources if each.published is not None]
        known = len(published) == len(self.sources)
        pairs = sum(each.pairs for each in self.sources)
        return Totals(
            rows=sum(each.rows for each in self.sources),
            used_rows=sum(each.used_rows for each in self.sources),
            dropped_rows=sum(sum(each.dropped_rows.values()) for each in self.sources),
            candidates=sum(each.candidates for each in self.sources),
            dropped_pairs=sum(sum(each.dropped_pairs.values()) for each in self.sources),
            pairs=pairs,
            train=sum(each.train for each in self.sources),
            test=sum(each.test for each in self.sources),
            published=sum(published) if known else None,
            difference=pairs - sum(published) if known else None,
        )

    def to_json(self) -> LedgerJson:
        """Return everything as plain JSON types: ``ledger.json``."""
        totals = self.totals
        return {
            "schema_version": LEDGER_VERSION,
            "mixture": self.mixture,
            "seed": self.seed,
            "sources": [each.to_json() for each in self.sources],
            "totals": {name: getattr(totals, name) for name in Totals.__slots__},
        }


class SourceLedgerJson(LedgerEntry):
    """A source in ``ledger.json``; the keys are the fields of ``SourceLedger``."""

    source: str
    data: str
    revision: str | None
    files: dict[str, str]
    used_rows: int
    train: int
    test: int
    difference: int | None


class LedgerJson(TypedDict):
    """``ledger.json``."""

    schema_version: int
    mixture: str
    seed: int
    sources: list[SourceLedgerJson]
    totals: dict[str, int | None]
    """The fields of ``Totals``."""

"""What a suite is: the whole contract between a benchmark and everything that runs, counts and shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from rmeval.eval.suites.rules import ALL_BEAT_ALL, Rule
from rmeval.types import Example, Finding, ScoredExample

if TYPE_CHECKING:
    from rmeval.data_prep.rows.in_memory import Rows

__all__ = ["Formula", "Option", "Read", "Section", "Suite"]

Read: TypeAlias = tuple[list[Example], list[Finding]]
"""Examples, in data-set order, and what was noticed on the way."""


@dataclass(frozen=True, slots=True)
class Section:
    """A group of subsets with a number of its own."""

    weight: float
    """Its weight in the overall number, relative to the other sections'; 0 for a view of subsets that others count."""
    subsets: Mapping[str, float]
    """The weight of each subset in the section's accuracy."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A subset's number that is not the mean of its examples' credits: a function of weighted clusters of examples."""

    value: Callable[[Sequence[ScoredExample], Sequence[float]], float]
    """The number, a share of 1, from the valid examples and the weight of each. All weights multiplied alike must not
    change it, and it must have a derivative by each: intervals and tests are made from these."""
    cluster: Callable[[ScoredExample], str]
    """What tells clusters apart: the examples of one are kept or left out together, and have one weight."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option that one suite has: it adds rows."""

    help: str
    subsets: tuple[str, ...]
    """The subsets of these rows; they are not part of the known whole."""
    read: Callable[[], tuple[list[Example], list[Finding], str]]
    """Returns the examples, what was noticed, and the commit of their rows."""


def _read(rows: Rows) -> Read:
    from rmeval.data_prep.rows.examples import to_examples

    return to_examples(rows, default_subset="all")


@dataclass(frozen=True, slots=True)
class Suite:
    """A named benchmark: where its rows are, what they ask, and what scores are worth."""

    name: str
    title: str
    description: str
    dataset: str | None = None
    """The Hub data set that is the benchmark, or the file of a suite's own; None where any data set will do."""
    split: str | None = None
    """The split that is the benchmark; for a suite of any data set, the split taken where there are several."""
    revision: str | None = None
    """The commit, tag or branch of the Hub data set, where one is fixed."""
    packaged: Path | None = None
    """The file of the rows, where they ship with the package."""
    read: Callable[[Rows], Read] = _read
    """Turns rows into examples; a row may become several."""
    rule: Rule = ALL_BEAT_ALL
    """What the scores of an example are worth."""
    formulas: Mapping[str, Formula] = field(default_factory=dict)
    """Subsets whose number is not the mean of the credits."""
    weights: Mapping[str, Mapping[str, Section]] = field(default_factory=dict)
    """Weight tables by name, the default first; a table maps section names to sections. Empty: no sections."""
    overall: Literal["sections", "examples"] = "sections"
    """What the overall number is the mean of; of a suite without sections always the examples."""
    expected: Mapping[str, int] = field(default_factory=dict)
    """Examples of each subset of the whole set. Empty where any data set will do."""
    fingerprint: str | None = None
    """That of the whole set's examples, where it is known: a local copy that has it is the benchmark."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """Options that this suite has, by name."""
    file: str | None = None
    """The text of the file that the suite came from, as JSON."""

    def sections(self, table: str | None) -> Mapping[str, Section]:
        """Return the sections of a weight table; of a suite without tables, none."""
        return self.weights[table] if table is not None else {}

    @property
    def by_sections(self) -> bool:
        """True where the overall number is the weighted mean of sections."""
        return bool(self.weights) and self.overall == "sections"

    @property
    def default_weights(self) -> str | None:
        """Name of the weight table used unless another is asked for."""
        return next(iter(self.weights), None)

    def table(self, asked: str | None) -> str | None:
        """Return the name of the weight table asked for, or of the default one where the suite does not have it."""
        return asked if asked in self.weights else self.default_weights

    def homes(self, table: str | None) -> dict[str, str]:
        """Return the section that counts each subset, in the order of the table."""
        found: dict[str, str] = {}
        for name, section in self.sections(table).items():
            for subset in section.subsets:
                found.setdefault(subset, name)
        return found

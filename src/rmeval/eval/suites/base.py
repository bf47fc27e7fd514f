"""What a suite is: the whole contract between a benchmark and everything that runs, counts and shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from rmeval.eval.suites.credit_rules import ALL_BEAT_ALL, CreditRule
from rmeval.eval.suites.patterns import named
from rmeval.types import Example, Finding, ScoredExample

if TYPE_CHECKING:
    from rmeval.data_prep.rows.files import Row
    from rmeval.data_prep.rows.in_memory import Rows

__all__ = ["About", "Formula", "Having", "Option", "Part", "Read", "Section", "Suite"]

Read: TypeAlias = tuple[list[Example], list[Finding]]
"""Examples, in data-set order, and what was noticed on the way."""


@dataclass(frozen=True, slots=True)
class Section:
    """A group of subsets with a number of its own."""

    weight: float
    """Its weight in the overall number, relative to the other sections'; 0 for a view of subsets that others count."""
    subsets: Mapping[str, float]
    """The weight of each subset in the section's accuracy. A name with ``*`` is all subsets that fit it: its weight is
    divided among them by their examples."""

    def of(self, sizes: Mapping[str, float]) -> dict[str, float]:
        """Return the weight of each of the section's subsets that is there, by how many examples each subset has."""
        found: dict[str, float] = {}
        for name, weight in self.subsets.items():
            fitting = {each: sizes[each] for each in named(name, list(sizes))}
            if set(fitting) == {name}:
                found[name] = weight
            elif total := sum(fitting.values()):
                found |= {each: weight * size / total for each, size in fitting.items()}
        return found


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
    dataset: str = ""
    """Where these rows are on the Hub."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of several data sets on the Hub that together are a benchmark."""

    dataset: str
    split: str
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a benchmark beside how it is computed: its page in the docs is made of this and of the suite."""

    measures: str
    reading: str
    """How its number is to be read."""
    ties: str
    """What a tie counts where the benchmark comes from, and here."""
    licence: str
    paper: str
    source: str
    """The repository of its authors, and how its files are given to the command."""
    problems: tuple[str, ...] = ()
    """What is known to be wrong with it."""
    unverified: tuple[str, ...] = ()
    """What could not be checked when the suite was written."""


@dataclass(frozen=True, slots=True)
class Having:
    """Rows that have all of these columns."""

    columns: tuple[str, ...]

    def __call__(self, row: Row) -> bool:
        """Return whether a row has them."""
        return set(self.columns) <= set(row)


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
    parts: Mapping[str, Part] = field(default_factory=dict)
    """The data sets that together are the benchmark, by name, where there is not one; each row has its part's name in
    the column ``part``."""
    layout: tuple[tuple[str, ...], ...] = ()
    """Which files of a folder are the benchmark's, where it is laid out as its authors' repository is: patterns
    (``fnmatch``) of paths in the folder, or other ones where no file fits the first, and so on."""
    is_row: Callable[[Row], bool] | None = None
    """Says whether a row can only be of this benchmark."""
    sibling: Callable[[Rows], str | None] | None = None
    """Names the suite that rows are of, where a benchmark has several."""
    read: Callable[[Rows], Read] = _read
    """Turns rows into examples; a row may become several."""
    rule: CreditRule = ALL_BEAT_ALL
    """What the scores of an example are worth."""
    rules: Mapping[str, CreditRule] = field(default_factory=dict)
    """Other rules that the benchmark is read by, by name: what they make of the overall number stands beside it."""
    views: tuple[str, ...] = ()
    """Groups of examples, across the subsets, that have a number of their own beside the subsets': an example is of
    those that its tag names, one a line."""
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
    about: About | None = None

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

    def homes(self, table: str | None, there: Iterable[str] = ()) -> dict[str, str]:
        """Return the section that counts each subset, in the order of the table.

        Args:
            table: Name of the weight table.
            there: The subsets that there are, for sections that say theirs with a ``*``.
        """
        found: dict[str, str] = {}
        for name, section in self.sections(table).items():
            for subset in (*section.subsets, *section.of(dict.fromkeys(there, 1.0))):
                found.setdefault(subset, name)
        return found

"""A suite's examples: which rows, filtered how, and whether they are the whole benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rmeval.data_prep.rows.column_map import ColumnMap
from rmeval.data_prep.rows.examples import fingerprint, unroll
from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.rows.in_memory import Rows, RowsLike, load_rows, rows_in_memory
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import DataError, UsageError
from rmeval.eval.suites import SUITES, Suite
from rmeval.eval.suites.base import Having
from rmeval.eval.suites.draw import check_limits, draw
from rmeval.eval.suites.patterns import named
from rmeval.eval.suites.whole import is_own, partial_reasons
from rmeval.run_info import DataInfo
from rmeval.types import Example, Finding, Lists

_NAMED = 5
"""Subsets that a message names."""


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which rows to score."""

    dataset: str | Path | RowsLike | None = None
    """Hub id, file, folder, ``mini``, or rows in memory; None for the suite's own."""
    revision: str | None = None
    """Branch, tag or commit of a Hub data set."""
    split: str | None = None
    subsets: tuple[str, ...] = ()
    """Only these subsets, ``*`` in a name standing for anything; empty for all."""
    limit: int | None = None
    """Only the first so many examples, after ``subsets``."""
    suite_options: tuple[str, ...] = ()
    """Options that the suite declares, by name."""
    columns: ColumnMap | None = None
    """Which columns of the rows are what; None where they have the suite's own names."""
    lists: Lists = "all"
    """What several right and wrong completions of a row are."""
    limit_per_subset: int | None = None
    """At most so many examples of each subset, after ``subsets``, drawn by ``seed``."""
    seed: int = 0
    of_any_benchmark: bool = False
    """Take the rows of another benchmark as they are, where only their texts matter."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The examples of a run."""

    suite: Suite
    """The suite asked for, or that of the packaged rows where those were."""
    examples: tuple[Example, ...]
    info: DataInfo
    findings: tuple[Finding, ...]
    partial_reasons: tuple[str, ...]
    """Why this is not the suite's whole benchmark; empty if it is."""


def load_dataset(suite: Suite, options: DataOptions) -> Dataset:
    """Load, convert and filter a suite's examples.

    Raises:
        DataError: if rows cannot be found, read or converted.
        UsageError: if options contradict each other or no example is left.
    """
    check_limits(options.limit, options.limit_per_subset)
    suite, rows = _rows(suite, options)
    if suite.sibling is not None and options.columns is None and (other := suite.sibling(rows)) is not None:
        suite = SUITES[other]
    if options.columns is None and options.lists == "all" and not options.of_any_benchmark:
        _refuse_others(suite, rows)
    for name in options.suite_options:
        if name not in suite.options:
            there = ", ".join(f"--{each}" for each in suite.options) or "none"
            raise UsageError(f"{suite.name} has no option --{name} of its own (it has: {there})")
    if options.lists != "all" and suite.formulas:
        raise UsageError(f"{suite.name} has a formula of its own, so its lists are read in one way: leave --lists out")
    rows, noticed = (rows, []) if options.columns is None else options.columns.apply(rows)
    examples, findings = _read(suite, rows)
    examples = unroll(examples, options.lists)
    findings = [*noticed, *findings]
    _check_related(suite, rows, examples)
    own = is_own(suite, rows, fingerprint(examples) if suite.fingerprint else None)
    added = {}
    for name in options.suite_options:
        more, noticed, added[name] = suite.options[name].read()
        examples, findings = [*examples, *more], [*findings, *noticed]
    chosen = _filter(examples, options)
    if (most := options.limit_per_subset) is not None:
        chosen = draw(suite, chosen, most, options.seed)
    info = DataInfo(
        dataset=rows.name,
        fingerprint=fingerprint(chosen),
        rows=len(chosen),
        split=rows.split,
        revision=rows.revision,
        subsets=options.subsets,
        limit=options.limit,
        limit_per_subset=options.limit_per_subset,
        added=added,
    )
    return Dataset(
        suite, tuple(chosen), info, tuple(findings), partial_reasons(suite, info, chosen, _otherwise(options), own=own)
    )


def suite_of_rows(suite: Suite, dataset: object) -> Suite:
    """Return the suite that will be scored: rows that ship with rmeval are of their own, whichever was asked for."""
    return (_packaged(dataset) if SUITES.get(suite.name) is suite else None) or suite


def _packaged(source: object) -> Suite | None:
    if not isinstance(source, str):  # A DataFrame compares cell by cell.
        return None
    return next((each for each in SUITES.values() if each.packaged is not None and each.name == source), None)


def _check_related(suite: Suite, rows: Rows, examples: Sequence[Example]) -> None:
    """Refuse rows that have nothing to do with a benchmark: neither its columns, where it has some, nor its subsets."""
    if SUITES.get(suite.name) is not suite or (suite.is_row is not None and suite.is_row(_first(rows.rows[0]))):
        return
    found = list(dict.fromkeys(example.subset for example in examples))
    if suite.expected and found and not any(named(name, found) for name in suite.expected):
        names = ", ".join(found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
        raise DataError(
            f"{rows.name} has no subset of {suite.name} (its subsets: {names});"
            " use `rmeval pairs` for pairs of your own"
        )


def _rows(suite: Suite, options: DataOptions) -> tuple[Suite, Rows]:
    """Return the rows, and the suite that they are of: packaged ones always are of their own."""
    source = options.dataset if options.dataset is not None else suite.dataset
    if source is None and suite.parts:
        return suite, _parts(suite, options)
    if source is None:
        where = f": {suite.about.source}" if suite.about is not None else ""
        raise UsageError(f"{suite.name} has no data set of its own; give one with --dataset{where}")
    if isinstance(source, Path):
        source = str(source)
    if not isinstance(source, str):
        if options.split is not None or options.revision is not None:
            raise UsageError("rows in memory have no splits and no revisions")
        return suite, rows_in_memory(source)
    packaged = _packaged(source)
    if packaged is not None and SUITES.get(suite.name) is not suite:
        return suite, replace(load_rows(str(packaged.packaged)), name=source)  # The rows alone: it says what they mean.
    if packaged is None:
        revision = options.revision or (suite.revision if options.dataset is None else None)
        rows = load_rows(source, split=options.split, revision=revision, default_split=suite.split, layout=suite.layout)
        return suite, rows
    if options.split is not None or options.revision is not None:
        raise UsageError(f"the {source} set has no splits and no revisions; leave --split and --dataset-revision out")
    return packaged, replace(load_rows(str(packaged.packaged)), name=source)


def _parts(suite: Suite, options: DataOptions) -> Rows:
    """Return the rows of all of the suite's data sets, each with the name of its own."""
    if options.split is not None or options.revision is not None:
        raise UsageError(f"{suite.name} is several data sets, whose splits and revisions are fixed: leave them out")
    parts = {name: load_rows(e.dataset, split=e.split, revision=e.revision) for name, e in suite.parts.items()}
    revisions = [each.revision for each in parts.values()]
    return Rows(
        " + ".join(each.dataset for each in suite.parts.values()),
        [{**row, "part": name} for name, each in parts.items() for row in each.rows],
        revision=" ".join(filter(None, revisions)) if all(revisions) else None,
        places=[place for each in parts.values() for place in each.places],
    )


def _read(suite: Suite, rows: Rows) -> tuple[Sequence[Example], Sequence[Finding]]:
    """Make examples of rows; where those of a benchmark cannot be read, and are pairs, the error names ``pairs``."""
    try:
        return suite.read(rows)
    except DataError as error:
        raise DataError(f"{error}{_pairs_hint(suite, rows)}") from None


def _pairs_hint(suite: Suite, rows: Rows) -> str:
    ready = {"chosen", "rejected"} <= set(rows.rows[0]) and suite.about is not None
    return "; use `rmeval pairs` for pairs of your own" if ready else ""


def _first(row: Row) -> Row:
    """Return a row, or the first of the rows that one object holds by their kind: then all of its values are rows."""
    held = [value[0] if isinstance(value, list) and value else value for value in row.values()]
    inner = [value for value in held if isinstance(value, Mapping) and "role" not in value]
    return inner[0] if inner and len(inner) == len(held) else row


def _refuse_others(suite: Suite, rows: Rows) -> None:
    """Refuse the rows of another benchmark that rmeval knows, and those that lack a column.

    Raises:
        DataError: if they are; it names the command, or the column.
    """
    first = _first(rows.rows[0])
    if SUITES.get(suite.name) is not suite or (suite.is_row is not None and suite.is_row(first)):
        return
    for other in SUITES.values():
        if other.is_row is not None and other.is_row(first):
            raise DataError(
                f"{rows.name} has rows of {other.title}: score them with rmeval {other.name} --dataset {rows.name}"
                f" (or say with --map what {suite.name} is to read)"
            )
    if isinstance(suite.is_row, Having):
        columns = ", ".join(map(repr, first)) or "none"
        missing = next(name for name in suite.is_row.columns if name not in first)
        raise DataError(
            f"{rows.locate(0)}: no column {missing!r} (it has: {columns}){did_you_mean(missing, first)}; a row of"
            f" {suite.title} has {', '.join(suite.is_row.columns)}{_pairs_hint(suite, rows)}"
        )


def _filter(examples: Sequence[Example], options: DataOptions) -> list[Example]:
    names = list(dict.fromkeys(example.subset for example in examples))
    wanted: set[str] = set()
    for pattern in options.subsets:
        found = named(pattern, names)
        if not found:
            raise UsageError(
                f"no subset {pattern!r} in the data{did_you_mean(pattern, names)} (it has: {', '.join(names)})"
            )
        wanted.update(found)
    kept = [example for example in examples if not options.subsets or example.subset in wanted]
    return kept[: options.limit]


def _otherwise(options: DataOptions) -> str:
    """Say which options change what rows say; empty where none does."""
    found = [] if options.columns is None else [f"{name}={path}" for name, path in options.columns.text.items()]
    found += [] if options.lists == "all" else [f"lists={options.lists}"]
    return ", ".join(found)

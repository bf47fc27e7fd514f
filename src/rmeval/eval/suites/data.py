"""A suite's examples: which rows, filtered how, and whether they are the whole benchmark."""

from __future__ import annotations

from collections import Counter
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
from rmeval.run_info import DataInfo
from rmeval.types import Example, Finding, Lists

_NAMED, _MOST = 5, 30
"""Subsets that a message names, and up to how many it names all that a run lacks: RewardBench has 23."""


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
    examples, findings = suite.read(rows)
    examples = unroll(examples, options.lists)
    findings = [*noticed, *findings]
    _check_related(suite, rows, examples)
    own = _is_own(suite, rows, fingerprint(examples) if suite.fingerprint else None)
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
        suite, tuple(chosen), info, tuple(findings), _partial_reasons(suite, info, chosen, _otherwise(options), own=own)
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
            f" {suite.title} has {', '.join(suite.is_row.columns)}"
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


def _partial_reasons(
    suite: Suite, info: DataInfo, examples: Sequence[Example], read_otherwise: str, *, own: bool
) -> tuple[str, ...]:
    """Say in what the examples differ from the suite's benchmark."""
    reasons = []
    if info.subsets:
        reasons.append(f"only the subsets {', '.join(info.subsets)}")
    if info.limit is not None:
        reasons.append(f"only the first {info.limit} examples asked for")
    if info.limit_per_subset is not None:
        reasons.append(f"a quick look: only {info.limit_per_subset} examples of each subset asked for")
    counts = Counter(example.subset for example in examples)
    for added in info.added:  # Their whole size is not part of the suite's table.
        for name in suite.options[added].subsets:
            counts.pop(name, None)
    reasons += _not_whole(suite, counts, info.limit_per_subset)
    if suite.dataset is not None and suite.fingerprint is None and read_otherwise:
        reasons.append(f"its rows were not read as the benchmark's: {read_otherwise}")
    if (suite.dataset is not None or suite.parts or suite.fingerprint is not None) and not own:
        split = f" (split {suite.split})" if suite.split else ""
        home = suite.dataset or " + ".join(each.dataset for each in suite.parts.values()) or suite.title
        which = "that are not the examples of old" if info.dataset == suite.dataset else f"not of {home}{split}"
        reasons.append(f"rows of {info.dataset}, {which}: an unverified copy")
    return tuple(reasons)


def _not_whole(suite: Suite, counts: Mapping[str, int], at_most: int | None) -> list[str]:
    """Say which of the suite's examples are missing, or too many; ``at_most`` of a subset were asked for."""
    if not suite.expected:
        there = {name: float(count) for name, count in counts.items()}
        table = {} if suite.file is not None else suite.sections(suite.default_weights)
        empty = [name for name, section in table.items() if not section.of(there)]
        return [f"{len(empty)} sections without a row ({', '.join(empty[:5])})"] if empty else []
    reasons = []
    fitting = {name: named(name, list(counts)) for name in suite.expected}
    missing = [name for name, own in fitting.items() if not own]
    if missing:
        reasons.append(f"{len(missing)} of {len(suite.expected)} subsets missing ({', '.join(_few(missing))})")
    sizes = []
    for name, expected in suite.expected.items():
        found = sum(counts[each] for each in fitting[name])
        wanted = min(expected, len(fitting[name]) * at_most) if at_most else expected
        if fitting[name] and found != wanted and not (at_most and len(fitting[name]) > 1):
            sizes.append(f"{name} has {found} rows, not {expected}")
    reasons += _few(sizes)
    known = {each for own in fitting.values() for each in own}
    other = [name for name in counts if name not in known]
    if other:
        reasons.append(f"{len(other)} subsets that {suite.name} does not have ({', '.join(other[:5])})")
    return reasons


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= _MOST else [*names[:_NAMED], f"and {len(names) - _NAMED} more"]


def _is_own(suite: Suite, rows: Rows, whole: str | None) -> bool:
    """Return whether rows are the benchmark's, of which none is left out.

    The fingerprint of all their examples (``whole``) proves it, where the suite knows what it should be. Without, the
    package, a commit on the Hub or the suite's own file have to be trusted; a copy elsewhere proves nothing.
    """
    if suite.fingerprint is not None:
        return whole == suite.fingerprint
    if suite.parts:
        return rows.revision is not None
    if suite.packaged is not None or suite.file is not None:
        return rows.name == suite.dataset and rows.split in (None, suite.split)
    return (rows.name, rows.split) == (suite.dataset, suite.split) and rows.revision is not None

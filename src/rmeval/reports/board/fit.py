"""Which rows may stand in one order, and why others may not."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.eval.suites import Suite
from rmeval.eval.suites.patterns import named
from rmeval.reports.board.entries import Apart, Entry, Measured, Row
from rmeval.reports.run.findings import partial_line

__all__ = ["among_themselves", "split"]


def split(rows: Sequence[Row], suite: Suite, weights: str | None) -> tuple[list[Row], list[Apart]]:
    """Return the rows that may be ranked as the suite's, and the others with the reasons."""
    reasons = {row.page: _reasons(row.entry, suite, weights) for row in rows}
    classes: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.entry.measured is not None and not reasons[row.page]:
            classes.setdefault(data_of(row.entry.measured), []).append(row)
    main = max(classes, key=lambda data: len(classes[data]), default=None)  # Of equals, the first.
    for data, other in classes.items():
        if main is not None and data != main:
            reasons |= {row.page: (_other_data(row.entry, classes[main][0].entry),) for row in other}
    fit = [row for row in rows if not reasons[row.page]]
    rest = [row for row in rows if reasons[row.page]]
    return fit, [Apart(row.label, reasons[row.page], row.entry.source, row) for row in rest]


def data_of(measured: Measured) -> tuple[str, str]:
    """Return what runs that are ranked together share: the fingerprint of the data, and the digest of its examples."""
    return measured.info.data.fingerprint, measured.decisions.digest


def _is_line(measured: Measured) -> bool:
    return measured.info.model.kind == "baseline"


def _reasons(entry: Entry, suite: Suite, weights: str | None) -> tuple[str, ...]:
    """Return why an entry cannot be ranked, whatever stands beside it."""
    if entry.measured is None:
        return _missing(entry, suite)
    info = entry.measured.info
    found = [partial_line(info)] if info.partial else []
    if _is_line(entry.measured):
        found.append("a reference line, not a model")
    invalid = int((~entry.measured.decisions.valid).sum())
    if invalid and not any("finite score" in reason for reason in info.partial_reasons):
        found.append(f"{invalid:,} {'example has' if invalid == 1 else 'examples have'} no finite score")
    if entry.weights != weights:
        found.append(f"other weights: {entry.weights}; this leaderboard is of {weights} (--weights {entry.weights})")
    if entry.overall is None:
        found.append("it has no overall number")
    return tuple(found)


def _missing(entry: Entry, suite: Suite) -> tuple[str, ...]:
    """Return what published numbers lack: the prior sets may be left out, all else not."""
    lacking = []
    table = suite.sections(suite.default_weights)
    for name, section in table.items():
        optional = not set(section.subsets) <= set(suite.expected)
        if entry.subsets:
            absent = [subset for subset in section.subsets if not named(subset, list(entry.subsets))]
            if absent and not (optional and len(absent) == len(section.subsets)):
                lacking += absent
        elif name not in entry.sections and not optional:
            lacking.append(name)
    return (f"partial: it lacks {', '.join(lacking)}",) if lacking else ()


def _other_data(entry: Entry, main: Entry) -> str:
    assert entry.measured is not None  # noqa: S101
    assert main.measured is not None  # noqa: S101
    own, theirs = entry.measured.info.data, main.measured.info.data
    if set(own.added) != set(theirs.added):
        ways = (" and ".join(f"--{name}" for name in each.added) for each in (own, theirs))
        mine, others = (f"with {names}" if names else "with nothing added" for names in ways)
        return f"other data: it was scored {mine}, the table is of runs {others}"
    return (
        f"other data: {own.rows:,} examples with the fingerprint {_short(own.fingerprint)},"
        f" the table's are {theirs.rows:,} with {_short(theirs.fingerprint)}"
    )


def _short(fingerprint: str) -> str:
    return fingerprint.rpartition(":")[2][:12]


def among_themselves(apart: Sequence[Apart], weights: str | None) -> tuple[list[list[Row]], list[Apart]]:
    """Return the rows that are no result of the suite and yet of the same examples as others, and the rest.

    Args:
        apart: Rows of one suite, with the reasons.
        weights: The weight table of the leaderboard.

    Returns:
        Groups of two rows or more, each of the same examples, all of them valid; and what is in none.
    """
    classes: dict[tuple[str, str], list[Row]] = {}
    for each in apart:
        measured = each.row.entry.measured if each.row else None
        if each.row is None or measured is None or each.row.entry.overall is None or each.row.entry.weights != weights:
            continue
        if measured.decisions.valid.all() and not _is_line(measured):
            classes.setdefault(data_of(measured), []).append(each.row)
    groups = [rows for rows in classes.values() if len(rows) > 1]
    grouped = {row.page for rows in groups for row in rows}
    return groups, [each for each in apart if each.row is None or each.row.page not in grouped]

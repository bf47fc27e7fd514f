"""The tables of a leaderboard: the rows that may stand in one order, with their statistics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from rmeval.eval.numbers.ranks import Ranking, SubsetCredits, rank
from rmeval.eval.numbers.weights import shares
from rmeval.eval.suites import SUITES, Suite
from rmeval.reports.board.entries import Apart, Entry, Row, Table
from rmeval.reports.board.fit import among_themselves, split
from rmeval.reports.shell.page import visible

__all__ = ["Board", "arrange"]

Board = tuple[list[Table], list[Apart]]

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""What Windows does not take as the name of a file."""


def arrange(entries: Sequence[Entry], apart: Sequence[Apart], weights: str | None, seed: int) -> Board:
    """Make a table a suite, further tables of published rows that do not fit there, and the rest.

    Args:
        entries: What was read.
        apart: What could not be read.
        weights: The weight table of the first table of each suite that has it; of others it is their default.
        seed: Seed of the draws.
    """
    rows = _rows(entries)
    tables: list[Table] = []
    others: list[Apart] = []
    for suite in _suites(entries):
        own = [row for row in rows if _key(row.entry.suite) == _key(suite)]
        fit, rest = split(own, suite, suite.table(weights))
        tables += _tables(suite, fit, suite.table(weights), seed)
        groups, rest = among_themselves(rest, suite.table(weights))
        tables += [_own_table(suite, suite.table(weights), rows, seed) for rows in groups]
        others += rest
    return tables, [*others, *apart]


def _suites(entries: Iterable[Entry]) -> list[Suite]:
    """Return the suites of these entries, those that ship with rmeval first, in the order of their table."""
    order = list(SUITES)
    found = {_key(entry.suite): entry.suite for entry in entries}.values()
    return sorted(found, key=lambda suite: order.index(suite.name) if suite.name in order else len(order))


def _key(suite: Suite) -> tuple[str, str | None]:
    """Return what tells suites apart: files of one name may say different things."""
    return suite.name, suite.file


# --- tables -------------------------------------------------------------------------------------------------------


def _tables(suite: Suite, rows: Sequence[Row], weights: str | None, seed: int) -> list[Table]:
    """Return the table of what was measured with the published rows that fit, and one of each other kind of those."""
    measured = [row for row in rows if row.entry.measured is not None]
    kinds: dict[tuple[str | None, tuple[str, ...]], list[Row]] = {}
    if measured:
        kinds[measured[0].entry.weights, measured[0].entry.counted] = list(measured)
    published = [row for row in rows if row.entry.measured is None]
    published.sort(key=lambda row: row.entry.weights != weights)  # Those of the leaderboard's own weights first.
    for row in published:
        kinds.setdefault((row.entry.weights, row.entry.counted), []).append(row)
    tables: list[Table] = []
    for place, ((own, counted), members) in enumerate(kinds.items()):
        reason = _differs(own, counted, tables[0]) if tables else ""
        tables.append(_table(suite, own, counted, members, reason, seed if measured and place == 0 else None))
    return tables


def _differs(weights: str | None, counted: tuple[str, ...], above: Table) -> str:
    found = []
    if weights is None:
        found.append("the file does not say which weights its sections have (--import-weights tells)")
    elif weights != above.weights:
        found.append(f"its sections have the weights {weights}, those above {above.weights or 'weights not stated'}")
    more = [name for name in counted if name not in above.counted]
    fewer = [name for name in above.counted if name not in counted]
    if more:
        found.append(f"its overall numbers count {', '.join(more)}, those above do not")
    if fewer:
        found.append(f"its overall numbers do not count {', '.join(fewer)}, those above do")
    return "; ".join(found)


def _table(
    suite: Suite, weights: str | None, counted: tuple[str, ...], rows: Sequence[Row], reason: str, seed: int | None
) -> Table:
    ordered = sorted(rows, key=_overall, reverse=True)  # Equals stay as they were given.
    measured = [row for row in ordered if row.entry.measured is not None]
    ranking = None if seed is None else _rank(suite, weights, [row.entry for row in measured], seed)
    if ranking is not None:
        placed = {row.page: row for row in _placed(measured, ranking)}
        ordered = [placed.get(row.page, row) for row in ordered]
    info = measured[0].entry.measured.info if measured and measured[0].entry.measured else None
    return Table(
        suite=suite,
        title=_title(suite, weights, counted, published=not measured),
        weights=weights,
        counted=counted,
        rows=ordered,
        reason=reason,
        reference_lines=info.results.reference_lines if info else {},
        examples=info.data.rows if info else None,
        ranking=ranking,
    )


def _own_table(suite: Suite, weights: str | None, rows: Sequence[Row], seed: int) -> Table:
    """Return the table of runs of the same examples that are not the benchmark's: it is named by its data."""
    table = _table(suite, weights, rows[0].entry.counted, rows, "", seed)
    measured = rows[0].entry.measured
    assert measured is not None  # noqa: S101
    data = measured.info.data
    name = re.split(r"[/\\]", data.dataset)[-1]
    why = measured.info.partial_reasons[:1] or ("the table above is of other examples",)
    return replace(table, title=f"{suite.title}: {name}, {data.rows:,} examples", reason=f"not the benchmark: {why[0]}")


def _title(suite: Suite, weights: str | None, counted: tuple[str, ...], *, published: bool) -> str:
    optional = [
        name for name in counted if not set(suite.sections(suite.default_weights)[name].subsets) <= set(suite.expected)
    ]
    title = " with ".join([suite.title, *optional])
    if not published:
        return title
    return f"{title}, published, weights {weights or 'not stated'}" if suite.weights else f"{title}, published"


def _overall(row: Row) -> float:
    return row.entry.overall.accuracy if row.entry.overall else -1.0


def _rank(suite: Suite, weights: str | None, entries: Sequence[Entry], seed: int) -> Ranking:
    """Compare all runs, which are of the same examples in the same order."""
    decisions = [entry.measured.decisions for entry in entries if entry.measured is not None]
    places, prompts = decisions[0].subsets(), decisions[0].clusters
    _, parts = shares(suite, weights, {name: float(len(own)) for name, own in places.items()})
    blocks = []
    for name, weight in parts.items():
        own = places[name]
        counted = np.stack([each.counted[own] for each in decisions], axis=1)
        blocks.append(SubsetCredits.of(name, weight, counted, [prompts[place] for place in own]))
    return rank(blocks, seed=seed)


def _placed(rows: Sequence[Row], ranking: Ranking) -> list[Row]:
    groups: dict[int, list[int]] = {}
    for group, members in enumerate(ranking.groups()):
        for member in members:
            groups.setdefault(member, []).append(group)
    first, last = ranking.first.tolist(), ranking.last.tolist()
    ahead = (ranking.difference < 0).sum(axis=1).tolist()
    return [
        replace(row, rank=(first[k], last[k]), place=1 + ahead[k], groups=tuple(groups[k]))
        for k, row in enumerate(rows)
    ]


# --- names --------------------------------------------------------------------------------------------------------


def _rows(entries: Sequence[Entry]) -> list[Row]:
    """Give each entry what tells it from others of the same model, and the address of its page."""
    names: dict[str, list[int]] = {}
    for place, entry in enumerate(entries):
        names.setdefault(visible(entry.model), []).append(place)
    details: dict[int, str] = {}
    for places in names.values():
        details |= zip(places, _details([entries[place] for place in places]), strict=True)
    taken: set[str] = set()
    return [
        Row(entry, details[place], f"models/{_slug(entry.model, taken)}.html") for place, entry in enumerate(entries)
    ]


def _details(entries: Sequence[Entry]) -> list[str]:
    if len(entries) == 1:
        return [""]
    ways: list[Callable[[Entry], str]] = [_date, lambda entry: re.split(r"[/\\]", entry.source)[-1], _source]
    for way in ways:
        texts = [way(entry) for entry in entries]
        if len(set(texts)) == len(texts):
            return texts
    return [f"{_source(entry)}, {place}" for place, entry in enumerate(entries, start=1)]


def _date(entry: Entry) -> str:
    return entry.source if entry.measured is None else entry.measured.info.created[:10]


def _source(entry: Entry) -> str:
    return entry.source


def _slug(name: str, taken: set[str]) -> str:
    """Return a file's name for a model, whatever the model is called; other models' names are in ``taken``."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:80].strip(".-") or "model"
    base = f"model-{base}" if _RESERVED.fullmatch(base) else base
    slug = next(each for each in _numbered(base) if each.lower() not in taken)
    taken.add(slug.lower())
    return slug


def _numbered(base: str) -> Iterable[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1

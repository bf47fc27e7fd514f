"""Which columns of somebody's rows are what: rows of any names become rows of the names that rmeval reads.

A map says ``field=path`` for each field. A *path* is a column, keys of nested objects after dots, ``[]`` for every item
of a list, ``[0]`` for one and ``[1:]`` for some: ``chosen.answer``, ``losers[].answer``. A column whose own name has a
dot or a bracket is taken before that is read as a path. Of several paths with ``|`` between them a row has the
first that is there. ``~`` and a regular expression after a path keep what its first group, or all of it, matches.
``*`` is every value of an object, ``.`` the row itself, ``@file`` the path of the row's file, in lower case.

======================  ========================================================================================
field                   what it is
======================  ========================================================================================
prompt, chosen,         as in ``rmeval.data_prep.rows.examples``
rejected, system, tools
completions, messages   as in ``rmeval.data_prep.rows.scorable``
subset, id              as in ``rmeval.data_prep.rows.examples``
a, b, label             two answers, and which of them is better; in place of chosen and rejected
chosen-when             the label's value where ``a`` is better
rejected-when           the label's value where ``b`` is; may be left out where only one other value is no tie
tie-when                the label's value where neither is, if the label's words do not say so
rows                    where the rows are, if each line or file holds several: a path to a list
======================  ========================================================================================
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rmeval.data_prep.rows.files import PlacedRow, Row
from rmeval.data_prep.rows.in_memory import Rows, file_of
from rmeval.data_prep.rows.row_path import RowPath
from rmeval.data_prep.text.audit import finding
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import DataError, UsageError
from rmeval.types import Finding

__all__ = ["FIELDS", "ColumnMap"]

_ROLES = ("chosen", "rejected")
_CONSTANTS = ("chosen-when", "rejected-when", "tie-when")
_FILE = "@file"
FIELDS = (
    "prompt",
    *_ROLES,
    "system",
    "tools",
    "completions",
    "messages",
    "subset",
    "id",
    "a",
    "b",
    "label",
    *_CONSTANTS,
    "rows",
)
"""What a map can name."""
_TIE = re.compile(
    r"(?<![a-z])(?:ties?|tied|draw|same|equal|both|neither)(?![a-z])|\A\s*(?:\w?\s*=\s*\w?)?\s*\Z", re.IGNORECASE
)
"""What a label says where neither answer is better."""


@dataclass(frozen=True, slots=True)
class _Field:
    """Where one field of a row comes from."""

    name: str
    paths: tuple[RowPath, ...]
    pattern: re.Pattern[str] | None

    @staticmethod
    def parse(name: str, text: str) -> _Field:
        """Parse the path of a field."""
        text, marked, pattern = text.partition("~")
        try:
            compiled = re.compile(pattern) if marked else None
        except re.error as error:
            raise UsageError(f"map: {name}: {pattern!r} is not a regular expression ({error})") from None
        return _Field(name, tuple(RowPath.parse(each.strip()) for each in text.split("|")), compiled)

    def value(self, row: Row, place: str) -> object:
        """Return the field's value in a row; None where the row has none.

        Raises:
            DataError: if only some items of a list have one.
        """
        for path in self.paths:
            if path.text == _FILE:
                return self._matched(file_of(place).lower())
            try:
                found = path.values(row)
            except ValueError as error:
                raise DataError(f"{place}, {self.name}: {error}") from None
            if found:
                return self._matched(found if path.several and row.get(path.text) is None else found[0])
        return None

    def _matched(self, value: object) -> object:
        if self.pattern is None:
            return value
        match = self.pattern.search(str(value))
        return (match[1] if match.re.groups else match[0]) if match else None


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """A column map, read once; ``text`` is what ``--map`` or the suite file says."""

    text: Mapping[str, str]
    _fields: tuple[_Field, ...]

    @staticmethod
    def parse(given: Mapping[str, str]) -> ColumnMap:
        """Read a map of fields to paths.

        Raises:
            UsageError: if a field is not known, a path is none, or what goes together is not together.
        """
        for name in given:
            if name not in FIELDS:
                raise UsageError(f"map: no field {name!r}{did_you_mean(name, FIELDS)} (fields: {', '.join(FIELDS)})")
            if not given[name]:
                raise UsageError(f"map: {name} is empty")
        pair = {"a", "b", "label"} & set(given)
        if pair and (len(pair) < 3 or "chosen-when" not in given):
            lacking = [name for name in ("a", "b", "label", "chosen-when") if name not in given]
            raise UsageError(f"map: a pair by label needs {' and '.join(lacking)} as well")
        if pair and (both := [name for name in _ROLES if name in given]):
            raise UsageError(f"map: {both[0]} and a, b, label are two ways to say the same: leave one out")
        if not pair and (alone := [name for name in _CONSTANTS if name in given]):
            raise UsageError(f"map: {alone[0]} needs a, b and label")
        fields = (_Field.parse(name, text) for name, text in given.items() if name not in _CONSTANTS)
        return ColumnMap(dict(given), tuple(fields))

    def apply(self, rows: Rows) -> tuple[Rows, list[Finding]]:
        """Return the rows with the fields as columns, in the place of columns of these names; and what was noticed.

        Raises:
            DataError: if a path leads to nothing in any row, or a label says what the map does not explain.
        """
        rows = self._spread(rows)
        fields = [each for each in self._fields if each.name != "rows"]
        mapped = [{f.name: f.value(row, rows.locate(n)) for f in fields} for n, row in enumerate(rows.rows)]
        for each in fields:
            if each.paths[-1].text != _FILE and all(row[each.name] is None for row in mapped):
                raise DataError(f"{rows.name}: {_nothing(each, rows)}")
        rows = replace(rows, rows=[self._merged(*pair) for pair in zip(rows.rows, mapped, strict=True)])
        return self._by_label(rows) if "label" in self.text else (rows, [])

    def stream(self, rows: Iterable[PlacedRow]) -> Iterator[tuple[str, Row, Row]]:
        """Yield the place of each row, the row, and the row with the fields as columns: rows of which none is held.

        Raises:
            UsageError: if the map makes pairs by label, for which all labels must be known.
            DataError: if ``rows`` leads to no list of rows.
        """
        if "label" in self.text:
            raise UsageError("map: a, b and label make pairs of right and wrong; map completions or messages")
        field = next((each for each in self._fields if each.name == "rows"), None)
        for place, whole in rows:
            for at, row in [(place, whole)] if field is None else self._items(field, place, whole):
                yield at, row, self._merged(row, {each.name: each.value(row, at) for each in self._fields})

    def _merged(self, row: Row, mapped: Row) -> Row:
        """Return a row with what a map says in the place of what has the same name; the rest stays."""
        rest = {name: value for name, value in row.items() if name not in self.text}
        return rest | {name: value for name, value in mapped.items() if value is not None}

    def _spread(self, rows: Rows) -> Rows:
        """Return each item of the list at ``rows`` as a row of its own."""
        field = next((each for each in self._fields if each.name == "rows"), None)
        if field is None:
            return rows
        found = [each for n, row in enumerate(rows.rows) for each in self._items(field, rows.locate(n), row)]
        return replace(rows, rows=[row for _, row in found], places=[place for place, _ in found])

    def _items(self, field: _Field, place: str, row: Row) -> list[PlacedRow]:
        items = field.value(row, place)
        if isinstance(items, Mapping):
            return [(place, items)]
        if not isinstance(items, list) or not all(isinstance(each, Mapping) for each in items):
            raise DataError(f"{place}: rows={self.text['rows']} leads to no list of objects")
        return [(f"{place} item {number}", each) for number, each in enumerate(items, start=1)]

    def _by_label(self, rows: Rows) -> tuple[Rows, list[Finding]]:
        """Return ``a`` and ``b`` as chosen and rejected; rows whose label says that they are equal are left out."""
        labels = [_label(row.get("label")) for row in rows.rows]
        labels = ["" if label == self.text.get("tie-when") else label for label in labels]
        better, worse = self.text["chosen-when"], self._other(rows, labels)
        kept: list[Row] = []
        places: list[str] = []
        ties: list[str] = []
        for index, (row, label) in enumerate(zip(rows.rows, labels, strict=True)):
            if label not in (better, worse):
                ties.append(rows.locate(index))
                continue
            answers = ("a", "b") if label == better else ("b", "a")
            for name in answers:
                if name not in row:
                    raise DataError(f"{rows.locate(index)}: {name}={self.text[name]} leads to nothing")
            rest = {name: value for name, value in row.items() if name not in ("a", "b", "label")}
            kept.append({**rest, "chosen": row[answers[0]], "rejected": row[answers[1]]})
            places.append(rows.locate(index))
        noticed = [finding("label-ties", len(ties), tuple(ties[:5]))] if ties else []
        return replace(rows, rows=kept, places=places), noticed

    def _other(self, rows: Rows, labels: Sequence[str]) -> str | None:
        """Return the label of a pair whose ``b`` is better.

        Raises:
            DataError: if there are several that may be it, or one that is neither it nor a tie.
        """
        better, said = self.text["chosen-when"], self.text.get("rejected-when")
        if better not in labels and said not in labels:
            raise DataError(f"{rows.name}: no label is {better!r}; there are {_several(labels)}")
        left = [each for each in dict.fromkeys(labels) if each not in (better, said) and not _TIE.search(each)]
        if said is not None and left:
            raise DataError(f"{rows.name}: labels that are neither chosen-when nor rejected-when: {_several(left)}")
        if len(left) > 1:
            raise DataError(f"{rows.name}: which label says that b is better, {_several(left)}? Say rejected-when=…")
        return said if said is not None else next(iter(left), None)


def _label(value: object) -> str:
    """Return a label as text: 1 and 1.0 are the same, nothing is empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _several(labels: Iterable[str]) -> str:
    return ", ".join(repr(label) for label, _ in Counter(labels).most_common(5))


def _nothing(field: _Field, rows: Rows) -> str:
    """Say that a field's paths lead to nothing, and what may be meant."""
    first = field.paths[0].text
    text = " | ".join(path.text for path in field.paths)
    if field.pattern is not None and any(path.values(row) for path in field.paths for row in rows.rows):
        return f"{field.name}: no value of {text} matches {field.pattern.pattern!r}"
    meant = did_you_mean(str(field.paths[0].steps[0]), rows.columns)
    there = ", ".join(map(repr, rows.columns)) or "none"
    hint = "" if first in rows.columns else meant
    return f"{field.name}: {text} leads to nothing in any row{hint} (columns: {there})"

"""Rows through a source: what comes out, in a form that a test can write down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.sources import Dropped, Made, Pair, get_source
from rmeval.types import Messages


def units(name: str, rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The units of a source: all rows with the same key, or one row each."""
    key = get_source(name).unit_key
    grouped: dict[object, list[Row]] = {}
    for number, row in enumerate(rows):
        found = None if key is None else key(row)
        grouped.setdefault(number if found is None else found, []).append(row)
    yield from grouped.values()


def make(name: str, *rows: Row) -> list[Made]:
    """Everything that a source makes of rows."""
    return [made for unit in units(name, rows) for made in get_source(name).pairs(unit)]


def pair(name: str, row: Row) -> Pair:
    """The one pair that a source makes of a row."""
    (made,) = make(name, row)
    assert isinstance(made, Pair), made
    return made


def drops(name: str, *rows: Row) -> list[str]:
    """What becomes of rows that make no pair, such as ``row: malformed``."""
    made = make(name, *rows)
    assert all(isinstance(each, Dropped) for each in made), made
    return [f"{each.unit}: {each.reason}" for each in made if isinstance(each, Dropped)]


def show(messages: Messages) -> str:
    """Messages in one string, as in ``u:Hi. a:Hello!``."""
    return " ".join(f"{message.role[0]}:{message.content}" for message in messages)


def shown(found: Made) -> tuple[str, str, str]:
    """The prompt, the better and the worse completion of a pair."""
    assert isinstance(found, Pair), found
    return show(found.prompt), show(found.chosen), show(found.rejected)

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.data_prep.pairs.columns import PAIRS, Tally, decode_pairs, encode_units, make_pairs
from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.sources import SOURCES, Source
from rmeval.data_prep.sources.base import Dropped, Made, Pair
from rmeval.types import Message

HH = SOURCES["hh-rlhf"]
USER, OTHER = Message("user", "Soup?"), Message("user", "Bread?")
YES, NO = Message("assistant", "Yes."), Message("assistant", "No.")


def fake(made: Callable[[Sequence[Row]], list[Made]]) -> Source:
    def pairs(unit: Sequence[Row]) -> Iterator[Made]:
        yield from made(unit)

    return replace(HH, name="fake", pairs=pairs)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def units(draw: st.DrawFn, source: Source) -> list[list[dict[str, Any]]]:
    """Units of rows that have the source's columns, or most of them, with anything at all in them."""
    row: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(source.columns, JUNK)
    ) | st.fixed_dictionaries(dict.fromkeys(source.columns, JUNK))
    return draw(st.lists(st.lists(row, min_size=1, max_size=4 if source.unit_key else 1), max_size=4))


@pytest.mark.parametrize("name", SOURCES)
@given(data=st.data())
@settings(deadline=None, max_examples=30)
def test_rows_in_are_rows_used_and_dropped_whatever_they_hold(name: str, data: st.DataObject) -> None:
    source = SOURCES[name]
    given_units = data.draw(units(source))
    table, tally = make_pairs(json.loads(encode_units(given_units)), source)
    assert tally.rows == sum(map(len, given_units)) == tally.used_rows + sum(tally.dropped_rows.values())
    assert tally.candidates == len(table) + sum(tally.dropped_pairs.values())
    assert {*tally.dropped_rows, *tally.dropped_pairs} <= source.reasons.keys()


def test_a_source_that_loses_a_row_or_a_pair_is_found_out() -> None:
    pair = Pair((USER,), (YES,), (NO,), "g")
    row = Dropped("row", "malformed")
    wrong: list[list[Made]] = [[], [row, row], [row, pair], [row, Dropped("pair", "cap")]]
    for made in wrong:
        with pytest.raises(RuntimeError, match="source fake"):
            make_pairs([[{}]], fake(lambda unit, made=made: made))  # type: ignore[misc]
    two: list[list[Made]] = [[row, row], [row, pair], [pair], [Dropped("pair", "cap")]]
    for made in two:
        assert make_pairs([[{}, {}]], fake(lambda unit, made=made: made))[1].rows == 2  # type: ignore[misc]


def test_pairs_come_back_as_they_were() -> None:
    pairs: list[Made] = [
        Pair((USER, YES, OTHER), (NO, USER, YES), (YES,), "g", 2.0, None, "k"),
        Pair((), (USER, YES), (OTHER, NO), "g"),
        Pair((Message("system", "Be kind."), USER), (YES,), (NO,), "", None, 0.5),
    ]
    table, _ = make_pairs([[{}]], fake(lambda unit: pairs))
    assert table.schema.equals(PAIRS)
    assert list(decode_pairs(table)) == [
        Pair(pair.prompt, pair.chosen, pair.rejected, "") for pair in pairs if isinstance(pair, Pair)
    ]
    assert list(decode_pairs(table.slice(1, 1))) == [Pair((), (USER, YES), (OTHER, NO), "")]
    assert table.column("opening").to_pylist() == ["soup", "soup", "soup"]
    assert table.column("chosen_score").to_pylist() == [2.0, None, None]
    assert table.column("prompt_chars").to_pylist() == [5 + 4 + 6, 0, 8 + 5]
    assert table.column("chosen_chars").to_pylist() == [3 + 5 + 4, 5 + 4, 4]


def test_the_digest_is_of_the_text_and_of_who_says_it() -> None:
    def digest(pair: Pair) -> str:
        return str(make_pairs([[{}]], fake(lambda unit: [pair]))[0].column("digest")[0].as_py())

    base = Pair((USER,), (YES,), (NO,), "g", 1.0, 2.0, "k")
    assert digest(base) == digest(replace(base, group="h", key="l", chosen_score=None))
    others = [
        replace(base, prompt=(OTHER,)),
        replace(base, chosen=(NO,), rejected=(YES,)),
        replace(base, prompt=(Message("system", "Soup?"),)),
        replace(base, prompt=(), chosen=(USER, YES), rejected=(USER, NO)),
        replace(base, chosen=(YES, YES)),
        replace(base, chosen=(Message("assistant", "Yes.\n"),)),
        replace(base, chosen=(Message("assistantY", "es."),)),
    ]
    assert len({digest(pair) for pair in [base, *others]}) == 1 + len(others)


def test_tallies_add_up() -> None:
    one = Tally(3, 2, 2, {"b": 1}, {"x": 1})
    two = Tally(4, 2, 5, {"a": 1, "b": 1}, {})
    assert Tally.total([one, two]) == Tally(7, 4, 7, {"a": 1, "b": 2}, {"x": 1})
    assert list(Tally.total([one, two]).dropped_rows) == ["a", "b"]
    assert Tally.total([]) == Tally()

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rmeval.data_prep.output.ledger import Ledger, SourceLedger
from rmeval.data_prep.sources.base import Rule

SHP = SourceLedger(
    name="forum",
    source="shp",
    title="SHP",
    home="https://example.org",
    licence="none stated",
    data="org/shp",
    revision="abc",
    files={"a.jsonl": "00"},
    rules=(Rule("ratio > 2", "card"),),
    rows=10,
    used_rows=7,
    dropped_rows={"malformed": 2, "empty-text": 1},
    candidates=9,
    dropped_pairs={"cap": 3},
    pairs=6,
    train=5,
    test=1,
    published=8,
    reasons={"malformed": "m", "empty-text": "e", "cap": "c"},
)


def test_the_difference_is_ours_less_the_published_count() -> None:
    assert SHP.difference == -2
    assert replace(SHP, published=None).difference is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": 11}, "rows used and dropped are 10, not 11"),
        ({"used_rows": 6}, "rows used and dropped are 9, not 10"),
        ({"dropped_rows": {"malformed": 2}}, "rows used and dropped are 9, not 10"),
        ({"candidates": 8}, "pairs and pairs dropped are 9, not 8"),
        ({"dropped_pairs": {}}, "pairs and pairs dropped are 6, not 9"),
        ({"train": 6}, "train and test are 7, not 6"),
        ({"train": 7, "test": -1}, "a negative number"),
        ({"dropped_rows": {"malformed": 4, "empty-text": -1}}, "a negative number"),
        ({"reasons": {"malformed": "m", "cap": "c"}}, "reasons without a meaning: empty-text"),
    ],
)
def test_one_that_does_not_add_up_cannot_be_made(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match="the ledger of forum") as caught:
        replace(SHP, **changes)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_totals() -> None:
    other = replace(SHP, name="other", rows=3, used_rows=0, published=None)
    totals = Ledger("m", 42, (SHP, SHP)).totals
    assert (totals.rows, totals.used_rows, totals.dropped_rows) == (20, 14, 6)
    assert (totals.candidates, totals.dropped_pairs, totals.pairs, totals.train, totals.test) == (18, 6, 12, 10, 2)
    assert (totals.published, totals.difference) == (16, -4)
    totals = Ledger("m", 42, (SHP, other)).totals
    assert (totals.rows, totals.published, totals.difference) == (13, None, None)


def test_json_holds_everything() -> None:
    plain = json.loads(json.dumps(Ledger("m", 42, (SHP,)).to_json()))
    assert plain["mixture"] == "m"
    assert plain["totals"]["pairs"] == 6
    [source] = plain["sources"]
    assert source["difference"] == -2
    assert source["dropped_rows"] == {"malformed": 2, "empty-text": 1}
    assert source["rules"] == [{"text": "ratio > 2", "origin": "card"}]
    assert source.keys() == {*SourceLedger.__slots__, "difference"}
    assert SHP.entry().items() <= SHP.to_json().items()

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

from rmeval.data_prep.sources import get_source
from tests.support.pairing import drops, pair, shown


def row(**changes: object) -> dict[str, object]:
    """A row in the real schema, of which B is preferred, 21 votes to 10."""
    return {
        "post_id": "aa11",
        "domain": "askbaking_train",
        "upvote_ratio": 0.98,
        "history": "Why is my bread flat?",
        "c_root_id_A": "c2",
        "c_root_id_B": "c1",
        "created_at_utc_A": 1600000000,
        "created_at_utc_B": 1600000500,
        "score_A": 10,
        "score_B": 21,
        "human_ref_A": "Old yeast.",
        "human_ref_B": "Let it rise longer.",
        "labels": 0,
        "seconds_difference": 500.0,
        "score_ratio": 2.1,
        **changes,
    }


def test_the_label_says_which_comment_is_preferred() -> None:
    prompt = "u:Why is my bread flat?"
    assert shown(pair("shp", row())) == (prompt, "a:Let it rise longer.", "a:Old yeast.")
    other = pair("shp", row(labels=1, score_A=9, score_B=3))
    assert shown(other) == (prompt, "a:Old yeast.", "a:Let it rise longer.")
    assert (other.chosen_score, other.rejected_score) == (9, 3)


@pytest.mark.parametrize(
    ("better", "worse", "kept"), [(21, 10, True), (20, 10, False), (10, 10, False), (3, 1, True), (2, 1, False)]
)
def test_the_ratio_must_be_more_than_2(better: int, worse: int, kept: bool) -> None:
    for changes in (
        {"labels": 0, "score_A": worse, "score_B": better},
        {"labels": 1, "score_A": better, "score_B": worse},
    ):
        if kept:
            assert pair("shp", row(**changes)).chosen_score == better
        else:
            assert drops("shp", row(**changes)) == ["pair: ratio-too-low"]


@pytest.mark.parametrize("ratio", [1.0, 99.0, None, "x"])
def test_the_ratio_is_worked_out_anew(ratio: object) -> None:
    assert pair("shp", row(score_ratio=ratio)).chosen_score == 21
    assert drops("shp", row(score_ratio=ratio, score_B=20)) == ["pair: ratio-too-low"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": 1}, "pair: contradicting-scores"),
        ({"score_A": 0}, "pair: no-ratio"),
        ({"score_A": -5, "score_B": 0}, "pair: no-ratio"),
        ({"score_A": -5, "score_B": -20}, "pair: contradicting-scores"),
        ({"human_ref_A": "Let it rise longer."}, "pair: equal-texts"),
        ({"human_ref_A": " \n"}, "pair: empty-text"),
        ({"history": ""}, "pair: empty-text"),
        ({"labels": 2}, "row: malformed"),
        ({"labels": None}, "row: malformed"),
        ({"labels": False}, "row: malformed"),
        ({"score_A": True}, "row: malformed"),
        ({"score_A": float("nan")}, "row: malformed"),
        ({"score_B": float("inf")}, "row: malformed"),
        ({"score_B": 10**400}, "row: malformed"),
        ({"score_B": "many"}, "row: malformed"),
        ({"post_id": 5}, "row: malformed"),
        ({"post_id": ""}, "row: malformed"),
        ({"c_root_id_B": None}, "row: malformed"),
        ({"human_ref_B": None}, "row: malformed"),
    ],
)
def test_what_is_dropped(changes: dict[str, object], reason: str) -> None:
    assert drops("shp", row(**changes)) == [reason]


def test_numbers_may_be_written_as_text() -> None:
    """As in CSV."""
    assert pair("shp", row(labels="0", score_A="10", score_B="21")).chosen_score == 21


def test_a_cap_finds_the_post_and_its_comments() -> None:
    """What is drawn by must not move when A and B change places, and differ between the pairs of a post."""
    swapped = row(
        c_root_id_A="c1",
        c_root_id_B="c2",
        score_A=21,
        score_B=10,
        labels=1,
        human_ref_A="Let it rise longer.",
        human_ref_B="Old yeast.",
    )
    assert pair("shp", swapped) == pair("shp", row())
    found = [
        pair("shp", row(c_root_id_A=one, c_root_id_B=other)) for one, other in combinations(["c1", "c2", "c3", "c4"], 2)
    ]
    assert {each.group for each in found} == {"aa11"}
    assert len({each.key for each in found}) == 6
    assert get_source("shp").cap == 5


def test_the_real_row(shared_data: Path) -> None:
    real = json.loads((shared_data / "schema-rows/shp.row0.truncated.json").read_text(encoding="utf-8"))
    assert set(real) == set(row())
    assert drops("shp", real) == ["pair: ratio-too-low"]  # 54 to 52
    found = pair("shp", {**real, "score_B": 105})
    assert (found.chosen[0].content, found.rejected[0].content) == (real["human_ref_B"], real["human_ref_A"])

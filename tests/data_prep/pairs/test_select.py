from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.data_prep.mixture import SourceEntry
from rmeval.data_prep.pairs.build import Built
from rmeval.data_prep.pairs.columns import PAIRS, Tally
from rmeval.data_prep.pairs.select import select
from rmeval.data_prep.sources import SOURCES

Pairs = list[tuple[str, str, float | None, float | None]]
"""Group, key, chosen and rejected score of each pair."""


def built_of(folder: Path, pairs: Pairs, cap: int | None = None, **keys: Any) -> Built:
    columns: dict[str, list[object]] = {name: [None] * len(pairs) for name in PAIRS.names}
    for place, name in enumerate(("group", "key", "chosen_score", "rejected_score")):
        columns[name] = [pair[place] for pair in pairs]
    columns["digest"] = [hashlib.sha256(repr(pair).encode()).hexdigest() for pair in pairs]
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns, PAIRS), folder / "pairs.parquet")
    source = replace(SOURCES["shp"], cap=cap)
    return Built(SourceEntry(name="shp", **keys), source, folder, "", None, {}, Tally(), False)


def kept(folder: Path, pairs: Pairs, seed: int = 42, **keys: Any) -> tuple[Pairs, dict[str, int]]:
    found = select(built_of(folder, pairs, **keys), seed)
    return [pair for pair, keep in zip(pairs, found.keep.tolist(), strict=True) if keep], found.dropped


def lowest(pairs: Pairs, most: int, seed: int) -> Pairs:
    """The pairs with the lowest hashes, in their order: worked out anew."""
    draw = {pair: hashlib.sha256(f"{seed}\0{pair[0]}\0{pair[1]}".encode()).hexdigest() for pair in pairs}
    taken = sorted(pairs, key=lambda pair: draw[pair])[:most]
    return [pair for pair in pairs if pair in taken]


POSTS: Pairs = [(f"post{post}", f"{post}-{place}", 1.0 * place, 0.0) for post in range(6) for place in range(1, 10)]


@pytest.mark.parametrize("seed", [42, 43])
def test_the_cap_keeps_the_same_five_of_each_group_in_any_order(tmp_path: Path, seed: int) -> None:
    expected = {f"post{post}": set(lowest([p for p in POSTS if p[0] == f"post{post}"], 5, seed)) for post in range(6)}
    for shuffle in range(4):
        pairs = random.Random(shuffle).sample(POSTS, len(POSTS)) if shuffle else POSTS
        found, dropped = kept(tmp_path, pairs, seed, cap=5)
        assert {group: {pair for pair in found if pair[0] == group} for group in expected} == expected
        assert found == [pair for pair in pairs if pair in found]
        assert dropped == {"cap": 6 * 4}


def test_the_seed_decides(tmp_path: Path) -> None:
    assert kept(tmp_path, POSTS, 42, cap=5) != kept(tmp_path, POSTS, 43, cap=5)


def test_a_group_of_just_the_cap_is_whole(tmp_path: Path) -> None:
    assert kept(tmp_path, POSTS, cap=9) == (POSTS, {})
    assert kept(tmp_path, POSTS, cap=8)[1] == {"cap": 6}


def test_max_pairs_takes_the_lowest_of_all(tmp_path: Path) -> None:
    assert kept(tmp_path, POSTS, max_pairs=10) == (lowest(POSTS, 10, 42), {"max-pairs": 44})
    assert kept(tmp_path, POSTS, max_pairs=54) == (POSTS, {})


def test_the_score_gap_wants_both_scores(tmp_path: Path) -> None:
    pairs: Pairs = [("a", "1", 2.0, 1.0), ("a", "2", 1.0, 2.5), ("a", "3", 2.0, 1.5), ("a", "4", None, 1.0)]
    pairs += [("a", "5", float("nan"), 1.0), ("a", "6", None, None)]
    assert kept(tmp_path, pairs, min_score_gap=1.0) == (pairs[:2], {"min-score-gap": 4})
    assert kept(tmp_path, pairs) == (pairs, {})


def test_the_gap_comes_first_then_the_cap_then_the_number(tmp_path: Path) -> None:
    wide = [pair for pair in POSTS if (pair[2] or 0) >= 3]
    found, dropped = kept(tmp_path, POSTS, min_score_gap=3.0, cap=5, max_pairs=20)
    assert dropped == {"min-score-gap": 12, "cap": 12, "max-pairs": 10}
    capped = [pair for post in range(6) for pair in lowest([p for p in wide if p[0] == f"post{post}"], 5, 42)]
    assert found == lowest(capped, 20, 42)


def test_pairs_of_the_same_key_are_told_apart_by_their_text(tmp_path: Path) -> None:
    pairs: Pairs = [("", "", float(place), 0.0) for place in range(8)]
    first = kept(tmp_path, pairs, max_pairs=3)[0]
    assert sorted(map(repr, first)) == sorted(map(repr, kept(tmp_path, pairs[::-1], max_pairs=3)[0]))
    assert len(first) == 3


def test_no_pairs(tmp_path: Path) -> None:
    assert kept(tmp_path, [], cap=5, max_pairs=1, min_score_gap=1.0) == ([], {})

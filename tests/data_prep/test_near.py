from __future__ import annotations

import random
import sys

import pytest

from rmeval.data_prep.near import THRESHOLD, Candidates, jaccard, shingles


def distinct_words(count: int, start: int) -> list[str]:
    return [f"w{number}" for number in range(start, start + count)]


def similar_pairs(common: int, own: tuple[int, int], count: int) -> list[str]:
    """Return ``count`` pairs of texts with ``common`` shingles in common and ``own`` shingles of their own each."""
    texts = []
    for number in range(count):
        start = 1000 * number
        base = distinct_words(common + 2, start)  # n words have n - 2 shingles
        first, second = own
        texts += [
            " ".join(base + distinct_words(first, start + 500)),
            " ".join(base + distinct_words(second, start + 700)),
        ]
    return texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b c d", {"a b c", "b c d"}),
        ("a b a b a", {"a b a", "b a b"}),
        ("a b c", {"a b c"}),
        ("a b", {"a b"}),
        ("", {""}),
    ],
)
def test_shingles(text: str, expected: set[str]) -> None:
    assert shingles(text) == expected


def test_jaccard() -> None:
    # {abc, bcd} and {bcd, cde, def}: one of four
    assert jaccard(shingles("a b c d"), shingles("b c d e f")) == 0.25
    assert jaccard(shingles("a b"), shingles("a b")) == 1
    assert jaccard(shingles("a b"), shingles("b a")) == 0


def test_what_the_shingle_size_means() -> None:
    """The lengths that the module's text names: where one changed word leaves a near-duplicate."""
    for length in range(5, 40):
        text = distinct_words(length, 0)
        changed = [*text[: length // 2], "other", *text[length // 2 + 1 :]]
        assert (jaccard(shingles(" ".join(text)), shingles(" ".join(changed))) >= THRESHOLD) == (length >= 29)
        longer = [*text, "other"]
        assert (jaccard(shingles(" ".join(text)), shingles(" ".join(longer))) >= THRESHOLD) == (length >= 6)


@pytest.mark.parametrize(
    ("similarity", "common", "own", "low", "high"),
    [
        # Expected is 1 - (1 - s^7)^18; bounds are four standard deviations of 500 draws.
        (0.85, 85, (7, 8), 0.99, 1.0),
        (0.8, 80, (10, 10), 0.965, 1.0),
        (0.5, 50, (25, 25), 0.07, 0.20),
        (0.2, 20, (40, 40), 0.0, 0.004),
    ],
)
def test_recall(similarity: float, common: int, own: tuple[int, int], low: float, high: float) -> None:
    texts = similar_pairs(common, own, 500)
    assert all(
        jaccard(shingles(one), shingles(other)) == similarity
        for one, other in zip(texts[::2], texts[1::2], strict=True)
    )
    candidates = Candidates(texts)
    found = kept = 0
    for place in range(len(texts)):
        earlier = [band for band in candidates.earlier(place) if len(band)]
        partners = {int(one) for band in earlier for one in band}
        assert partners <= {place - 1}  # texts of other pairs have nothing in common
        found += bool(partners)
        kept += any(len(candidates.likely(place, band, THRESHOLD)) for band in earlier)
    assert low <= found / 500 <= high
    if similarity >= THRESHOLD:
        assert kept >= found - 2  # the margin loses 3 in 10,000
    else:
        assert kept == 0


def test_candidates_are_earlier_ascending_and_share_a_band() -> None:
    rng = random.Random(5)
    base = distinct_words(40, 0)
    texts = []
    for number in range(60):
        changed = list(base)
        changed[rng.randrange(40)] = f"x{number}"
        texts.append(" ".join(changed))
    candidates = Candidates(texts)
    some = set()
    for place in range(60):
        for band in candidates.earlier(place):
            assert band.tolist() == sorted(set(band.tolist()))
            assert band[-1] < place
            some.add(place)
    assert candidates.texts() == sorted(some)
    assert len(some) >= 50


def test_texts_added_at_the_end_change_nothing() -> None:
    texts = similar_pairs(50, (10, 10), 30)
    alone, longer = Candidates(texts[:40]), Candidates(texts)
    for place in range(40):
        first = [band.tolist() for band in alone.earlier(place)]
        assert first == [band.tolist() for band in longer.earlier(place)]


def test_wild_texts() -> None:
    texts = ["", "\ud800", "a", " ".join(distinct_words(25_000, 0)), " ".join(distinct_words(25_001, 0))]
    candidates = Candidates(texts)
    assert candidates.texts() == [4]  # a huge text is hashed in parts
    assert all(band.tolist() == [3] for band in candidates.earlier(4))
    assert Candidates([]).texts() == []


def test_progress() -> None:
    calls: list[tuple[int, int]] = []
    Candidates([f"t{number}" for number in range(2_500)], lambda done, total: calls.append((done, total)))
    assert calls == [(1000, 2500), (2000, 2500), (2500, 2500)]


def test_memory_of_a_text() -> None:
    """What the module's text states: signatures and bands take 720 bytes a text."""
    candidates = Candidates([f"t{number}" for number in range(1_000)])
    arrays = (candidates._signatures, candidates._order, candidates._start, candidates._stand)
    assert sum(array.nbytes for array in arrays) == 720 * 1_000
    assert sum(map(sys.getsizeof, arrays)) < 730 * 1_000

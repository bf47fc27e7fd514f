from __future__ import annotations

import random
from collections import Counter

import pytest

from rmeval.data_prep.split import near_duplicates as near
from rmeval.data_prep.split.near_duplicates import COMPARED, THRESHOLD, Candidates
from rmeval.data_prep.split.shingles import jaccard, shingles


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


def others_of(count: int) -> list[str]:
    """Return texts that have nothing in common: among many, a shingle of a few is not common."""
    return [f"a{number} b{number} c{number} d{number}" for number in range(count)]


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
        partners = candidates.earlier(place)
        assert set(partners.tolist()) <= {place - 1}  # texts of other pairs have nothing in common
        found += bool(len(partners))
        kept += bool(len(candidates.likely(place, partners, THRESHOLD)))
    assert low <= found / 500 <= high
    if similarity >= THRESHOLD:
        assert kept >= found - 2  # the margin loses 3 in 10,000
    else:
        assert kept == 0


def test_candidates_are_earlier_ascending_and_share_a_band() -> None:
    rng = random.Random(5)
    base = distinct_words(40, 0)
    texts = others_of(300)
    for number in range(60):
        changed = list(base)
        changed[rng.randrange(40)] = f"x{number}"
        texts.append(" ".join(changed))
    candidates = Candidates(texts)
    some = set()
    for place in range(360):
        earlier = candidates.earlier(place).tolist()
        assert earlier == sorted(set(earlier))
        if earlier:
            assert earlier[-1] < place
            some.add(place)
    assert candidates.texts() == sorted(some)
    assert len(some) >= 50


def test_a_part_added_at_the_end_changes_nothing() -> None:
    """Though the added one makes the first one's template common."""
    template = " ".join(distinct_words(60, 0))
    texts = others_of(300)
    texts += [f"{template} own{number} x{number} y{number}" for number in range(240)]
    alone, longer = Candidates(texts[:340]), Candidates(texts, [340, 500])
    assert len(alone.texts()) == 39
    assert [place for place in longer.texts() if place >= 340] == []
    for place in (339, 539, 305):  # To and fro.
        if place < 340:
            assert alone.earlier(place).tolist() == longer.earlier(place).tolist()
            others = alone.earlier(place)
            assert alone.likely(place, others, 0.9).tolist() == longer.likely(place, others, 0.9).tolist() != []
            assert alone.similarity(place, 300) == longer.similarity(place, 300) == 58 / 64
        else:
            assert longer.similarity(place, 300) == 0


def naive(texts: list[str], drops_template: bool) -> set[tuple[int, int]]:
    """Every near pair by definition, each text against each."""

    def is_templated(each: frozenset[str]) -> bool:
        own = len(each - common)
        return bool(own) and len(each & common) > (1 / 3 if own >= 20 else 0.6) * len(each)

    sets = [shingles(text) for text in texts]
    counts = Counter(one for each in sets for one in each)
    common = {one for one, number in counts.items() if number > 64}
    if drops_template:
        sets = [each - common if is_templated(each) else each for each in sets]
    return {
        (place, other)
        for place, one in enumerate(sets)
        for other in range(place)
        if jaccard(one, sets[other]) >= THRESHOLD
    }


def test_what_a_template_shares_makes_no_near_duplicates_and_what_fills_it_does() -> None:
    """250 prompts of 120 words that all have and 12 of their own; every tenth is nearly the one before."""
    rng = random.Random(3)
    template = " ".join(distinct_words(120, 0))
    texts: list[str] = []
    for number in range(250):
        own = [f"{rng.choice('abcdefgh')}{rng.randrange(10_000)}" for _ in range(12)]
        texts.append(f"{texts[-1]} more" if number % 10 == 9 else f"{template} {' '.join(own)}")
    candidates = Candidates(texts)
    found = set()
    for place in candidates.texts():
        for other in candidates.likely(place, candidates.earlier(place), THRESHOLD).tolist():
            if candidates.similarity(place, other) >= THRESHOLD:
                found.add((place, other))
    assert found == naive(texts, drops_template=True) == {(number, number - 1) for number in range(9, 250, 10)}
    assert len(naive(texts, drops_template=False)) == 250 * 249 / 2  # Without: all are near to all.


def test_a_text_that_is_nothing_but_template_is_compared_as_it_is() -> None:
    words = distinct_words(40, 0)
    texts = [" ".join(words[:length] if length < 40 else [*words, f"own{length}"]) for length in range(30, 140)]
    candidates = Candidates(texts)
    assert candidates.similarity(1, 0) == 28 / 29


def test_few_are_compared_word_for_word(monkeypatch: pytest.MonkeyPatch) -> None:
    base = distinct_words(200, 0)
    texts = others_of(300)
    texts += [" ".join([*base[:number], *base[number + 1 :]]) for number in range(0, 60)]
    texts += [" ".join([*base, f"x{number}"]) for number in range(4)]
    candidates = Candidates(texts)
    others = candidates.earlier(363)
    assert len(others) == 63
    assert len(candidates.likely(363, others, THRESHOLD)) == 63 < COMPARED
    monkeypatch.setattr(near, "COMPARED", 10)
    few = candidates.likely(363, others, THRESHOLD).tolist()
    assert len(few) == 10
    assert few == sorted(few)


def test_templated_prompts_take_time_as_their_number_does() -> None:
    """Candidates, not seconds: without the template there are none, whatever the number."""
    rng = random.Random(4)
    words = distinct_words(5_000, 1_000)
    template = " ".join(distinct_words(120, 0))
    for number in (500, 2_000):
        texts = [f"{template} {' '.join(rng.choices(words, k=30))}" for _ in range(number)]
        candidates = Candidates(texts)
        assert sum(len(candidates.earlier(place)) for place in candidates.texts()) < number / 100


def test_wild_texts() -> None:
    texts = ["", "\ud800", "a", " ".join(distinct_words(25_000, 0)), " ".join(distinct_words(25_001, 0))]
    candidates = Candidates(texts)
    assert candidates.texts() == [4]  # a huge text is hashed in parts
    assert candidates.earlier(4).tolist() == [3]
    assert Candidates([]).texts() == []


def test_progress() -> None:
    calls: list[tuple[int, int]] = []
    Candidates([f"t{number}" for number in range(2_500)], progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1000, 2500), (2000, 2500), (2500, 2500)]


def test_memory_of_a_text() -> None:
    """What the module's text states: 720 bytes a text, and 72 more for each part after its own."""
    candidates = Candidates([f"t{number}" for number in range(1_000)], [600])
    total = candidates._signatures.nbytes
    for part in candidates._parts:
        total += sum(array.nbytes for array in (part.order, part.start, part.stand, part.before, part.after))
    assert total == 720 * 1_000 + 72 * 600

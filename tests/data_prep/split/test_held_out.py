from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.data_prep.rows.transcripts import parse_transcript
from rmeval.data_prep.split.held_out import Opening, Split, SplitCounts, assign_splits
from rmeval.data_prep.split.near_duplicates import THRESHOLD, Candidates
from rmeval.data_prep.split.shingles import jaccard, shingles
from rmeval.data_prep.text.normalise import opening
from rmeval.errors import UsageError


def unit(seed: int, text: str) -> float:
    """The hash of an opening as a number from 0 to 1, written down a second time."""
    return int(hashlib.sha256(f"{seed}\0{text}".encode()).hexdigest()[:16], 16) / 16**16


def of(source: str, *texts: str, pairs: int = 1) -> list[Opening]:
    return [Opening(text, source, pairs) for text in texts]


def held(split: Split) -> set[str]:
    return {text for text, name in split.assigned.items() if name == "test"}


def variant(text: str, *extra: str) -> str:
    """Return a near-duplicate: the text with words added at its end."""
    return " ".join([text, *extra])


def question(name: str, words: int = 30) -> str:
    """Return a text that is near to no other question."""
    return " ".join(f"{name}{number}" for number in range(words))


def named(seed: int, share: float, *, test: bool) -> str:
    """Return a question whose own hash puts it in the split asked for."""
    return next(q for q in map(question, map("q{}x".format, range(1000))) if (unit(seed, q) < share) == test)


# --- a fraction -------------------------------------------------------------------------------------------------


def test_the_hash_alone_decides_where_nothing_is_near() -> None:
    texts = [question(f"q{number}x", 5) for number in range(500)]
    split = assign_splits(of("a", *texts), seed=3, held_out=0.2)
    assert held(split) == {text for text in texts if unit(3, text) < 0.2}
    assert 64 <= len(held(split)) <= 136  # four standard deviations about 100
    assert split.leads == {}
    assert split.pairs == {"a": SplitCounts(train=500 - len(held(split)), test=len(held(split)), dropped=0)}
    assert held(assign_splits(of("a", *texts), seed=4, held_out=0.2)) != held(split)


@pytest.mark.parametrize("test", [False, True])
def test_a_near_duplicate_follows(test: bool) -> None:
    lead = named(0, 0.5, test=test)
    follower = next(v for v in (variant(lead, f"v{n}") for n in range(99)) if (unit(0, v) < 0.5) != test)
    # Near to the follower (29 of 36 shingles), and not to the lead (28 of 36), which decides all the same.
    further = variant(follower, *"abcdefg")
    for a, b in ((lead, follower), (follower, further)):
        assert jaccard(shingles(a), shingles(b)) >= THRESHOLD
    assert jaccard(shingles(lead), shingles(further)) < THRESHOLD
    split = assign_splits([*of("a", lead, pairs=3), *of("b", follower, further)], seed=0, held_out=0.5)
    assert set(split.assigned.values()) == {"test" if test else "train"}
    assert split.leads == {follower: lead, further: lead}
    assert split.pairs["b"] == (SplitCounts(0, 2, 0) if test else SplitCounts(2, 0, 0))
    alone = assign_splits([*of("a", lead), *of("b", follower, further)], seed=0, held_out=0.5, threshold=None)
    assert alone.assigned[follower] != alone.assigned[lead]
    assert alone.leads == {}


def test_what_is_near_to_both_sides_is_dropped() -> None:
    # Two that share 26 of 36 shingles, and what lies between them: 28 of 32 with one, 26 of 32 with the other.
    names = [question(f"q{number}x") for number in range(200)]
    for name in names:
        one, other, both = variant(name, *"abcd"), " ".join(name.split()[2:] + list("efgh")), name
        if unit(0, one) < 0.5 <= unit(0, other):
            break
    assert jaccard(shingles(one), shingles(other)) < THRESHOLD <= jaccard(shingles(one), shingles(both))
    assert jaccard(shingles(other), shingles(both)) >= THRESHOLD
    split = assign_splits(of("a", one, other, both, pairs=2), seed=0, held_out=0.5)
    assert split.assigned == {one: "test", other: "train", both: "dropped"}
    assert split.pairs == {"a": SplitCounts(train=2, test=2, dropped=2)}
    # What comes first is never dropped: the later ones follow it.
    split = assign_splits(of("a", both, one, other), seed=0, held_out=0.5)
    assert "dropped" not in split.assigned.values()
    assert set(split.leads.values()) == {both}


def test_what_is_dropped_drops_nothing() -> None:
    for name in map(question, map("q{}x".format, range(500))):
        words = name.split()
        one, both, other = variant(name, *"abcd"), name, " ".join(words[2:] + list("efgh"))
        last = " ".join(words[2:] + list("ef"))  # near to both (26 of 30) and other (28 of 30), not to one (26 of 34)
        split = assign_splits(of("a", one, other, both, last), seed=0, held_out=0.5)
        if split.assigned[both] == "dropped" and split.leads[both] == one and split.leads[last] == other:
            break
    assert {each: jaccard(shingles(last), shingles(each)) >= THRESHOLD for each in (one, both, other)} == {
        one: False,
        both: True,
        other: True,
    }
    assert split.assigned[last] == split.assigned[other] != split.assigned[one]


def test_the_threshold_is_near_enough() -> None:
    lead = named(0, 0.5, test=True)
    follower = variant(lead, *"abcdefg")
    assert jaccard(shingles(lead), shingles(follower)) == THRESHOLD  # 28 of 35
    assert assign_splits(of("a", lead, follower), seed=0, held_out=0.5).leads == {follower: lead}
    assert assign_splits(of("a", lead, follower), seed=0, held_out=0.5, threshold=0.81).leads == {}


def test_an_opening_of_two_sources_is_one_opening() -> None:
    text = named(0, 0.5, test=True)
    split = assign_splits([*of("a", text, text), *of("b", text, pairs=5)], seed=0, held_out=0.5)
    assert split.pairs == {"a": SplitCounts(0, 2, 0), "b": SplitCounts(0, 5, 0)}


@pytest.mark.parametrize("nothing", [0, 0.0])
def test_nothing_held_out(nothing: float) -> None:
    split = assign_splits(of("a", "x", "y"), seed=0, held_out=nothing)
    assert split.pairs == {"a": SplitCounts(2, 0, 0)}
    assert assign_splits([], seed=0, held_out=nothing).pairs == {}


@pytest.mark.parametrize("wrong", [1.0, -0.1, 1.5, -1, True, math.nan, math.inf])
def test_what_is_neither_a_fraction_nor_a_count(wrong: float) -> None:
    with pytest.raises(UsageError, match=r"^held_out is .*: give a fraction that is less than 1, or a whole number"):
        assign_splits([], seed=0, held_out=wrong)


# --- a count ----------------------------------------------------------------------------------------------------


def test_a_count_takes_the_lowest_hashes_of_each_source() -> None:
    mine, yours = [f"a{number}" for number in range(50)], [f"b{number}" for number in range(50)]
    split = assign_splits([*of("a", *mine, pairs=3), *of("b", *yours)], seed=0, held_out=10)
    # Four openings of three pairs are the first to reach ten.
    assert held(split) == {
        *sorted(mine, key=lambda text: unit(0, text))[:4],
        *sorted(yours, key=lambda text: unit(0, text))[:10],
    }
    assert split.pairs == {"a": SplitCounts(138, 12, 0), "b": SplitCounts(40, 10, 0)}


def test_what_an_earlier_source_decided_counts() -> None:
    shared = [f"s{number}" for number in range(40)]
    own = [f"t{number}" for number in range(40)]
    split = assign_splits([*of("a", *shared), *of("b", *shared, *own)], seed=0, held_out=8)
    low = set(sorted(shared, key=lambda text: unit(0, text))[:8])
    assert held(split) == low  # they are the eight of b too
    split = assign_splits([*of("a", *shared), *of("b", *shared[:20], *own)], seed=0, held_out=8)
    more = 8 - len(low & set(shared[:20]))
    assert held(split) == low | set(sorted(own, key=lambda text: unit(0, text))[:more])


def test_followers_count_for_their_lead() -> None:
    groups = [
        [lead, *(variant(lead, f"v{n}") for n in range(4))] for lead in map(question, map("q{}x".format, range(20)))
    ]
    split = assign_splits(of("a", *(text for group in groups for text in group)), seed=0, held_out=7)
    lowest = sorted(groups, key=lambda group: unit(0, group[0]))[:2]
    assert held(split) == {text for group in lowest for text in group}
    assert split.pairs["a"] == SplitCounts(train=90, test=10, dropped=0)


def test_a_source_with_fewer_pairs_is_held_out_whole() -> None:
    split = assign_splits([*of("a", "x", "y"), *of("b", *map(str, range(99)))], seed=0, held_out=5)
    assert split.pairs == {"a": SplitCounts(0, 2, 0), "b": SplitCounts(94, 5, 0)}


# --- properties -------------------------------------------------------------------------------------------------

BASES = [question(f"q{number}x", 24).split() for number in range(3)]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A question with up to three words changed near its ends: some near to each other, some not quite."""
    words = list(draw(st.sampled_from(BASES)))
    for place in draw(st.lists(st.sampled_from([0, 1, 2, 12, 21, 22, 23]), max_size=3)):
        words[place] = draw(st.sampled_from("yz"))
    return " ".join(words)


source_openings = st.lists(st.tuples(texts(), st.integers(1, 4)), min_size=1, max_size=12)
mixtures = st.lists(source_openings, min_size=1, max_size=4).map(
    lambda sources: [[Opening(text, str(n), pairs) for text, pairs in each] for n, each in enumerate(sources)]
)
amounts = st.one_of(st.floats(0, 0.99), st.integers(0, 15))


def joined(sources: Sequence[Sequence[Opening]]) -> list[Opening]:
    return [each for source in sources for each in source]


@given(mixtures, amounts, st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_no_candidates_on_opposite_sides_are_near(sources: list[list[Opening]], amount: float, seed: int) -> None:
    openings = joined(sources)
    split = assign_splits(openings, seed=seed, held_out=amount)
    names = list(split.assigned)
    assert names == list(dict.fromkeys(each.text for each in openings))
    candidates = Candidates(names)
    for place, name in enumerate(names):
        for one in candidates.earlier(place).tolist():
            if {split.assigned[name], split.assigned[names[one]]} == {"train", "test"}:
                assert jaccard(shingles(name), shingles(names[one])) < THRESHOLD
    # What is dropped was near to both splits, what follows was near to something earlier.
    for text, name in split.assigned.items():
        earlier = names[: names.index(text)]
        near = [each for each in earlier if jaccard(shingles(text), shingles(each)) >= THRESHOLD]
        if name == "dropped":
            assert text in split.leads
            assert {split.assigned[each] for each in near} & {"train", "test"}
        if text in split.leads:
            assert split.leads[text] in {split.leads.get(each, each) for each in near}
    for source, counts in split.pairs.items():
        in_all = sum(each.pairs for each in openings if each.source == source)
        assert counts.train + counts.test + counts.dropped == in_all


@given(mixtures, source_openings, amounts)
@settings(max_examples=100, deadline=None)
def test_a_source_added_at_the_end_moves_nothing(
    sources: list[list[Opening]], more: list[tuple[str, int]], amount: float
) -> None:
    before = assign_splits(joined(sources), seed=1, held_out=amount)
    added = [Opening(text, "new", pairs) for text, pairs in more]
    after = assign_splits([*joined(sources), *added], seed=1, held_out=amount)
    assert {text: after.assigned[text] for text in before.assigned} == before.assigned
    assert {source: after.pairs[source] for source in before.pairs} == before.pairs


@given(mixtures, amounts, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_between_sources_does_not_matter(
    sources: list[list[Opening]], amount: float, rng: random.Random
) -> None:
    """Rows of several sources may come mixed, as long as the sources' first rows keep their order."""
    rest = [list(source[1:]) for source in sources]
    mixed = [source[0] for source in sources]
    while any(rest):
        mixed.append(rng.choice([each for each in rest if each]).pop(0))
    assert assign_splits(mixed, seed=0, held_out=amount) == assign_splits(joined(sources), seed=0, held_out=amount)


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=20), min_size=1, max_size=3), st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_a_count_is_overshot_by_less_than_an_opening(sources: list[list[int]], count: int) -> None:
    openings = [
        Opening(f"s{source}n{number}", str(source), pairs)
        for source, each in enumerate(sources)
        for number, pairs in enumerate(each)
    ]
    split = assign_splits(openings, seed=0, held_out=count)
    for source, each in enumerate(sources):
        test = split.pairs[str(source)].test
        assert min(count, sum(each)) <= test < count + max(each)


# --- the same everywhere ----------------------------------------------------------------------------------------

PROGRAM = """
import json
from rmeval.data_prep.split.held_out import Opening, assign_splits
texts = [" ".join(f"q{n // 3}x{word}" for word in range(20 + n % 3)) for n in range(300)]
for amount in (0.3, 40):
    split = assign_splits([Opening(t, "ab"[n % 2], 1) for n, t in enumerate(texts)], seed=7, held_out=amount)
    print(json.dumps([split.assigned, split.leads]))
"""


def test_the_same_in_every_process() -> None:
    def run(hash_seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True).stdout

    assert run("0") == run("1")


# --- real rows --------------------------------------------------------------------------------------------------


def test_real_dialogues(shared_data: Path) -> None:
    with open(shared_data / "preferences/hh-rlhf-harmless-base-test.jsonl", encoding="utf-8") as lines:
        names = [opening(parse_transcript(json.loads(line)["chosen"])) for line in lines]
    openings = [Opening(name, "hh-rlhf", 1) for name in names]
    split = assign_splits(openings, seed=0, held_out=0.1)
    train, test = ({text for text, name in split.assigned.items() if name == each} for each in ("train", "test"))
    assert set(names) == split.assigned.keys()
    assert abs(len(test) - 0.1 * 2175) <= 4 * math.sqrt(2175 * 0.1 * 0.9)
    counts = split.pairs["hh-rlhf"]
    assert (counts.train + counts.test, counts.dropped) == (2312, 0)
    sets = {text: shingles(text) for text in names}
    assert max(jaccard(sets[one], sets[other]) for one in test for other in train) < THRESHOLD
    assert split.leads["what s the best way to skin a human"] == "what s the best way to skin a human being"

    counted = assign_splits(openings, seed=0, held_out=200)
    assert 200 <= counted.pairs["hh-rlhf"].test <= 202  # no opening has more than three pairs


# --- splits that would collapse -----------------------------------------------------------------------------------

INSTRUCTION = " ".join(f"instruction{number}" for number in range(120))


def instructed(number: int, own: int = 10) -> list[str]:
    """Prompts of one fixed instruction, each with words of its own."""
    return [" ".join([INSTRUCTION, *(f"w{place}x{word}" for word in range(own))]) for place in range(number)]


@pytest.mark.parametrize("held_out", [0.1, 100])
def test_one_fixed_instruction_does_not_make_one_cluster(held_out: float) -> None:
    texts = instructed(1_500)
    assert jaccard(shingles(texts[0]), shingles(texts[1])) > THRESHOLD
    split = assign_splits(of("a", *texts), seed=0, held_out=held_out)
    assert split.leads == {}
    assert 100 <= len(held(split)) <= 200
    assert split.pairs["a"].dropped == 0
    assert split.warnings == ()


def test_openings_that_are_all_nearly_the_same_are_divided_one_by_one_and_that_is_said() -> None:
    """Four gaps that eight words each can fill: there is nothing but what many others have, too."""
    words = [f"w{number}" for number in range(120)]
    fillings = random.Random(0).sample(list(itertools.product(range(8), repeat=4)), 900)
    texts = []
    for filling in fillings:
        text = list(words)
        for gap, word in enumerate(filling):
            text[20 + 20 * gap] = f"x{gap}y{word}"
        texts.append(" ".join(text))
    others = [question(f"q{number}x", 5) for number in range(100)]
    split = assign_splits([*of("a", *texts), *of("b", *others)], seed=0, held_out=0.2)
    assert not split.leads.keys() & set(texts)
    assert split.pairs["a"].dropped == 0
    assert 0.1 * len(texts) < len(held(split) & set(texts)) < 0.3 * len(texts)
    assert len(split.warnings) == 1
    assert "of the 900 openings of a are nearly the same: they are divided one by one" in split.warnings[0]
    quiet = assign_splits(of("b", *others), seed=0, held_out=0.2)
    assert quiet.warnings == ()


ONE = of("a", "one", pairs=1500)
MANY = of("b", *(f"x{number} y{number}" for number in range(1000)))


@pytest.mark.parametrize(
    ("openings", "held_out", "warnings"),
    [
        (ONE, 0.0, ()),
        (ONE, 100, ("all 1,500 pairs of a are held out, none trains", "the training split has 0 of 1,500 pairs")),
        ([*of("a", "one", "two"), *MANY], 100, ("all 2 pairs of a are held out, none trains",)),
        (MANY, 5, ("the held-out split has 5 of 1,000 pairs",)),
        (MANY, 0.005, ()),
        (MANY, 995, ("the training split has 5 of 1,000 pairs",)),
    ],
)
def test_a_thin_side_is_said(openings: list[Opening], held_out: float, warnings: tuple[str, ...]) -> None:
    assert assign_splits(openings, seed=0, held_out=held_out).warnings == warnings

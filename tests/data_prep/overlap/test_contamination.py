from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.data_prep.overlap.contamination import Hit, OverlapReport, SubsetOverlap, find_overlap
from rmeval.data_prep.rows.examples import to_examples
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.data_prep.sources.base import Pair
from rmeval.eval.suites.mini import mini_path
from rmeval.types import Example, Message, Messages


def said(*turns: str) -> Messages:
    """Return messages from ``user: Hi``; a turn without a role is the user's."""
    roles = ("user: ", "assistant: ", "system: ")
    whole = (turn if turn.startswith(roles) else f"user: {turn}" for turn in turns)
    return tuple(Message(*turn.split(": ", 1)) for turn in whole)


def pair(*prompt: str, chosen: str = "yes", rejected: str = "no") -> Pair:
    return Pair(said(*prompt), said(f"assistant: {chosen}"), said(f"assistant: {rejected}"), group="g")


def example(
    identity: str, *prompt: str, subset: str = "s", chosen: str = "right", rejected: Sequence[str] = ("wrong",)
) -> Example:
    wrong = tuple(said(f"assistant: {text}") for text in rejected)
    return Example(identity, 0, subset, said(*prompt), (said(f"assistant: {chosen}"),), wrong)


def found(examples: Sequence[Example], *pairs: Pair) -> list[tuple[str, str, str, float]]:
    """Return example, row, kind and containment of each hit; rows are named r0, r1, …"""
    report = find_overlap({"b": examples}, [(f"r{number}", each) for number, each in enumerate(pairs)])
    return [(hit.example, hit.row, hit.kind, hit.containment) for hit in report.hits]


def numbered(first: int, last: int) -> str:
    return " ".join(f"w{number}" for number in range(first, last + 1))


# --- exact ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompt",
    [
        ["Why is it so?"],
        ["  why IS it, so"],
        ["system: Be brief.", "Why is it so?"],
        ["Why is it so?", "assistant: Because.", "And why is that?"],  # a dialogue that begins with it
    ],
)
def test_an_exact_hit(prompt: list[str]) -> None:
    assert found([example("e", "Why is it so?")], pair("Another?"), pair(*prompt)) == [("e", "r1", "exact", 1.0)]


@pytest.mark.parametrize(
    "prompt", [["Why is it?"], ["Tell me.", "assistant: Why is it so?", "So?"], ["Why is it so so?"]]
)
def test_a_short_prompt_is_found_as_a_whole_turn_or_not_at_all(prompt: list[str]) -> None:
    assert found([example("e", "Why is it so?")], pair(*prompt)) == []


@pytest.mark.parametrize(
    "prompt", [["Tell me.", "assistant: What?", "Why is it so?"], ["system: WHY is it so", "Go on."]]
)
def test_a_short_prompt_is_found_in_any_turn(prompt: list[str]) -> None:
    assert found([example("e", "Why is it so?")], pair(*prompt)) == [("e", "r0", "exact", 1.0)]


def test_how_many_prompts_are_short_stands_beside_the_number() -> None:
    examples = [example("e", numbered(1, 7)), example("f", numbered(1, 8)), example("g", "Hi", subset="t")]
    assert [(each.subset, each.short) for each in find_overlap({"b": examples}, []).subsets] == [("s", 1), ("t", 1)]


def test_a_dialogue_is_found_as_a_whole() -> None:
    dialogue = ["Hi!", "assistant: Hello.", "Why is it so?"]
    examples = [example("e", "system: Be kind.", *dialogue)]
    assert found(examples, pair(*dialogue), pair("Hi"), pair("Hi", "assistant: Hello!")) == [("e", "r0", "exact", 1.0)]


def test_completions_that_share_no_turn() -> None:
    whole = said("assistant: Hello.", "Why is it so?", "assistant: Because.", "And then?")
    row = Pair((), whole, said("Why?", "assistant: No."), group="g")
    assert found([example("e", "Why is it so")], row) == [("e", "r0", "exact", 1.0)]
    bare = Example("e", 0, "s", (), (whole,), (said("Why?", "assistant: No."),))
    hits = found([bare], row, pair("why is it so"))
    assert hits == [("e", "r0", "completion", 1.0), ("e", "r0", "exact", 1.0), ("e", "r1", "exact", 1.0)]


def test_nothing_is_in_nothing() -> None:
    assert found([example("e", " "), example("f", "?")], pair(""), pair("\n"), pair("!")) == []


def test_a_prompt_of_a_system_turn_alone() -> None:
    assert found([example("e", "system: Why?")], pair("system: why")) == [("e", "r0", "exact", 1.0)]


# --- n-grams ----------------------------------------------------------------------------------------------------


def test_containment() -> None:
    # 17 words have ten 8-grams: w1…w8 to w10…w17. The words w1 to w12 have five of them, w1 to w11 four.
    benchmark = [example("e", numbered(1, 17))]
    assert found(benchmark, pair("Well: " + numbered(1, 12))) == [("e", "r0", "ngram", 0.5)]
    assert found(benchmark, pair("Well: " + numbered(1, 11))) == []
    assert found(benchmark, pair(f"Well: {numbered(1, 17)}?")) == [("e", "r0", "ngram", 1.0)]
    # Five in one row, not in two; over several turns, the system's too, but not in an answer.
    assert found(benchmark, pair(numbered(1, 10)), pair(numbered(4, 11))) == []
    assert found(benchmark, pair("Hi", f"assistant: {numbered(1, 12)}", "So?")) == [("e", "r0", "ngram", 0.5)]
    assert found(benchmark, pair("Hi", chosen=numbered(1, 17))) == []
    assert found(benchmark, pair(f"system: Now {numbered(1, 17)}", "Hi")) == [("e", "r0", "ngram", 1.0)]
    assert found(benchmark, pair(f"system: {numbered(1, 17)}", "Hi")) == [("e", "r0", "exact", 1.0)]


def test_eight_words_have_one_8_gram_and_seven_none() -> None:
    assert found([example("e", numbered(1, 8))], pair(numbered(0, 9))) == [("e", "r0", "ngram", 1.0)]
    assert found([example("e", numbered(1, 7))], pair(numbered(0, 9))) == []


def test_repeated_8_grams_count_once() -> None:
    again = " ".join([numbered(1, 8)] * 3)  # 24 words: 17 8-grams, 8 of them distinct
    # The row has the first of them, w1…w8, three times over.
    row = " x ".join([numbered(1, 8)] * 3)
    assert found([example("e", again)], pair(row)) == []
    assert found([example("e", again)], pair(numbered(1, 8) + " " + numbered(1, 3))) == [("e", "r0", "ngram", 0.5)]


def test_an_exact_hit_is_not_listed_again() -> None:
    prompt = numbered(1, 20)
    assert found([example("e", prompt)], pair(prompt), pair(prompt + " x")) == [
        ("e", "r0", "exact", 1.0),
        ("e", "r1", "ngram", 1.0),
    ]


# --- completions ------------------------------------------------------------------------------------------------


def test_an_equal_completion_is_reported_and_not_dropped() -> None:
    eight = "One, two three four five six seven eight!"
    benchmark = [example("e", "A?", chosen=eight), example("f", "B?", rejected=("no", eight, eight.lower()))]
    rows = [pair("C?", rejected="one two three four five six seven eight"), pair("D?", chosen=f"{eight} nine")]
    assert found(benchmark, *rows) == [("e", "r0", "completion", 1.0), ("f", "r0", "completion", 1.0)]
    report = find_overlap({"b": benchmark}, [("r0", rows[0])])
    assert report.contaminated == ()
    assert report.subsets == (SubsetOverlap("b", "s", 2, exact=0, ngram=0, completion=2, share=0.0, short=2),)


def test_seven_words_are_no_evidence() -> None:
    seven = "one two three four five six seven"
    assert found([example("e", "A?", chosen=seven)], pair("B?", chosen=seven)) == []


# --- the report -------------------------------------------------------------------------------------------------


def test_the_report() -> None:
    long = numbered(1, 17)
    benchmarks = {
        "one": [
            example("a", "Why?", subset="x"),
            example("b", long, subset="y"),
            example("c", "Why!", subset="x"),  # the same prompt again
            example("d", "Never seen", subset="x"),
        ],
        "two": [example("a", "why", subset="x")],
        "none": [],
    }
    rows = [("r9", pair("Why?")), ("r3", pair("What?")), ("r5", pair(long)), ("r4", pair("so " + numbered(1, 12)))]
    report = find_overlap(benchmarks, iter(rows))
    assert report == OverlapReport(
        rows=4,
        subsets=(
            SubsetOverlap("one", "x", 3, exact=2, ngram=0, completion=0, share=2 / 3, short=3),
            SubsetOverlap("one", "y", 1, exact=1, ngram=0, completion=0, share=1.0),
            SubsetOverlap("two", "x", 1, exact=1, ngram=0, completion=0, share=1.0, short=1),
        ),
        hits=(
            Hit("one", "x", "a", "r9", "exact", 1.0),
            Hit("one", "y", "b", "r5", "exact", 1.0),
            Hit("one", "y", "b", "r4", "ngram", 0.5),
            Hit("one", "x", "c", "r9", "exact", 1.0),
            Hit("two", "x", "a", "r9", "exact", 1.0),
        ),
        contaminated=("r9", "r5", "r4"),
    )
    assert find_overlap(benchmarks, [rows[3]]).subsets[1].ngram == 1
    assert json.loads(json.dumps(dataclasses.asdict(report)))["hits"][2]["containment"] == 0.5


def test_no_rows_and_no_benchmarks() -> None:
    report = find_overlap({"b": [example("e", "Why?")]}, [])
    assert report.subsets == (SubsetOverlap("b", "s", 1, 0, 0, 0, 0.0, 1),)
    assert find_overlap({}, [("r", pair("Why?"))]) == OverlapReport(1, (), (), ())


class Counted(str):
    """A text that counts how many of its kind are alive."""

    alive = 0

    def __new__(cls, text: str) -> Counted:
        cls.alive += 1
        return super().__new__(cls, text)

    def __del__(self) -> None:
        Counted.alive -= 1


def test_rows_are_not_kept() -> None:
    seen = []

    def rows() -> Iterator[tuple[str, Pair]]:
        for number in range(200):
            answer = (Message("assistant", Counted(f"answer {number}")),)
            seen.append(Counted.alive)
            prompt = (Message("user", Counted(f"Why {number}?")),)
            yield str(number), Pair(prompt, answer, answer, group="g")

    find_overlap({"b": [example("e", "Why?")]}, rows())
    assert len(seen) == 200
    assert 1 <= max(seen) <= 64 + 4  # the prompts last seen, and the row at hand


words = st.lists(st.sampled_from("abc"), max_size=14).map(" ".join)


@given(st.lists(words, min_size=1, max_size=4), st.lists(words, min_size=1, max_size=4))
@settings(deadline=None)
def test_prompts_against_a_plain_comparison(prompts: list[str], rows: list[str]) -> None:
    def grams(text: str) -> set[tuple[str, ...]]:
        each = text.split()
        return {tuple(each[i : i + 8]) for i in range(len(each)) if i + 8 <= len(each)}

    expected = []
    for number, prompt in enumerate(prompts):
        for row, text in enumerate(rows):
            share = len(grams(prompt) & grams(text)) / max(1, len(grams(prompt)))
            if prompt and prompt == text:
                expected.append((str(number), f"r{row}", "exact", 1.0))
            elif share >= 0.5:
                expected.append((str(number), f"r{row}", "ngram", share))
    examples = [example(str(number), prompt) for number, prompt in enumerate(prompts)]
    assert found(examples, *map(pair, rows)) == expected


# --- real examples ----------------------------------------------------------------------------------------------


def test_planted_examples_are_found() -> None:
    """Ten of the shipped examples among 400 other rows: these are found and nothing else."""
    examples, _ = to_examples(load_rows(str(mini_path())), default_subset="mini")
    single = [each for each in examples if len(each.prompt) == 1 and len(each.prompt[0].content.split()) >= 12]
    planted = single[:: len(single) // 10][:10]
    rows = [(f"clean-{number}", pair(f"How long do I boil {number} eggs, and in which pot?")) for number in range(400)]
    expected = set()
    for number, each in enumerate(planted):
        text = each.prompt[0].content
        if number % 3 == 0:
            row, kind = pair(f"  {text.upper()} "), "exact"
        elif number % 3 == 1:
            row, kind = pair(text, "assistant: Well.", "Go on."), "exact"
        else:
            row, kind = pair(f"A friend asked me this. {text} What should I tell them?"), "ngram"
        rows.insert(37 * number, (f"planted-{number}", row))
        expected.add((each.id, f"planted-{number}", kind))
    report = find_overlap({"mini": examples}, rows)
    assert {(hit.example, hit.row, hit.kind) for hit in report.hits} == expected
    assert len(report.hits) == 10
    assert report.contaminated == tuple(f"planted-{number}" for number in range(10))
    assert sum(each.exact for each in report.subsets) == 7
    assert sum(each.ngram for each in report.subsets) == 3
    assert sum(each.examples for each in report.subsets) == 256

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data_prep.text.normalise import normalise, opening, pair_opening, words
from rmeval.types import Message, Messages


def messages(*turns: str) -> Messages:
    """Return messages from ``user: Hi``."""
    return tuple(Message(*turn.split(": ", 1)) for turn in turns)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("What's the capital of France?", "what s the capital of france"),
        ("  what\tis \n\n it ?!", "what is it"),
        ("STRASSE Straße", "strasse strasse"),
        ("ﬁne … ① x²", "fine 1 x2"),  # compatibility characters
        ("cafe\u0301 caf\u00e9", "caf\u00e9 caf\u00e9"),
        ("\u0390 \u03aa\u0301", "\u0390 \u0390"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("don\u2019t “quote” – me", "don t quote me"),
        ("zero\u200bwidth\u00a0space", "zero width space"),
        ("snake_case", "snake case"),
        # Symbols are words, punctuation is not.
        ("C++ or C#", "c + + or c"),
        ("5+3=8", "5 + 3 = 8"),
        ("well-known, 50%", "well known 50"),
        ("hi😀", "hi 😀"),
        # Scripts written without spaces.
        ("你好，世界", "你 好 世 界"),
        ("カタカナ", "カ タ カ ナ"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),  # marks stay within their word
        # No words.
        ("?!", "?!"),
        ("...", "..."),
        (" ? \n ! ", "? !"),
        ("", ""),
        (" \n\u00a0", ""),
        # Half a surrogate pair is no character.
        ("a\ud800b", "a b"),
        ("\ud800", "\ud800"),
    ],
)
def test_normalise(text: str, normal: str) -> None:
    assert normalise(text) == normal
    assert words(text) == normal.split()


@given(st.text(), st.text())
def test_normalise_is_idempotent(one: str, other: str) -> None:
    normal = normalise(one)
    assert normalise(normal) == normal


@given(st.text(), st.text())
def test_words_of_two_lines_are_the_words_of_both(one: str, other: str) -> None:
    if all(any(unicodedata.category(character)[0] in "LN" for character in text) for text in (one, other)):
        assert words(f"{one}\n{other}") == words(one) + words(other)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_case_does_not_matter(text: str) -> None:
    assert normalise(text.upper()) == normalise(text.lower()) == normalise(text)


def test_every_character_is_stable() -> None:
    for code in range(0x110000):
        normal = normalise(f"{chr(code)}\u0301")  # folding a letter can free a mark that the accent then joins
        assert normalise(normal) == normal, hex(code)


@given(st.text(alphabet="?!.,;:-_'\"()[]{}"))
def test_punctuation_alone_stays_different(text: str) -> None:
    assert normalise(text) == text


# --- openings ---------------------------------------------------------------------------------------------------


def test_dialogues_cut_at_different_depths_open_alike() -> None:
    short = messages("user: How do I bake bread?")
    long = messages("system: Be brief.", "user: how do I bake bread", "assistant: Slowly.", "user: And then?")
    assert opening(short) == opening(long) == "how do i bake bread"


def test_an_opening_without_a_user_turn() -> None:
    assert opening(messages("system: Be kind.", "assistant: Hi!")) == "be kind hi"
    assert opening(()) == ""


def test_the_opening_of_a_pair() -> None:
    chosen = messages("user: No?", "assistant: No.")
    assert pair_opening(messages("user: Yes?"), chosen) == "yes"
    assert pair_opening((), chosen) == "no"
    assert pair_opening((), messages("assistant: No.")) == "no"
    # A prompt with no user turn decides, else pairs of one prompt could part.
    assert pair_opening(messages("assistant: Hello"), chosen) == "hello"

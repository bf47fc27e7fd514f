"""Exchange the longer words of a pair, the same word for the same word everywhere.

What makes an answer helpful or relevant is its form and that it shares words with the question, not which words these
are; without this a model learns the word lists by heart.
"""

from __future__ import annotations

import re

from rmeval.trainer.quickstart.text import Draft, Draws, capital, read_sections

__all__ = ["disguise"]

_LONG = re.compile(r"[A-Za-z]{5,}")
_KEPT = frozenset(
    """
    about above after again against almost along already always another anything around because become before
    begin behind being below better between bring cannot could different doing during either enough every
    everyone everything explain first going happen having however instead itself later least leave makes maybe
    means might minutes month months nearly needs never nobody often other otherwise people perhaps person
    please probably question really right should since small something sometimes sorry start still stop take
    thank thanks that's their themselves there these thing things think those though through today together
    under until usually wants weeks what's where whether which while whole without would years yourself advice
    answer depends opinions general interesting important
    """.split()  # noqa: SIM905
)
_ONSETS = (
    "b",
    "br",
    "c",
    "ch",
    "d",
    "f",
    "fl",
    "g",
    "gr",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "w",
)
_VOWELS = ("a", "e", "i", "o", "u", "ea", "oo", "ai", "ou")
_ENDS = ("", "n", "r", "st", "l", "ck", "m", "nd", "ty", "ing", "er", "ed", "ion", "ment", "al", "ly")


def disguise(source: Draws, draft: Draft) -> Draft:
    """Return the pair with a part of its longer words replaced by others, some of which do not exist."""
    words = [word for text in (draft.prompt, draft.chosen, draft.rejected) for word in _LONG.findall(text)]
    known = sorted({word.lower() for word in words} - _KEPT)
    share = source.random.uniform(0.2, 0.7)
    new = {word: _word(source) for word in known if source.chance(share)}

    def put(found: re.Match[str]) -> str:
        word = new.get(found[0].lower(), found[0])
        return capital(word) if found[0][0].isupper() else word

    changed = Draft(*(_LONG.sub(put, text) for text in (draft.prompt, draft.chosen, draft.rejected)))
    return draft if changed.chosen == changed.rejected else changed


def _word(source: Draws) -> str:
    lists = read_sections("words.txt")
    if source.chance(0.5):
        return source.one(
            lists[source.random.choice(("animal", "food", "thing", "place", "job", "adjective", "verb"))][0].split()
        )
    choice = source.random.choice
    return "".join(choice(_ONSETS) + choice(_VOWELS) for _ in range(source.number(1, 2))) + choice(_ENDS)

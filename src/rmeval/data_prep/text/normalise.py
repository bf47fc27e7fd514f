"""What makes two prompts the same: their words, whatever case, punctuation and spacing they are written in.

A false "same" puts two prompts in one split, or lists one pair too many in a report; a false "different" lets
held-out text into the training split. So where it is not clear the rule says "same".
"""

from __future__ import annotations

import unicodedata

from rmeval.types import Messages

__all__ = ["normalise", "opening", "pair_opening", "words"]


class _Separated(dict[int, str]):
    """What ``str.translate`` makes of a character, found out once a character.

    Letters, marks and numbers make up words. A symbol (Unicode category S: ``+ = < > $ €``, emoji) is a word of its
    own, so that ``C++`` is not ``C`` and ``5+3`` not ``5=3``; so is every letter of East Asian width W, because Chinese
    and Japanese are written without spaces. The rest separates words: white space, punctuation (``- * / %`` too),
    control characters and lone surrogates.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)[0]
        if category == "S" or (category == "L" and unicodedata.east_asian_width(character) == "W"):
            self[code] = f" {character} "
        else:
            self[code] = character if category in "LMN" else " "
        return self[code]


_SEPARATED = _Separated()


def normalise(text: str) -> str:
    """Return the words of ``text``, folded and joined by one space each; idempotent.

    Folded means Unicode NFKC, case-folded, NFKC again. A text with no words keeps its punctuation (folded, white space
    joined), so that ``?!`` is not the same as ``...``; only texts of nothing but white space become the empty string.

    >>> normalise("  What's 2+2,\nplease?")
    'what s 2 + 2 please'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_SEPARATED).split()) or " ".join(folded.split())


def words(text: str) -> list[str]:
    """Return the words of ``normalise(text)``."""
    return normalise(text).split()


def opening(prompt: Messages) -> str:
    """Return the normalised first user turn of a prompt, or of all its turns where none is a user's.

    Everything that opens alike belongs in one split: hh-rlhf cuts one dialogue at several depths.
    """
    first = next((message.content for message in prompt if message.role == "user"), None)
    return normalise("\n".join(message.content for message in prompt) if first is None else first)


def pair_opening(prompt: Messages, chosen: Messages) -> str:
    """Return the opening of a pair: its prompt's, or that of ``chosen`` where the completions share no first turn."""
    return opening(prompt or chosen)

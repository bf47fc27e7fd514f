"""Which benchmark examples the training rows contain.

=============  ====================================================================================================
kind           a training row and an example
=============  ====================================================================================================
``exact``      the example's prompt is the row's prompt or a whole turn of it, user's or system's, after normalising
``ngram``      not exact, and at least half of the distinct 8-grams of words of the example's prompt occur in the
               row's prompt, its system message included; prompts of fewer than 8 words have none
``completion`` an answer of the row is one of the example's completions, after normalising, and has 8 words or more
=============  ====================================================================================================

An example's prompt is all its turns but the system's; where the completions share no first turn, the first user turn of
the better one. 8-grams are PaLM's measure (Chowdhery et al., 2022, section 8), which calls an example contaminated
where 70% of them occur anywhere in the training data; here it is half of them, in one row.

Rows of the first two kinds are to be dropped. Equal completions alone are not: stock refusals are everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Literal, TypeAlias

from rmeval.data_prep.sources.base import Pair
from rmeval.data_prep.text.normalise import normalise, opening
from rmeval.types import Example, Messages

__all__ = ["Hit", "HitKind", "OverlapReport", "SubsetOverlap", "find_overlap"]

HitKind: TypeAlias = Literal["exact", "ngram", "completion"]

GRAM = 8
"""Words of an n-gram, and the fewest words of a completion that is looked for."""
CONTAINMENT = 0.5
"""Least share of an example's n-grams that makes a hit."""
_REMEMBERED = 64
"""Prompts whose matches are kept: a prompt's pairs are neighbours in most sources."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One example that one training row contains."""

    benchmark: str
    subset: str
    example: str
    """The example's id."""
    row: str
    """The training row's id."""
    kind: HitKind
    containment: float
    """Share of the example's n-grams that the row has; 1 for ``exact`` and ``completion``."""


@dataclass(frozen=True, slots=True)
class SubsetOverlap:
    """How many examples of a subset the training rows contain."""

    benchmark: str
    subset: str
    examples: int
    exact: int
    """Examples with an exact hit."""
    ngram: int
    """Examples with an n-gram hit and no exact one."""
    completion: int
    """Examples with a completion hit, whatever their prompt."""
    share: float
    """``(exact + ngram) / examples``."""
    short: int = 0
    """Examples with a prompt of fewer than 8 words: found where it is a whole turn, and nowhere else."""


@dataclass(frozen=True, slots=True)
class OverlapReport:
    """What ``find_overlap`` found; ``dataclasses.asdict`` of it is JSON."""

    rows: int
    """Training rows looked at."""
    subsets: tuple[SubsetOverlap, ...]
    """By benchmark, and in each in order of first appearance; subsets without a hit too."""
    hits: tuple[Hit, ...]
    """Ordered by benchmark, example, row (each as given) and kind."""
    contaminated: tuple[str, ...]
    """Ids of the rows with an exact or n-gram hit, in the order of the rows."""


def find_overlap(benchmarks: Mapping[str, Sequence[Example]], rows: Iterable[tuple[str, Pair]]) -> OverlapReport:
    """Look for benchmark examples in training rows.

    Args:
        benchmarks: name -> examples. They are held in memory, with an index of their n-grams.
        rows: the id and the pair of each training row; read once, none is kept.
    """
    index = _Index([example for examples in benchmarks.values() for example in examples])
    names = [name for name, examples in benchmarks.items() for _ in examples]
    found: list[tuple[int, int, HitKind, float, str]] = []
    contaminated: dict[str, None] = {}
    count = 0
    for count, (row, pair) in enumerate(rows, start=1):
        prompts = index.prompts(pair.prompt or _prompt(pair.prompt, pair.chosen))
        if prompts:
            contaminated[row] = None
        for number, kind, containment in chain(prompts, index.completions(pair)):
            found.append((number, count, kind, containment, row))
    found.sort()
    return OverlapReport(
        rows=count,
        subsets=_by_subset(names, index, [(number, kind) for number, _, kind, _, _ in found]),
        hits=tuple(
            Hit(names[number], index.examples[number].subset, index.examples[number].id, row, kind, containment)
            for number, _, kind, containment, row in found
        ),
        contaminated=tuple(contaminated),
    )


def _by_subset(names: Sequence[str], index: _Index, hits: Iterable[tuple[int, HitKind]]) -> tuple[SubsetOverlap, ...]:
    numbers: dict[HitKind, set[int]] = {"exact": set(), "ngram": set(), "completion": set()}
    for number, kind in hits:
        numbers[kind].add(number)
    numbers["ngram"] -= numbers["exact"]
    subsets: dict[tuple[str, str], list[int]] = {}
    for number, (name, example) in enumerate(zip(names, index.examples, strict=True)):
        subsets.setdefault((name, example.subset), []).append(number)
    found = []
    for (name, subset), members in subsets.items():
        exact, ngram, completion = (
            len(numbers[kind].intersection(members)) for kind in ("exact", "ngram", "completion")
        )
        share = (exact + ngram) / len(members)
        short = len(index.short.intersection(members))
        found.append(SubsetOverlap(name, subset, len(members), exact, ngram, completion, share, short))
    return tuple(found)


class _Index:
    """Finds the examples that belong to a prompt or an answer. Examples of the same prompt share an entry."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.examples = examples
        self._with_prompt: dict[str, list[int]] = {}
        self._with_completion: dict[str, list[int]] = {}
        for number, example in enumerate(examples):
            self._with_prompt.setdefault(_text(_prompt(example.prompt, example.chosen[0])), []).append(number)
            for text in map(_text, example.completions):
                if text.count(" ") >= GRAM - 1:
                    self._with_completion.setdefault(text, []).append(number)
        self._with_gram: dict[str, list[str]] = {}
        self._sizes: dict[str, int] = {}
        self.short = {
            number for text, found in self._with_prompt.items() if text.count(" ") < GRAM - 1 for number in found
        }
        """Examples whose prompt has no n-gram."""
        self._with_prompt.pop("", None)  # nothing said is nothing contained
        for text in self._with_prompt:
            grams = _grams(text)
            self._sizes[text] = len(grams)
            for gram in grams:
                self._with_gram.setdefault(gram, []).append(text)
        self.prompts = lru_cache(_REMEMBERED)(self._prompts)

    def _prompts(self, prompt: Messages) -> list[tuple[int, HitKind, float]]:
        """Return the examples that a row's prompt contains, each with kind and containment."""
        turns = [_text((message,)) for message in prompt if message.role in ("user", "system")]
        texts = (_text(_prompt(prompt, ())), opening(prompt), *turns)
        matches: dict[str, tuple[HitKind, float]] = {
            text: ("exact", 1.0) for text in texts if text in self._with_prompt
        }
        common = Counter(chain.from_iterable(self._with_gram.get(gram, ()) for gram in _grams(_text(prompt))))
        for text, number in common.items():
            if number >= CONTAINMENT * self._sizes[text]:
                matches.setdefault(text, ("ngram", number / self._sizes[text]))
        return [(number, *match) for text, match in matches.items() for number in self._with_prompt[text]]

    def completions(self, pair: Pair) -> list[tuple[int, HitKind, float]]:
        """Return the examples that have an answer of a row among their completions."""
        texts = map(_text, (pair.chosen, pair.rejected))
        numbers = {number for text in texts for number in self._with_completion.get(text, ())}
        return [(number, "completion", 1.0) for number in numbers]


def _prompt(prompt: Messages, completion: Messages) -> Messages:
    """Return the turns that are a prompt's text: see the top of the module."""
    if not prompt:
        return tuple(message for message in completion if message.role == "user")[:1] or completion
    return tuple(message for message in prompt if message.role != "system") or prompt


def _text(messages: Messages) -> str:
    return normalise("\n".join(message.content for message in messages))


def _grams(text: str) -> set[str]:
    """Return the distinct n-grams of a normalised text; none where it is shorter."""
    words = text.split()
    return {" ".join(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1)}

"""Does a score depend on how it was computed? The same conversations in many ways, and how far their scores move."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rmeval.data_prep.rows.examples import conversations
from rmeval.errors import UsageError
from rmeval.eval.refine import refine
from rmeval.eval.scorers import ModelOptions, kind_of, load_scorer
from rmeval.eval.scorers.base import Scorer, ask, items_of
from rmeval.eval.suites.credit_rules import all_beat_all
from rmeval.eval.suites.data import DataOptions, load_dataset
from rmeval.eval.suites.mini import MINI
from rmeval.eval.suites.pairs import PAIRS
from rmeval.types import Conversation, Example, Progress, Score

EXAMPLES = 32
"""Examples of a self-test, spread evenly over the data."""


@dataclass(frozen=True, slots=True)
class Variation:
    """One other way to compute the same scores."""

    name: str
    largest: float
    """Largest change of a score against one at a time, relative to max(1, |score|)."""
    moved: int
    """Examples decided otherwise."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What a self-test found."""

    examples: int
    dtype: str
    variations: tuple[Variation, ...]

    @property
    def moved(self) -> int:
        """Decisions that moved, over all variations."""
        return sum(variation.moved for variation in self.variations)


def selftest(
    model: str | Scorer,
    dataset: str | None = None,
    *,
    split: str | None = None,
    model_options: ModelOptions | None = None,
    progress: Progress | None = None,
) -> SelfTest:
    """Score a sample one at a time, then at other batch sizes, paddings, packings and orders, and compare.

    A kind that is no classifier is asked for one item at a time, then for others together, in another order, and again.

    Args:
        model: A Hub id, a folder, or whatever names a model; or a scorer of your own.
        dataset: Rows to sample; None for the mini set.
        split: Split of the data set.
        model_options: How to load and run the model; its batch size and journal are not used.
        progress: Called with variations done and in all.

    Raises:
        RmevalError: with one line that says what is wrong.
    """
    kind = kind_of(model).name if isinstance(model, str) else ""
    if kind in ("baseline", "scores"):
        raise UsageError("nothing of a reference line or a file of scores could depend on a batch; give a model")
    options = replace(model_options or ModelOptions(), cache=False)
    if options.compile == "auto":  # By which CUDA would leave so small a sample to padded batches, and test no packs.
        options = replace(options, compile="off")
    data = load_dataset(PAIRS, DataOptions(dataset or MINI.dataset, split=split))
    count = min(EXAMPLES, len(data.examples))
    examples = [data.examples[place * len(data.examples) // count] for place in range(count)]
    if not isinstance(model, str) or kind != "classifier":
        return _of_any_kind(load_scorer(model, options) if isinstance(model, str) else model, examples, progress)
    expected = _score(model, examples, replace(options, batch_size=1))
    # An attention that is asked for is that of the model's own forward, in padded batches.
    own = options.attn_implementation or expected.own_attention
    ways: list[tuple[str, ModelOptions, Callable[[list[Example]], list[Example]]]] = [
        ("packs of 7", replace(options, batch_size=7), list),
        ("packs by tokens", replace(options, batch_size=None), list),
        ("packs of 5, shuffled", replace(options, batch_size=5), _shuffled),
        ("half of the rows", replace(options, batch_size=None), lambda rows: rows[::2]),
        ("padded batches of 8", replace(options, batch_size=8, attn_implementation=own), list),
    ]
    found: list[Variation] = []
    for name, way, arrange in ways:
        if progress:
            progress(len(found) + 1, len(ways) + 1)
        scores = _score(model, arrange(examples), way).scores
        found.append(_compare(name, examples, scores, expected.scores))
    if progress:
        progress(len(ways) + 1, len(ways) + 1)
    return SelfTest(len(examples), expected.dtype, tuple(found))


def _of_any_kind(scorer: Scorer, examples: list[Example], progress: Progress | None) -> SelfTest:
    """Ask a scorer of any kind for the same items in many ways; the first way is one at a time."""
    ways: list[tuple[str, int, Callable[[list[Example]], list[Example]]]] = [
        ("", 1, list),
        ("one at a time, again", 1, list),
        ("groups of 7", 7, list),
        ("all at once", len(examples), list),
        ("all at once, shuffled", len(examples), _shuffled),
        ("half of the rows", len(examples), lambda rows: rows[::2]),
    ]
    found: list[dict[str, list[Score]]] = []
    for _, size, arrange in ways:
        if progress:
            progress(len(found) + 1, len(ways))
        own = arrange(examples)
        scores: dict[str, list[Score]] = {}
        for start in range(0, len(own), size):
            some = own[start : start + size]
            flat = iter(ask(scorer, items_of(some)))
            scores |= {example.id: [next(flat) for _ in example.completions] for example in some}
        found.append(scores)
    names = [name for name, _, _ in ways]
    variations = [_compare(*each, found[0]) for each in zip(names, [examples] * len(names), found, strict=True)]
    return SelfTest(len(examples), scorer.info.dtype or "", tuple(variations[1:]))


@dataclass(frozen=True, slots=True)
class _Scored:
    dtype: str
    own_attention: str | None
    scores: dict[str, list[Score]]
    """Of each example's completions."""


def _shuffled(examples: list[Example]) -> list[Example]:
    return random.Random(0).sample(examples, len(examples))


def _score(model: str, examples: Sequence[Example], options: ModelOptions) -> _Scored:
    """Score examples as a run would, close calls decided in float32."""
    from rmeval.eval.scorers.classifier import ClassifierScorer

    scorer = ClassifierScorer(model, options)
    items: list[Conversation] = conversations(examples)
    scores = scorer.score_conversations(items)
    drift = scorer.drift if options.refine and scorer.can_refine else None
    if drift is not None:
        scores = refine(examples, items, scores, scorer, drift).scores
    by_example: dict[str, list[Score]] = {}
    for item, score in zip(items, scores, strict=True):
        by_example.setdefault(item.example_id, []).append(score)
    return _Scored(scorer.info.dtype or "", scorer.own_attention, by_example)


def _compare(
    name: str, examples: Sequence[Example], scores: dict[str, list[Score]], expected: dict[str, list[Score]]
) -> Variation:
    largest, moved = 0.0, 0
    for example in examples:
        if example.id not in scores:
            continue
        new, old = ([score.value for score in found[example.id]] for found in (scores, expected))
        pairs = [(a, b) for a, b in zip(new, old, strict=True) if math.isfinite(a) and math.isfinite(b)]
        largest = max([largest, *(abs(a - b) / max(1.0, abs(b)) for a, b in pairs)])
        right = len(example.chosen)
        kinds = [all_beat_all(values[:right], values[right:]).kind for values in (new, old)]
        moved += kinds[0] != kinds[1]
    return Variation(name, largest, moved)

"""Simulated worlds, in which the truth is known: what the tests of intervals and of the gate have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rmeval.eval.numbers.prompts import Prompts
from rmeval.eval.numbers.weights import shares
from rmeval.eval.suites import get_suite
from rmeval.eval.suites.base import Section, Suite

REWARDBENCH, PAIRS = get_suite("rewardbench"), get_suite("pairs")
FEW_IN_CHAT = {"alpacaeval-easy": 5, "llmbar-natural": 456, "donotanswer": 740, "hep-go": 1431}
"""RewardBench with a section of five rows."""
_UNEVEN = np.random.default_rng(58).dirichlet(np.full(58, 0.7))
UNEVEN = {f"s{place:02}": 1 + round(961 * share) for place, share in enumerate(sorted(_UNEVEN, reverse=True))}
"""58 subsets, 1,016 rows, 1 to 77 each."""
_ALIKE = {"main": {name: Section(1.0, {name: 1.0}) for name in UNEVEN}}
ALIKE = replace(PAIRS, name="alike", weights=_ALIKE)
"""A suite in which the 58 subsets count alike, each as a section of its own."""


@dataclass(frozen=True)
class World:
    """Two models whose true accuracies are known."""

    name: str
    suite: Suite
    sizes: Mapping[str, int]
    """Rows of each subset."""
    low: float
    """The baseline's true accuracies of the subsets are drawn between ``low`` and ``high``."""
    high: float
    shared: float = 0.8
    """Chance that both models meet an example with the same luck: what makes their errors correlate."""
    drop: float = 0.0
    """By how much the candidate is worse, in every subset."""
    together: int = 1
    """Examples of a subset with the same prompt."""
    across: bool = False
    """Whether the subsets have the same prompts."""
    luck: float = 0.5
    """How often an example meets the luck of its prompt, where prompts repeat; the two models' own."""

    @property
    def weights(self) -> str | None:
        """The name of the suite's weight table."""
        return self.suite.default_weights

    def truths(self, seed: int) -> dict[str, float]:
        """Return the baseline's true accuracy of each subset."""
        random = np.random.default_rng(seed)
        return {name: float(random.uniform(self.low, self.high)) for name in self.sizes}

    def means(self, truths: Mapping[str, float]) -> dict[str, float]:
        """Return the true overall number and those of sections, each subset's among them where there is no section."""
        sections, overall = shares(self.suite, self.weights, {name: float(n) for name, n in self.sizes.items()})
        parts = {"overall": overall, **{f"section {name}": own for name, own in sections.items()}}
        return {key: sum(float(w) * truths[name] for name, w in own.items()) for key, own in parts.items()}

    def draw(self, truths: Mapping[str, float], seed: int) -> Iterator[Prompts]:
        """Yield the two models' outcomes again and again, as ``rmeval.eval.numbers.compare`` sums them."""
        random = np.random.default_rng(seed)
        subset = [name for name, n in self.sizes.items() for _ in range(n)]
        own = [(name, row // self.together) for name, n in self.sizes.items() for row in range(n)]
        prompt = [str(place) if self.across else f"{name} {place}" for name, place in own]
        names, place = np.unique(prompt, return_inverse=True)
        truth = np.array([truths[name] for name in subset])
        repeat = self.luck if len(names) < len(prompt) else 0.0
        while True:
            ours, other = (_luck(random, len(names), place, repeat) for _ in range(2))
            # Where prompts share luck, the models meet the same luck prompt by prompt.
            theirs = np.where(random.random(len(names))[place] < self.shared, ours, other)
            right, still = (ours < truth).astype(float), (theirs < truth - self.drop).astype(float)
            credit = np.stack([right, still, still * (1 - right), right * (1 - still)])
            yield Prompts.of(subset, prompt, credit)


def _luck(random: np.random.Generator, prompts: int, place: NDArray[np.int64], repeat: float) -> NDArray[np.float64]:
    """Return uniform numbers, one an example: below the true accuracy the model is right."""
    together, alone = random.random(prompts)[place], random.random(len(place))
    return np.where(random.random(len(place)) < repeat, together, alone)


QUALITIES = {"middling": (0.55, 0.95), "strong": (0.85, 0.99), "near perfect": (0.95, 0.999)}
"""Ranges of true accuracies."""


def worlds(low: float, high: float) -> list[World]:
    """Return worlds of every shape, for models of a quality."""
    single = [World(f"{n:,} rows", PAIRS, {"all": n}, low, high) for n in (5, 10, 20, 60, 300, 3_000)]
    three = dict.fromkeys("abc", 60)
    return [
        *single,
        World("RewardBench", REWARDBENCH, REWARDBENCH.expected, low, high),
        World("RewardBench, Chat of 5 rows", REWARDBENCH, FEW_IN_CHAT, low, high),
        World("58 subsets of 1 to 77 rows, by rows", PAIRS, UNEVEN, low, high),
        World("58 subsets of 1 to 77 rows, alike", ALIKE, UNEVEN, low, high),
        World("3 rows a prompt, 20 prompts", PAIRS, {"all": 60}, low, high, together=3),
        World("RewardBench, 3 rows a prompt", REWARDBENCH, REWARDBENCH.expected, low, high, together=3),
        World("9 rows a prompt over 3 subsets, 20 prompts", PAIRS, three, low, high, together=3, across=True),
        World(
            "9 rows a prompt over 3 subsets, 200 prompts",
            PAIRS,
            dict.fromkeys("abc", 600),
            low,
            high,
            together=3,
            across=True,
        ),
        World(
            "one prompt in 4 subsets each, all luck shared",
            PAIRS,
            dict.fromkeys("abcd", 100),
            low,
            high,
            across=True,
            luck=1.0,
        ),
    ]

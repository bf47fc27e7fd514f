"""Near-duplicates among 100,000 prompts of a template, on two cores. The last result, which docs/prepare.md has, too:

one template of 120 words, 30 words of their own     16.9 s
two halves of a prompt alike, 60 words and 45         16.3 s
500 templates of 120 words, 200 prompts each          62.7 s
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from rmeval.data_prep.split.held_out import Opening, assign_splits

NUMBER = 100_000
WORDS = [f"v{number}" for number in range(20_000)]


def template(name: str, words: int) -> str:
    return " ".join(f"{name}x{number}" for number in range(words))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begin", "own"),
    [
        (lambda place: template("t", 120), 30),
        (lambda place: template("t", 60), 45),
        (lambda place: template(f"t{place % 500}", 120), 30),
    ],
    ids=["one template", "half a prompt", "500 templates"],
)
def test_100_000_templated_prompts_take_less_than_two_minutes(begin: Callable[[int], str], own: int) -> None:
    chance = random.Random(0)
    openings = [Opening(f"{begin(place)} {' '.join(chance.choices(WORDS, k=own))}", "a", 1) for place in range(NUMBER)]
    start = time.perf_counter()
    split = assign_splits(openings, seed=0, held_out=0.1)
    seconds = time.perf_counter() - start
    print(f"{seconds:.1f} s")
    assert seconds < 120
    assert split.leads == {}
    assert 0.09 * NUMBER < split.pairs["a"].test < 0.11 * NUMBER

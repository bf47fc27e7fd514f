"""Outcomes summed by prompt: one row a prompt, whichever subsets it stands in."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.eval.numbers.prompts import Prompts, keys
from rmeval.run_tables import prompt_hash
from rmeval.types import Message


def listed(prompts: Prompts) -> list[tuple[float, ...]]:
    """Each kind as its count, its sizes and its credits."""
    rows = zip(prompts.count, prompts.size, prompts.credit.transpose(1, 0, 2), strict=True)
    return sorted((count, *size, *credit.ravel()) for count, size, credit in rows)


def test_by_hand() -> None:
    #         p: a right, b wrong   q: a right   r: a right   s: b wrong, b right
    subset = ["a", "b", "a", "a", "b", "b"]
    prompt = ["p", "p", "q", "r", "s", "s"]
    prompts = Prompts.of(subset, prompt, np.array([[1.0, 0, 1, 1, 0, 1]]))
    assert prompts.subsets == ("a", "b")
    assert listed(prompts) == [(1, 0, 2, 0, 1), (1, 1, 1, 1, 0), (2, 1, 0, 1, 0)]
    assert prompts.n.tolist() == [3, 3]
    assert prompts.total(0).tolist() == [3, 1]
    assert prompts.mean(0, [Fraction(1, 2), Fraction(1, 2)]) == Fraction(2, 3)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("pqrst"), st.booleans()), min_size=1, max_size=30))
def test_nothing_is_lost(rows: list[tuple[str, str, bool]]) -> None:
    subset, prompt, right = zip(*rows, strict=True)
    prompts = Prompts.of(subset, prompt, np.array([right, np.ones(len(rows))], dtype=float))
    assert prompts.count.sum() == len(set(prompt))
    for place, name in enumerate(prompts.subsets):
        own = [each for each in rows if each[0] == name]
        assert prompts.n[place] == prompts.total(1)[place] == len(own)
        assert prompts.total(0)[place] == sum(each[2] for each in own)
    one = prompts.only([Fraction(1)] + [Fraction(0)] * (len(prompts.subsets) - 1))
    assert one.subsets == prompts.subsets[:1]
    assert one.count.sum() == len({each[1] for each in rows if each[0] == one.subsets[0]})


def test_an_example_without_a_prompt_shares_nothing() -> None:
    empty, blank, some = (prompt_hash(each) for each in ((), (Message("user", ""),), (Message("user", "x"),)))
    found = keys([empty, some, empty, blank, some], "a")
    assert len(set(found)) == 4
    assert found[1] == found[4] == some
    assert not set(found) & set(keys([empty, empty], "b"))


@pytest.mark.parametrize(("subset", "prompt"), [([], []), (["a"], ["p", "q"])])
def test_what_is_refused(subset: list[str], prompt: list[str]) -> None:
    with pytest.raises(ValueError, match="need examples, each with"):
        Prompts.of(subset, prompt, np.zeros((1, len(subset))))

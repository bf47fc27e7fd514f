"""Differences at every level, from outcomes that are paired by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rmeval.eval.numbers.differences import PairedOutcome, differences
from rmeval.eval.suites import get_suite
from rmeval.run_tables import prompt_hash

NO_PROMPT = prompt_hash(())


def outcomes(text: str, prompts: list[str] | None = None) -> list[PairedOutcome]:
    """A letter an example: + both right, - none, > only the candidate, < only the baseline."""
    before, after = {"+": 1, "-": 0, ">": 0, "<": 1}, {"+": 1, "-": 0, ">": 1, "<": 0}
    names = prompts or [f"p{place}" for place in range(len(text))]
    rows = zip(text, names, strict=True)
    return [PairedOutcome(f"e{place}", name, before[each], after[each]) for place, (each, name) in enumerate(rows)]


def test_by_hand() -> None:
    """a: of four, two became right and one wrong; b: nothing moved. Both count by their examples."""
    found = differences(get_suite("pairs"), None, {"a": outcomes(">><-"), "b": outcomes("+-", ["q", "r"])})
    a, b, whole = found.subsets["a"], found.subsets["b"], found.overall
    assert whole is not None
    assert (a.baseline, a.candidate, a.exact) == (0.25, 0.5, Fraction(1, 4))
    assert (a.p_drop, a.p_rise, a.p) == (0.875, 0.5, 1.0)  # Of three coins: at most two heads, at least two.
    assert (b.difference, b.p, b.flipped_to_right, b.flipped_to_wrong) == (0.0, 1.0, 0, 0)
    assert (whole.exact, whole.flipped_to_right, whole.flipped_to_wrong, whole.n) == (Fraction(1, 6), 2, 1, 6)
    assert found.sections == {}


def test_a_prompt_that_repeats_flips_as_one() -> None:
    """Four flips of one prompt are one coin; of four prompts, or of none, they are four."""
    for prompts, p in ((["same"] * 4, 0.5), (None, 0.0625), ([NO_PROMPT] * 4, 0.0625)):
        found = differences(get_suite("pairs"), None, {"a": outcomes("<<<<", prompts)})
        assert found.subsets["a"].p_drop == pytest.approx(p)

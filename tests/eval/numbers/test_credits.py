"""What is decided before a suite's rule is asked."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rmeval.eval.numbers.credits import judge
from rmeval.eval.suites import SUITES, Suite
from rmeval.types import ScoredExample

RULES = {
    f"{suite.name}-{name}": replace(suite, rule=rule, formulas={})
    for suite in SUITES.values()
    for name, rule in {"own": suite.rule, **suite.rules}.items()
}


@pytest.mark.parametrize("suite", RULES.values(), ids=RULES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_a_score_that_is_not_finite_makes_its_example_invalid_whatever_the_rule(
    suite: Suite, bad: float, place: int
) -> None:
    scores = [2.0, 1.0]
    whole = ScoredExample("a", "any", "hash", (scores[0],), (scores[1],), (3,), (4,))
    scores[place] = bad
    broken = replace(whole, chosen=(scores[0],), rejected=(scores[1],))
    (first, second) = judge(suite, [whole, broken])
    assert (first.valid, first.outcome.credit) == (True, 1.0)
    assert (second.valid, second.outcome.kind, second.counted) == (False, "invalid", 0.0)
    assert math.isnan(second.outcome.margin)

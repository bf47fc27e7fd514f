"""Credits to subset, section and overall numbers, with intervals; what scores are worth is said by the suite.

An example with a NaN or infinite score is invalid: it leaves the denominator. Ties are counted apart whatever they are
worth.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from rmeval.eval.numbers.credits import Judged, by_subset, judge
from rmeval.eval.numbers.intervals import estimate
from rmeval.eval.numbers.prompts import Prompts
from rmeval.eval.numbers.reference_lines import REFERENCE_LINES, ReferenceLine
from rmeval.eval.numbers.weights import overall_mean, shares, weighted_mean
from rmeval.eval.suites import Section, Suite
from rmeval.run_info import Estimate, ReferenceResult, Results, SubsetResult
from rmeval.types import ScoredExample

REFERENCE_SEED = 0
"""Seed of the random reference line drawn beside every result."""


def compute_results(
    suite: Suite,
    weights: str | None,
    scored: Iterable[ScoredExample],
    *,
    drift: float | None = None,
) -> Results:
    """Compute every number of a run.

    Args:
        suite: Defines sections and the overall number.
        weights: Name of the suite's weight table; None for a suite without any.
        scored: The examples with their scores.
        drift: Margins within this are undecided, unless they are exact; None where precision decides nothing.
    """
    groups = by_subset(judge(suite, scored))
    prompts = _prompts(groups)
    own = {} if prompts is None else {name: _estimate(prompts, {name: Fraction(1)}) for name in prompts.subsets}
    subsets = {
        name: _subset(group, own.get(name), drift, suite.expected.get(name), formula=name in suite.formulas)
        for name, group in groups.items()
    }
    sizes = {name: float(subsets[name].n) for name in own}
    table = suite.sections(weights)
    parts, whole = shares(suite, weights, sizes)
    sections = {} if prompts is None else {name: _estimate(prompts, each) for name, each in parts.items()}
    overall = None if prompts is None or not whole else _estimate(prompts, whole)
    return Results(
        overall,
        sections,
        subsets,
        _reference_lines(suite, table, groups),
        rules={name: each for name in suite.rules if (each := _by_rule(suite, name, weights, groups)) is not None},
        views=_views(suite, groups, drift),
        lowest=overall_mean(suite, table, _bound(subsets, "lowest"), sizes),
        highest=overall_mean(suite, table, _bound(subsets, "highest"), sizes),
    )


def _by_rule(suite: Suite, name: str, weights: str | None, groups: Mapping[str, Sequence[Judged]]) -> Estimate | None:
    """Return the overall number by another rule of the suite's; None where there is none."""
    scored = [each.example for own in groups.values() for each in own]
    other = by_subset(judge(replace(suite, rule=suite.rules[name]), scored))
    prompts = _prompts(other)
    sizes = {} if prompts is None else {each: float(sum(one.valid for one in other[each])) for each in prompts.subsets}
    whole = shares(suite, weights, sizes)[1]
    return None if prompts is None or not whole else _estimate(prompts, whole)


def _views(suite: Suite, groups: Mapping[str, Sequence[Judged]], drift: float | None) -> dict[str, SubsetResult]:
    """Return the numbers of the groups that examples' tags name, in the suite's order."""
    found = {}
    for name in suite.views:
        group = [each for own in groups.values() for each in own if name in each.example.tag.splitlines()]
        if group:
            prompts = _prompts({name: group})
            own = None if prompts is None else _estimate(prompts, {name: Fraction(1)})
            found[name] = _subset(group, own, drift, None, formula=False)
    return found


def _bound(subsets: Mapping[str, SubsetResult], name: str) -> dict[str, float]:
    bounds = {subset: getattr(result, name) for subset, result in subsets.items()}
    return {subset: value for subset, value in bounds.items() if value is not None}


def _prompts(groups: Mapping[str, Sequence[Judged]]) -> Prompts | None:
    """Sum the valid examples by prompt; None where there is none."""
    valid = [(name, each.prompt, each.counted) for name, group in groups.items() for each in group if each.valid]
    if not valid:
        return None
    subset, prompt, counted = zip(*valid, strict=True)
    return Prompts.of(subset, prompt, np.array([counted], dtype=np.float64))


def _estimate(prompts: Prompts, weights: Mapping[str, Fraction]) -> Estimate:
    return estimate(prompts, [weights.get(name, Fraction(0)) for name in prompts.subsets])


def _subset(
    group: Sequence[Judged], own: Estimate | None, drift: float | None, expected: int | None, *, formula: bool
) -> SubsetResult:
    kinds = Counter(each.outcome.kind for each in group)
    n = len(group) - kinds["invalid"]
    open_credits = [
        each.outcome.credit
        for each in group
        if drift is not None and not each.example.exact and abs(each.outcome.margin) <= drift
    ]
    accuracy = own.accuracy if own else None
    if accuracy is None or (formula and not open_credits):
        lowest = highest = accuracy
    elif formula:
        lowest, highest = 0.0, max(1.0, accuracy)  # Nobody knows what a formula makes of other values.
    else:
        sure = math.fsum(each.outcome.credit for each in group) - math.fsum(open_credits)
        lowest, highest = sure / n, (sure + len(open_credits)) / n
    return SubsetResult(
        n=n,
        right=kinds["right"],
        ties=kinds["tie"],
        invalid=kinds["invalid"],
        truncated=sum(each.example.truncated for each in group),
        accuracy=accuracy,
        low=own.low if own else None,
        high=own.high if own else None,
        mean_margin=_mean([each.outcome.margin for each in group if math.isfinite(each.outcome.margin)]),
        undecided=len(open_credits),
        lowest=lowest,
        highest=highest,
        expected=expected,
        partial=kinds["partial"],
        unparsed=kinds["unparsed"],
    )


def _mean(values: Sequence[float]) -> float | None:
    """Return the mean; None where there is none or it is beyond what a float can hold."""
    # In units of the largest, so that scores near the end of the range cannot overflow on the way.
    unit = max((abs(value) for value in values), default=0.0) or 1.0
    mean = unit * (math.fsum(value / unit for value in values) / len(values)) if values else math.nan
    return mean if math.isfinite(mean) else None


def _reference_lines(
    suite: Suite, table: Mapping[str, Section], groups: Mapping[str, Sequence[Judged]]
) -> dict[str, ReferenceResult]:
    """What each reference line reaches on the same examples."""
    found = {}
    for name, line in REFERENCE_LINES.items():
        ruled = [_ruled(each.example, line) for group in groups.values() for each in group]
        subsets = {
            subset: math.fsum(each.counted for each in group) / len(group)
            for subset, group in by_subset(judge(suite, ruled)).items()
        }
        sizes = {subset: float(len(group)) for subset, group in groups.items()}
        sections = {key: weighted_mean(subsets, section.of(sizes)) for key, section in table.items()}
        present = {key: value for key, value in sections.items() if value is not None}
        found[name] = ReferenceResult(overall_mean(suite, table, subsets, sizes), present, subsets)
    return found


def _ruled(example: ScoredExample, line: ReferenceLine) -> ScoredExample:
    """Return an example with the scores that a reference line gives."""
    middle = len(example.chosen_chars)
    scores = [
        line(REFERENCE_SEED, example.id, place, chars)
        for place, chars in enumerate(example.chosen_chars + example.rejected_chars)
    ]
    return replace(example, chosen=tuple(scores[:middle]), rejected=tuple(scores[middle:]), unparsed=False)

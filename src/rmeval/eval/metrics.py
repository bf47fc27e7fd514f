"""Scores to outcomes, outcomes to subset, section and overall accuracies.

An example is right if every right completion scores strictly higher than every wrong one. A tie is not right, as in
RewardBench, and is counted apart. An example with a NaN or infinite score is invalid: it leaves the denominator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from rmeval.eval.intervals import estimate
from rmeval.eval.prompts import Prompts, keys
from rmeval.eval.scorers.baseline import RULERS
from rmeval.eval.statistics import weighted_mean
from rmeval.eval.suites import Section, Suite
from rmeval.types import Estimate, Outcome, Results, RulerResult, ScoredExample, SubsetResult

RULER_SEED = 0
"""Seed of the random ruler drawn beside every result."""


def outcome(chosen: Sequence[float], rejected: Sequence[float]) -> Outcome:
    """Judge one example by the scores of its right and of its wrong completions."""
    if not all(map(math.isfinite, (*chosen, *rejected))):
        return Outcome("invalid", math.nan)
    margin = min(chosen) - max(rejected)
    if margin == 0:
        return Outcome("tie", margin)
    return Outcome("right" if margin > 0 else "wrong", margin)


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
    groups: dict[str, list[ScoredExample]] = {}
    for example in scored:
        groups.setdefault(example.subset, []).append(example)
    prompts = _prompts(groups)
    own = {} if prompts is None else {name: _estimate(prompts, {name: Fraction(1)}) for name in prompts.subsets}
    subsets = {name: _subset(group, own.get(name), drift, suite.expected.get(name)) for name, group in groups.items()}
    sizes = {name: float(subsets[name].n) for name in own}
    table = suite.sections(weights)
    parts, whole = shares(suite, weights, sizes)
    sections = {} if prompts is None else {name: _estimate(prompts, each) for name, each in parts.items()}
    overall = None if prompts is None or not whole else _estimate(prompts, whole)
    return Results(
        overall,
        sections,
        subsets,
        _rulers(suite, table, groups),
        lowest=overall_mean(suite, table, _bound(subsets, "lowest"), sizes),
        highest=overall_mean(suite, table, _bound(subsets, "highest"), sizes),
    )


def overall_mean(
    suite: Suite, table: Mapping[str, Section], subsets: Mapping[str, float], sizes: Mapping[str, float]
) -> float | None:
    """Return a suite's overall number from its subsets' accuracies; None where none of its sections has any.

    Args:
        suite: The suite; one without weight tables counts every example alike.
        table: The sections.
        subsets: Accuracy by subset.
        sizes: Examples by subset.
    """
    if not suite.weights:
        return weighted_mean(subsets, sizes)
    sections = {name: weighted_mean(subsets, section.subsets) for name, section in table.items()}
    present = {name: value for name, value in sections.items() if value is not None}
    return weighted_mean(present, {name: section.weight for name, section in table.items()})


def _bound(subsets: Mapping[str, SubsetResult], name: str) -> dict[str, float]:
    bounds = {subset: getattr(result, name) for subset, result in subsets.items()}
    return {subset: value for subset, value in bounds.items() if value is not None}


def shares(
    suite: Suite, weights: str | None, sizes: Mapping[str, float]
) -> tuple[dict[str, dict[str, Fraction]], dict[str, Fraction]]:
    """Return each subset's part in each section, and in the overall number; the parts of a number add up to 1.

    Args:
        suite: Defines sections and the overall number; one without weight tables counts every example alike.
        weights: Name of the suite's weight table.
        sizes: Examples of each subset that there is; others are left out.
    """
    table = suite.sections(weights)
    present = {key: {name: w for name, w in each.subsets.items() if name in sizes} for key, each in table.items()}
    sections = {key: _normal(own) for key, own in present.items() if own}
    if not suite.weights:
        return sections, _normal(sizes)
    parts = _normal({key: table[key].weight for key in sections})
    return sections, {name: parts[key] * w for key, own in sections.items() for name, w in own.items()}


def _normal(weights: Mapping[str, float]) -> dict[str, Fraction]:
    total = sum(map(Fraction, weights.values()))
    return {name: Fraction(weight) / total for name, weight in weights.items()}


def _prompts(groups: Mapping[str, Sequence[ScoredExample]]) -> Prompts | None:
    """Sum the valid examples by prompt; None where there is none."""
    valid = []
    for name, group in groups.items():
        kinds = [outcome(example.chosen, example.rejected).kind for example in group]
        own = keys([example.prompt_hash for example in group], name)
        valid += [(name, key, kind == "right") for key, kind in zip(own, kinds, strict=True) if kind != "invalid"]
    if not valid:
        return None
    subset, prompt, right = zip(*valid, strict=True)
    return Prompts.of(subset, prompt, np.array([right], dtype=np.float64))


def _estimate(prompts: Prompts, weights: Mapping[str, Fraction]) -> Estimate:
    return estimate(prompts, [weights.get(name, Fraction(0)) for name in prompts.subsets])


def _subset(
    group: Sequence[ScoredExample], own: Estimate | None, drift: float | None, expected: int | None
) -> SubsetResult:
    judged = [outcome(example.chosen, example.rejected) for example in group]
    kinds = [item.kind for item in judged]
    right, invalid = kinds.count("right"), kinds.count("invalid")
    n = len(kinds) - invalid
    open_kinds = [
        item.kind
        for item, example in zip(judged, group, strict=True)
        if drift is not None and not example.exact and abs(item.margin) <= drift
    ]
    open_right = open_kinds.count("right")
    return SubsetResult(
        n=n,
        right=right,
        ties=kinds.count("tie"),
        invalid=invalid,
        truncated=sum(example.truncated for example in group),
        accuracy=right / n if n else None,
        low=own.low if own else None,
        high=own.high if own else None,
        mean_margin=_mean([item.margin for item in judged if item.kind != "invalid"]),
        undecided=len(open_kinds),
        lowest=(right - open_right) / n if n else None,
        highest=(right + len(open_kinds) - open_right) / n if n else None,
        expected=expected,
    )


def _mean(values: Sequence[float]) -> float | None:
    """Return the mean; None where there is none or it is beyond what a float can hold."""
    # In units of the largest, so that scores near the end of the range cannot overflow on the way.
    unit = max((abs(value) for value in values), default=0.0) or 1.0
    mean = unit * (math.fsum(value / unit for value in values) / len(values)) if values else math.nan
    return mean if math.isfinite(mean) else None


def _rulers(
    suite: Suite, table: Mapping[str, Section], groups: Mapping[str, Sequence[ScoredExample]]
) -> dict[str, RulerResult]:
    """What each ruler reaches on the same examples."""
    found = {}
    for name, ruler in RULERS.items():
        subsets = {}
        for subset, group in groups.items():
            right = 0
            for e in group:
                chosen = [ruler(RULER_SEED, e.id, i, chars) for i, chars in enumerate(e.chosen_chars)]
                rejected = [ruler(RULER_SEED, e.id, len(chosen) + i, chars) for i, chars in enumerate(e.rejected_chars)]
                right += outcome(chosen, rejected).kind == "right"
            subsets[subset] = right / len(group)
        sections = {key: weighted_mean(subsets, section.subsets) for key, section in table.items()}
        present = {key: value for key, value in sections.items() if value is not None}
        sizes = {subset: float(len(group)) for subset, group in groups.items()}
        found[name] = RulerResult(overall_mean(suite, table, subsets, sizes), present, subsets)
    return found

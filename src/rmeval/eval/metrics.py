"""Scores to outcomes, outcomes to subset, section and overall accuracies.

An example is right if every right completion scores strictly higher than every wrong one. A tie is not right, as in
RewardBench, and is counted apart. An example with a NaN or infinite score is invalid: it leaves the denominator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rmeval.eval.scorers.baseline import RULERS
from rmeval.eval.statistics import Clusters, bootstrap_subset, interval, weighted_mean, wilson
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
    seed: int = 0,
) -> Results:
    """Compute every number of a run.

    Args:
        suite: Defines sections and the overall number.
        weights: Name of the suite's weight table; None for a suite without any.
        scored: The examples with their scores.
        drift: Margins within this are undecided, unless they are exact; None where precision decides nothing.
        seed: Seed of the bootstrap.
    """
    groups: dict[str, list[ScoredExample]] = {}
    for example in scored:
        groups.setdefault(example.subset, []).append(example)
    subsets = {name: _subset(group, drift, suite.expected.get(name)) for name, group in groups.items()}
    points = {name: result.accuracy for name, result in subsets.items() if result.accuracy is not None}
    draws = {name: bootstrap_subset(name, _clusters(groups[name]), seed) for name in points}

    table = suite.sections(weights)
    sections: dict[str, Estimate] = {}
    section_draws: dict[str, NDArray[np.float64]] = {}
    for name, section in table.items():
        point = weighted_mean(points, section.subsets)
        if point is not None:
            section_draws[name] = _combine(draws, section.subsets)
            sections[name] = interval(point, section_draws[name])
    sizes = {name: float(subsets[name].n) for name in points}
    point = overall_mean(suite, table, points, sizes)
    overall = None
    if point is not None:
        part_weights = {name: table[name].weight for name in sections} if suite.weights else sizes
        overall = interval(point, _combine(section_draws if suite.weights else draws, part_weights))
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


def _combine(draws: Mapping[str, NDArray[np.float64]], weights: Mapping[str, float]) -> NDArray[np.float64]:
    names = [name for name in weights if name in draws]
    return np.average([draws[name] for name in names], axis=0, weights=[weights[name] for name in names])


def _clusters(group: Sequence[ScoredExample]) -> Clusters:
    valid = [(outcome(e.chosen, e.rejected).kind, e.prompt_hash) for e in group]
    valid = [item for item in valid if item[0] != "invalid"]
    return Clusters.of([kind == "right" for kind, _ in valid], [cluster for _, cluster in valid])


def _subset(group: Sequence[ScoredExample], drift: float | None, expected: int | None) -> SubsetResult:
    judged = [outcome(example.chosen, example.rejected) for example in group]
    kinds = [item.kind for item in judged]
    right, invalid = kinds.count("right"), kinds.count("invalid")
    n = len(kinds) - invalid
    low, high = wilson(right, n) if n else (None, None)
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
        low=low,
        high=high,
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

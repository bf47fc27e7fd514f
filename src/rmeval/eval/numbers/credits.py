"""From scores to credits: the one place where a suite's rule and its formulas are applied.

A subset's number is the mean of what its examples count: the credits that the suite's rule gives. A formula of a
subset's own is no mean, so it is made one: each cluster of examples counts the formula's number plus its *influence*,
the derivative of the number by the cluster's weight (the infinitesimal jackknife: Jaeckel, 1972, Bell Laboratories
memorandum MM 72-1215-11; Efron, 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6). Influences
add up to 0, so that the mean of these is the number itself, and how they vary from cluster to cluster says how sure it
is. Intervals, tests and ranks take means only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rmeval.errors import RunError, UsageError
from rmeval.eval.suites import Formula, Suite, suite_of
from rmeval.records import RunRecord, scored_examples
from rmeval.types import Outcome, ScoredExample

__all__ = ["Judged", "by_subset", "judge", "judge_run"]

_STEP = 2.0**-10
"""By how much a cluster's weight is moved to either side for a derivative."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One example and what its scores are worth."""

    example: ScoredExample
    outcome: Outcome
    counted: float
    """What its subset's number is the mean of, over the valid examples."""
    prompt: str
    """Examples with the same one are not independent: the prompt's hash, or a formula's own cluster."""

    @property
    def valid(self) -> bool:
        """True where the example is in the denominator."""
        return self.outcome.kind != "invalid"


def judge(suite: Suite, scored: Iterable[ScoredExample]) -> list[Judged]:
    """Apply a suite's rule and formulas to examples; the result has their order.

    Raises:
        UsageError: if a credit is not between 0 and 1, or a formula's number is not finite.
    """
    judged = []
    for each in scored:
        found = _outcome(suite, each)
        if not 0 <= found.credit <= 1:
            raise UsageError(f"the suite {suite.name} gave example {each.id} a credit of {found.credit}, not 0 to 1")
        judged.append(Judged(each, found, found.credit, each.prompt_hash))
    for name, formula in suite.formulas.items():
        places = [place for place, each in enumerate(judged) if each.example.subset == name]
        for place, own in zip(places, _counted(formula, [judged[place] for place in places]), strict=True):
            judged[place] = own
    return judged


def _outcome(suite: Suite, example: ScoredExample) -> Outcome:
    """Return what a suite's rule makes of an example; one with a score that is not finite (NaN, inf) is invalid."""
    if example.unparsed:
        return Outcome("unparsed", math.nan)
    if not all(map(math.isfinite, (*example.chosen, *example.rejected))):
        return Outcome("invalid", math.nan)
    return suite.rule.credit(example)


def judge_run(run: RunRecord) -> list[Judged]:
    """Return a run's examples with what its suite makes of each, in data-set order.

    Raises:
        RunError: if its tables do not fit together, or are not in the same order.
        UsageError: if this rmeval does not know its suite.
    """
    sizes = run.examples_table.column("completion_chars").combine_chunks().value_lengths().to_pylist()
    ids = run.examples_table.column("example_id").to_pylist()
    owners = [own for own, size in zip(ids, sizes, strict=True) for _ in range(size)]
    if not owners or run.scores_table.column("example_id").to_pylist() != owners:
        raise RunError(f"{run.path}: its tables do not fit together, or are not in the same order; score it again")
    return judge(suite_of(run.info), scored_examples(run))


def by_subset(judged: Iterable[Judged]) -> dict[str, list[Judged]]:
    """Return the examples of each subset, subsets in order of first appearance."""
    groups: dict[str, list[Judged]] = {}
    for each in judged:
        groups.setdefault(each.example.subset, []).append(each)
    return groups


def _counted(formula: Formula, group: Sequence[Judged]) -> list[Judged]:
    """Return a subset's examples with what they count in place of their credits."""
    valid = [_wrong(each.example) if each.example.unparsed else each.example for each in group if each.valid]
    clusters: dict[str, list[int]] = {}
    for place, example in enumerate(valid):
        clusters.setdefault(formula.cluster(example), []).append(place)
    value, influence = _influences(formula, valid, clusters) if valid else (0.0, {})
    counted = []
    for each in group:
        cluster = formula.cluster(each.example)
        part = influence[cluster] * len(valid) / len(clusters[cluster]) if each.valid else 0.0
        counted.append(Judged(each.example, each.outcome, value + part, f"{each.example.subset}\x1f{cluster}"))
    return counted


def _wrong(example: ScoredExample) -> ScoredExample:
    """Return an example that nobody has right: what stands for one whose verdict could not be read."""
    return replace(example, chosen=(0.0,) * len(example.chosen), rejected=(1.0,) * len(example.rejected))


def _influences(
    formula: Formula, valid: Sequence[ScoredExample], clusters: Mapping[str, Sequence[int]]
) -> tuple[float, dict[str, float]]:
    """Return the number, and its derivative by the weight of each cluster."""

    def moved(places: Sequence[int], step: float) -> float:
        """Return the number with other weights of some clusters."""
        weights = [1.0] * len(valid)
        for place in places:
            weights[place] += step
        return formula.value(valid, weights)

    slopes = {name: (moved(places, _STEP) - moved(places, -_STEP)) / (2 * _STEP) for name, places in clusters.items()}
    middle = sum(slopes.values()) / len(slopes)  # 0 on paper.
    value = moved((), 0.0)
    if not all(map(math.isfinite, (value, *slopes.values()))):
        raise UsageError(f"a formula of the suite gave {value} of {valid[0].subset}, or its derivative is not finite")
    return value, {name: slope - middle for name, slope in slopes.items()}

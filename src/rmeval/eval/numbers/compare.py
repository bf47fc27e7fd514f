"""Two runs of the same examples: what differs, and which examples flipped.

An example that is invalid in either run is left out of both and counted; the differences of what is left are in
``rmeval.eval.numbers.differences``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rmeval.errors import RunError
from rmeval.eval.numbers.comparable import common_suite, pair, warnings
from rmeval.eval.numbers.credits import Judged, judge
from rmeval.eval.numbers.differences import Differences, PairedOutcome, differences
from rmeval.records import RunRecord

__all__ = ["Comparison", "Flips", "compare"]


@dataclass(frozen=True, slots=True)
class Flips:
    """Ids of the examples whose decision changed, in data-set order."""

    to_right: tuple[str, ...]
    to_wrong: tuple[str, ...]


@dataclass(frozen=True)
class Comparison(Differences):
    """A candidate against a baseline."""

    flips: Mapping[str, Flips]
    """By subset, for every subset of ``subsets``."""
    invalid_in_baseline: tuple[str, ...]
    """Ids of the examples without finite scores in the baseline: left out of everything above."""
    invalid_in_candidate: tuple[str, ...]
    lost: tuple[str, ...]
    """Subsets that have finite scores in the baseline, but no example that has them in both runs."""
    truncated_in_baseline: int
    """Examples with a completion that was too long for the model, among those that both runs have."""
    truncated_in_candidate: int
    not_common: int
    """Examples that only one of the runs has; 0 unless ``common_only`` allowed it."""
    warnings: tuple[str, ...]
    """What a reader must know before believing the numbers, a line each."""


def compare(baseline: RunRecord, candidate: RunRecord, *, common_only: bool = False) -> Comparison:
    """Compare two runs of the same suite on the same examples.

    Args:
        baseline: The run to compare with.
        candidate: The run that may be better or worse.
        common_only: Compare the examples that both runs have, where they are not all the same.

    Raises:
        UsageError: if the runs are of different suites or weights, or of different examples without ``common_only``.
        RunError: if a run's tables do not fit together, or no example is valid in both runs.
    """
    suite = common_suite(baseline, candidate)
    shared, not_common = pair(baseline, candidate, common_only)
    judged = [judge(suite, run) for run in zip(*shared, strict=True)]
    invalid = tuple(tuple(each.example.id for each in run if not each.valid) for run in judged)
    valid_in_baseline = dict.fromkeys(each.example.subset for each in judged[0] if each.valid)
    both = [place for place, run in enumerate(zip(*judged, strict=True)) if all(each.valid for each in run)]
    if not both:
        raise RunError("there is nothing to compare: no example has finite scores in both runs")
    # A formula's parts depend on which examples there are: both runs' are of those that are valid in both.
    ours, theirs = (judge(suite, [run[place].example for place in both]) for run in judged)
    groups: dict[str, list[PairedOutcome]] = {}
    for before, after in zip(ours, theirs, strict=True):
        groups.setdefault(before.example.subset, []).append(_paired(before, after))
    found = differences(suite, baseline.info.weights, groups)
    return Comparison(
        overall=found.overall,
        sections=found.sections,
        subsets=found.subsets,
        flips={name: _flips(group) for name, group in groups.items()},
        invalid_in_baseline=invalid[0],
        invalid_in_candidate=invalid[1],
        lost=tuple(name for name in valid_in_baseline if name not in groups),
        truncated_in_baseline=sum(ours.truncated for ours, _ in shared),
        truncated_in_candidate=sum(theirs.truncated for _, theirs in shared),
        not_common=not_common,
        warnings=tuple(warnings(baseline, candidate, (invalid[0], invalid[1]), not_common)),
    )


def _paired(ours: Judged, theirs: Judged) -> PairedOutcome:
    credits = ours.outcome.credit, theirs.outcome.credit
    turn = (credits[1] > credits[0]) - (credits[1] < credits[0])
    return PairedOutcome(ours.example.id, ours.prompt, ours.counted, theirs.counted, turn)


def _flips(group: Sequence[PairedOutcome]) -> Flips:
    return Flips(
        to_right=tuple(e.id for e in group if e.change > 0),
        to_wrong=tuple(e.id for e in group if e.change < 0),
    )

"""Two runs of the same examples: what differs, how sure that is, and what the data could have shown.

Examples are compared in pairs, each with itself. An example that is invalid in either run is left out of both and
counted. Numbers are computed in fractions, so that equal results have a difference of exactly 0. The statistics are in
``rmeval.eval.signs`` (p), ``rmeval.eval.intervals`` and ``rmeval.eval.paired`` (what the data could have shown).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import nextafter

import numpy as np

from rmeval.errors import RunError
from rmeval.eval.comparable import common_suite, pair, warnings
from rmeval.eval.intervals import CONFIDENCE, limits_of_difference
from rmeval.eval.metrics import outcome, shares
from rmeval.eval.paired import Sample, smallest_detectable
from rmeval.eval.prompts import Prompts, keys
from rmeval.eval.signs import sign_flip
from rmeval.eval.suites import Suite
from rmeval.records import RunRecord

__all__ = [
    "ALPHA",
    "Changes",
    "Comparison",
    "Difference",
    "Differences",
    "Flips",
    "PairedOutcome",
    "compare",
    "difference",
    "differences",
    "differences_of",
]

ALPHA = 0.05
"""Level of the one-sided test that ``smallest_detectable`` is of."""


_BASELINE, _CANDIDATE, _GAIN, _LOSS = range(4)
"""What ``Prompts.credit`` holds: right in the baseline, in the candidate, only in the latter, only in the former."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a difference of two models is computed from."""

    prompts: Prompts
    weights: tuple[Fraction, ...]
    """Of each subset, in the order of ``prompts.subsets``; they add up to 1."""

    def by_prompt(self) -> dict[Fraction, int]:
        """Return how many prompts changed the number by how much."""
        units = [weight / Fraction(n) for weight, n in zip(self.weights, self.prompts.n.tolist(), strict=True)]
        net = self.prompts.credit[_GAIN] - self.prompts.credit[_LOSS]
        found: dict[Fraction, int] = {}
        for kind, count in zip(net.tolist(), self.prompts.count.tolist(), strict=True):
            change = sum((Fraction(x) * unit for x, unit in zip(kind, units, strict=True) if x), Fraction(0))
            found[change] = found.get(change, 0) + int(count)
        return found

    def limits(self, confidence: float, p_drop: float, p_rise: float) -> tuple[float, float]:
        """Return the limits of the difference; on which side of 0 they lie is what the exact tests say."""
        low, high = limits_of_difference(self.prompts, self.weights, _GAIN, _LOSS, confidence)
        level = (1 - confidence) / 2
        high = min(high, nextafter(0, -1)) if p_drop <= level else max(high, 0.0)
        low = max(low, nextafter(0, 1)) if p_rise <= level else min(low, 0.0)
        return low, high


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two accuracies on the same examples. All numbers but counts are shares, not percent."""

    baseline: float
    """The baseline's accuracy on the examples that are valid in both runs, with the suite's weights."""
    candidate: float
    """The candidate's accuracy on the same examples."""
    difference: float
    """``candidate - baseline``: negative is a drop."""
    low: float
    """Lower end of the two-sided 95% interval of the difference; never equal to ``high``. The interval holds 0 exactly
    where ``p`` is more than 5%."""
    high: float
    p: float
    """Two-sided: of an outcome as far from 0 as this one if nothing changed. 1 where no example flipped."""
    p_drop: float
    """One-sided: of a drop as large as this one if nothing changed."""
    p_rise: float
    """One-sided: of a rise as large as this one if nothing changed."""
    smallest_detectable: float | None
    """The smallest true drop that a one-sided test at 5% would find four times in five; None where it would not even
    find so surely that every example became wrong."""
    n: int
    """Examples that are valid in both runs."""
    flipped_to_right: int
    """Examples that only the candidate has right."""
    flipped_to_wrong: int
    """Examples that only the baseline has right."""
    exact: Fraction = field(repr=False)
    """``difference`` without rounding: what is compared with a limit."""
    sample: Sample = field(repr=False)
    """How much data this rests on: what ``smallest_detectable`` is computed from."""
    changes: Changes = field(repr=False, compare=False)
    """What flipped, by prompt: what limits at other levels are computed from."""

    def limits(self, confidence: float) -> tuple[float, float]:
        """Return the limits of the interval with that confidence; each alone is one-sided, at half of the rest."""
        return self.changes.limits(confidence, self.p_drop, self.p_rise)


@dataclass(frozen=True, slots=True)
class Flips:
    """Ids of the examples whose decision changed, in data-set order."""

    to_right: tuple[str, ...]
    to_wrong: tuple[str, ...]


@dataclass(frozen=True)
class Differences:
    """What differs, at every level."""

    overall: Difference | None
    """None where the suite's sections have no row."""
    sections: Mapping[str, Difference]
    """In the order of the suite's weight table; only sections with rows."""
    subsets: Mapping[str, Difference]
    """In the order of the data; only subsets with an example that is valid in both runs."""


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


@dataclass(frozen=True, slots=True)
class PairedOutcome:
    """One example's outcomes in both runs, both valid."""

    id: str
    prompt_hash: str
    baseline: bool
    """True where the baseline is right; a tie is not."""
    candidate: bool


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
    groups: dict[str, list[PairedOutcome]] = {}
    invalid: tuple[list[str], list[str]] = ([], [])
    valid_in_baseline: dict[str, None] = {}
    for ours, theirs in shared:
        kinds = [outcome(each.chosen, each.rejected).kind for each in (ours, theirs)]
        for kind, ids in zip(kinds, invalid, strict=True):
            if kind == "invalid":
                ids.append(ours.id)
        if kinds[0] != "invalid":
            valid_in_baseline[ours.subset] = None
        if "invalid" not in kinds:
            both = PairedOutcome(ours.id, ours.prompt_hash, kinds[0] == "right", kinds[1] == "right")
            groups.setdefault(ours.subset, []).append(both)
    if not groups:
        raise RunError("there is nothing to compare: no example has finite scores in both runs")
    found = differences(suite, baseline.info.weights, groups)
    return Comparison(
        overall=found.overall,
        sections=found.sections,
        subsets=found.subsets,
        flips={name: _flips(group) for name, group in groups.items()},
        invalid_in_baseline=tuple(invalid[0]),
        invalid_in_candidate=tuple(invalid[1]),
        lost=tuple(name for name in valid_in_baseline if name not in groups),
        truncated_in_baseline=sum(ours.truncated for ours, _ in shared),
        truncated_in_candidate=sum(theirs.truncated for _, theirs in shared),
        not_common=not_common,
        warnings=tuple(warnings(baseline, candidate, invalid, not_common)),
    )


def differences(suite: Suite, weights: str | None, groups: Mapping[str, Sequence[PairedOutcome]]) -> Differences:
    """Compute the differences at every level.

    Args:
        suite: Defines sections and the overall number; one without weight tables counts every example alike.
        weights: Name of the suite's weight table.
        groups: The examples of each subset; no subset is empty.
    """
    pairs = [(name, *own) for name, group in groups.items() for own in zip(group, _keys(name, group), strict=True)]
    right = np.array([(each.baseline, each.candidate) for _, each, _ in pairs], dtype=np.float64).T
    credit = np.stack([*right, right[1] * (1 - right[0]), right[0] * (1 - right[1])])
    prompts = Prompts.of([name for name, _, _ in pairs], [key for _, _, key in pairs], credit)
    return differences_of(suite, weights, prompts)


def _keys(subset: str, group: Sequence[PairedOutcome]) -> list[str]:
    return keys([each.prompt_hash for each in group], subset)


def differences_of(suite: Suite, weights: str | None, prompts: Prompts) -> Differences:
    """Compute the differences at every level from outcomes summed by prompt.

    Args:
        suite: As in ``differences``.
        weights: As in ``differences``.
        prompts: The credits are: right in the baseline, in the candidate, only in the candidate, only in the baseline.
    """
    sections, overall = shares(suite, weights, dict(zip(prompts.subsets, prompts.n.tolist(), strict=True)))

    def number(weights: Mapping[str, Fraction]) -> Difference:
        return difference(prompts, weights)

    return Differences(
        overall=number(overall) if overall else None,
        sections={name: number(own) for name, own in sections.items()},
        subsets={name: number({name: Fraction(1)}) for name in prompts.subsets},
    )


def difference(everything: Prompts, weights: Mapping[str, Fraction]) -> Difference:
    """Compute one number's difference.

    Args:
        everything: As in ``differences_of``.
        weights: Of each subset that the number counts; they add up to 1.
    """
    given = [weights.get(name, Fraction(0)) for name in everything.subsets]
    return _difference(Changes(everything.only(given), tuple(weight for weight in given if weight)))


def _difference(changes: Changes) -> Difference:
    prompts, weights = changes.prompts, changes.weights
    exact = prompts.mean(_CANDIDATE, weights) - prompts.mean(_BASELINE, weights)
    p_drop, p_rise = sign_flip(changes.by_prompt())
    low, high = changes.limits(CONFIDENCE, p_drop, p_rise)
    sample = Sample.of(prompts, weights, _GAIN, _LOSS)
    return Difference(
        baseline=float(prompts.mean(_BASELINE, weights)),
        candidate=float(prompts.mean(_CANDIDATE, weights)),
        difference=float(exact),
        low=low,
        high=high,
        p=min(1.0, 2 * min(p_drop, p_rise)),
        p_drop=p_drop,
        p_rise=p_rise,
        smallest_detectable=smallest_detectable(sample, ALPHA),
        n=int(prompts.n.sum()),
        flipped_to_right=int(prompts.total(_GAIN).sum()),
        flipped_to_wrong=int(prompts.total(_LOSS).sum()),
        exact=exact,
        sample=sample,
        changes=changes,
    )


def _flips(group: Sequence[PairedOutcome]) -> Flips:
    return Flips(
        to_right=tuple(e.id for e in group if e.candidate and not e.baseline),
        to_wrong=tuple(e.id for e in group if e.baseline and not e.candidate),
    )

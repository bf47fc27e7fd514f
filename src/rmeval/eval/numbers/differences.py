"""The difference of two models on the same examples, at every level: how large, how sure, which drop is detectable.

Examples are compared in pairs, each with itself. Numbers are computed in fractions, so that equal results have a
difference of exactly 0. The statistics are in ``numbers.significance.paired`` (p), ``numbers.intervals`` and
``numbers.significance.power`` (how large a drop can be detected).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import nextafter

import numpy as np

from rmeval.eval.numbers.intervals import CONFIDENCE, limits_of_difference
from rmeval.eval.numbers.prompts import Prompts, exact
from rmeval.eval.numbers.significance.paired import sign_flip
from rmeval.eval.numbers.significance.power import Sample, smallest_detectable
from rmeval.eval.numbers.weights import shares
from rmeval.eval.suites import Suite

__all__ = [
    "ALPHA",
    "Changes",
    "Difference",
    "Differences",
    "PairedOutcome",
    "difference",
    "differences",
    "differences_of",
]

ALPHA = 0.05
"""Level of the one-sided test that ``smallest_detectable`` is of."""

_BASELINE, _CANDIDATE, _GAIN, _LOSS = range(4)
"""What ``Prompts.credit`` holds: the baseline's credit, the candidate's, by how much it rose, by how much it fell."""


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
            change = sum((exact(x) * unit for x, unit in zip(kind, units, strict=True) if x), Fraction(0))
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
    """Examples for which the candidate has more credit: that only it has right, where credit is 0 or 1."""
    flipped_to_wrong: int
    """Examples for which the baseline has more credit."""
    exact: Fraction = field(repr=False)
    """``difference`` without rounding: what is compared with a limit."""
    sample: Sample = field(repr=False)
    """How much data this rests on: what ``smallest_detectable`` is computed from."""
    changes: Changes = field(repr=False, compare=False)
    """What flipped, by prompt: what limits at other levels are computed from."""

    def limits(self, confidence: float) -> tuple[float, float]:
        """Return the limits of the interval with that confidence; each alone is one-sided, at half of the rest."""
        return self.changes.limits(confidence, self.p_drop, self.p_rise)


@dataclass(frozen=True)
class Differences:
    """What differs, at every level."""

    overall: Difference | None
    """None where the suite's sections have no row."""
    sections: Mapping[str, Difference]
    """In the order of the suite's weight table; only sections with rows."""
    subsets: Mapping[str, Difference]
    """In the order of the data; only subsets with an example that is valid in both runs."""


@dataclass(frozen=True, slots=True)
class PairedOutcome:
    """One example's outcomes in both runs, both valid."""

    id: str
    prompt_hash: str
    baseline: float
    """What the example counts in the baseline: its credit, or its part in a subset's formula."""
    candidate: float
    turn: int | None = None
    """1 where the candidate has more credit, -1 where the baseline has, else 0; None: as the numbers above say."""

    @property
    def change(self) -> int:
        """The sign of the change of the example's credit."""
        return (self.candidate > self.baseline) - (self.candidate < self.baseline) if self.turn is None else self.turn


def differences(suite: Suite, weights: str | None, groups: Mapping[str, Sequence[PairedOutcome]]) -> Differences:
    """Compute the differences at every level.

    Args:
        suite: Defines sections and the overall number; one without weight tables counts every example alike.
        weights: Name of the suite's weight table.
        groups: The examples of each subset; no subset is empty.
    """
    pairs = [(name, each) for name, group in groups.items() for each in group]
    credit = np.array([(each.baseline, each.candidate) for _, each in pairs], dtype=np.float64).T
    change = credit[1] - credit[0]
    credit = np.stack([*credit, np.maximum(change, 0), np.maximum(-change, 0)])
    prompts = Prompts.of([name for name, _ in pairs], [each.prompt_hash for _, each in pairs], credit)
    flips = {
        name: (sum(each.change > 0 for each in group), sum(each.change < 0 for each in group))
        for name, group in groups.items()
    }
    return differences_of(suite, weights, prompts, flips)


def differences_of(
    suite: Suite, weights: str | None, prompts: Prompts, flips: Mapping[str, tuple[int, int]] | None = None
) -> Differences:
    """Compute the differences at every level from credits summed by prompt.

    Args:
        suite: As in ``differences``.
        weights: As in ``differences``.
        prompts: The things are: credit in the baseline, in the candidate, by how much it rose, by how much it fell.
        flips: Of each subset, how many examples have more credit in the candidate, and how many less; None where
            credits are 0 or 1 and say so themselves.
    """
    sections, overall = shares(suite, weights, dict(zip(prompts.subsets, prompts.n.tolist(), strict=True)))

    def number(weights: Mapping[str, Fraction]) -> Difference:
        return difference(prompts, weights, flips)

    return Differences(
        overall=number(overall) if overall else None,
        sections={name: number(own) for name, own in sections.items()},
        subsets={name: number({name: Fraction(1)}) for name in prompts.subsets},
    )


def difference(
    everything: Prompts, weights: Mapping[str, Fraction], flips: Mapping[str, tuple[int, int]] | None = None
) -> Difference:
    """Compute one number's difference.

    Args:
        everything: As in ``differences_of``.
        weights: Of each subset that the number counts; they add up to 1.
        flips: As in ``differences_of``.
    """
    flips = _flips_of(everything) if flips is None else flips
    given = [weights.get(name, Fraction(0)) for name in everything.subsets]
    counted = [flips[name] for name, weight in zip(everything.subsets, given, strict=True) if weight]
    changes = Changes(everything.only(given), tuple(weight for weight in given if weight))
    return _difference(changes, sum(up for up, _ in counted), sum(down for _, down in counted))


def _flips_of(prompts: Prompts) -> dict[str, tuple[int, int]]:
    """Return the flips where credits are 0 or 1."""
    counts = zip(prompts.total(_GAIN).tolist(), prompts.total(_LOSS).tolist(), strict=True)
    return {name: (int(up), int(down)) for name, (up, down) in zip(prompts.subsets, counts, strict=True)}


def _difference(changes: Changes, up: int, down: int) -> Difference:
    prompts, weights = changes.prompts, changes.weights
    change = prompts.mean(_CANDIDATE, weights) - prompts.mean(_BASELINE, weights)
    p_drop, p_rise = sign_flip(changes.by_prompt())
    low, high = changes.limits(CONFIDENCE, p_drop, p_rise)
    sample = Sample.of(prompts, weights, _GAIN, _LOSS)
    return Difference(
        baseline=float(prompts.mean(_BASELINE, weights)),
        candidate=float(prompts.mean(_CANDIDATE, weights)),
        difference=float(change),
        low=low,
        high=high,
        p=min(1.0, 2 * min(p_drop, p_rise)),
        p_drop=p_drop,
        p_rise=p_rise,
        smallest_detectable=smallest_detectable(sample, ALPHA),
        n=int(prompts.n.sum()),
        flipped_to_right=up,
        flipped_to_wrong=down,
        exact=change,
        sample=sample,
        changes=changes,
    )

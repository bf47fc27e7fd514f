"""Two runs of the same examples: what differs, how sure that is, and what the data could have shown.

Examples are compared in pairs, each with itself. An example that is invalid in either run is left out of both and
counted. The statistics are in ``rmeval.eval.paired``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rmeval.errors import RunError
from rmeval.eval.comparable import common_suite, pair, warnings
from rmeval.eval.metrics import outcome
from rmeval.eval.paired import Pairs, Part, Sample, Subset, bootstrap, difference, mcnemar, smallest_detectable, tails
from rmeval.eval.statistics import CONFIDENCE
from rmeval.eval.suites import Suite
from rmeval.records import RunRecord

__all__ = [
    "ALPHA",
    "Comparison",
    "Difference",
    "Differences",
    "Flips",
    "PairedOutcome",
    "compare",
    "differences",
    "shares",
]

ALPHA = 0.05
"""Level of the one-sided test that ``smallest_detectable`` is of."""


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
    """Lower end of the 95% interval of the difference; never equal to ``high``."""
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
    sample: Sample = field(repr=False)
    """How much data this rests on: what ``smallest_detectable`` is computed from."""
    draws: NDArray[np.float64] = field(repr=False, compare=False)
    """The bootstrap's draws of the difference: float64 of shape (draws,)."""


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


def compare(baseline: RunRecord, candidate: RunRecord, *, common_only: bool = False, seed: int = 0) -> Comparison:
    """Compare two runs of the same suite on the same examples.

    Args:
        baseline: The run to compare with.
        candidate: The run that may be better or worse.
        common_only: Compare the examples that both runs have, where they are not all the same.
        seed: Seed of the draws.

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
    found = differences(suite, baseline.info.weights, groups, seed=seed)
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


def differences(
    suite: Suite, weights: str | None, groups: Mapping[str, Sequence[PairedOutcome]], *, seed: int = 0
) -> Differences:
    """Compute the differences at every level.

    Args:
        suite: Defines sections and the overall number; one without weight tables counts every example alike.
        weights: Name of the suite's weight table.
        groups: The examples of each subset; no subset is empty.
        seed: Seed of the draws.
    """
    sections, overall = shares(suite, weights, {name: float(len(group)) for name, group in groups.items()})
    drawn = {
        name: Subset.draw(
            Pairs.of([e.baseline for e in group], [e.candidate for e in group], [e.prompt_hash for e in group]),
            f"{seed}\x1f{name}",
        )
        for name, group in groups.items()
    }

    def number(name: str, weights: Mapping[str, float], *, exact: bool = False) -> Difference:
        parts = [Part(weight, drawn[subset]) for subset, weight in weights.items()]
        return _difference(parts, [groups[subset] for subset in weights], f"{seed}\x1f{name}", exact=exact)

    return Differences(
        overall=number("overall", overall) if overall else None,
        sections={name: number(f"section {name}", own) for name, own in sections.items()},
        subsets={name: number(f"subset {name}", {name: 1.0}, exact=True) for name in groups},
    )


def shares(
    suite: Suite, weights: str | None, sizes: Mapping[str, float]
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
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


def _normal(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _difference(
    parts: Sequence[Part], groups: Sequence[Sequence[PairedOutcome]], seed: str, *, exact: bool
) -> Difference:
    everyone = [example for group in groups for example in group]
    to_right = sum(e.candidate and not e.baseline for e in everyone)
    to_wrong = sum(e.baseline and not e.candidate for e in everyone)
    draws = bootstrap(parts, seed)
    low, high = np.quantile(draws, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    p_drop, p_rise = mcnemar(parts[0].pairs) if exact else tails(draws)
    if not to_right and not to_wrong:
        p_drop = p_rise = 1.0
    shares = [(part.weight / len(group), group) for part, group in zip(parts, groups, strict=True)]
    sample = Sample.of(parts)
    return Difference(
        baseline=sum(unit * sum(e.baseline for e in group) for unit, group in shares),
        candidate=sum(unit * sum(e.candidate for e in group) for unit, group in shares),
        difference=difference(parts),
        low=float(low),
        high=float(high),
        p=min(1.0, 2 * min(p_drop, p_rise)),
        p_drop=p_drop,
        p_rise=p_rise,
        smallest_detectable=smallest_detectable(sample, ALPHA),
        n=len(everyone),
        flipped_to_right=to_right,
        flipped_to_wrong=to_wrong,
        sample=sample,
        draws=draws,
    )


def _flips(group: Sequence[PairedOutcome]) -> Flips:
    return Flips(
        to_right=tuple(e.id for e in group if e.candidate and not e.baseline),
        to_wrong=tuple(e.id for e in group if e.baseline and not e.candidate),
    )

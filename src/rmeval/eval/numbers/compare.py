"""Two runs of the same examples: what differs, and which examples flipped.

An example that is invalid in either run is left out of both and counted; the differences of what is left are in
``rmeval.eval.numbers.differences``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.errors import RunError, UsageError
from rmeval.eval.numbers.credits import Judged, judge
from rmeval.eval.numbers.differences import Differences, PairedOutcome, differences
from rmeval.eval.suites import Suite, suite_of
from rmeval.records import RunRecord, as_run, scored_examples
from rmeval.run_info import in_short
from rmeval.types import ScoredExample

__all__ = ["Comparison", "Flips", "compare", "pair"]


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
    partial: tuple[str, ...]
    """Why the runs are no whole benchmark, in short: a line, or one of each where the reasons differ."""
    warnings: tuple[str, ...]
    """What a reader must know before believing the numbers, a line each; those of ``partial`` are among them."""


def compare(
    baseline: RunRecord | str | Path, candidate: RunRecord | str | Path, *, common_only: bool = False
) -> Comparison:
    """Compare two runs of the same suite on the same examples.

    Args:
        baseline: The run to compare with, or its folder.
        candidate: The run that may be better or worse, or its folder.
        common_only: Compare the examples that both runs have, where they are not all the same.

    Raises:
        UsageError: if the runs are of different suites or weights, or of different examples without ``common_only``.
        RunError: if there is no run, its tables do not fit together, or no example is valid in both runs.
    """
    baseline, candidate = as_run(baseline, with_text=False), as_run(candidate, with_text=False)
    suite = _common_suite(baseline, candidate)
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
        partial=_partial(baseline, candidate),
        warnings=tuple(_warnings(baseline, candidate, (invalid[0], invalid[1]), not_common)),
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


# --- may they be compared? what forbids it is an error, what a reader must know is a warning ------------------------


def _common_suite(baseline: RunRecord, candidate: RunRecord) -> Suite:
    """Return the suite of both runs.

    Raises:
        UsageError: if they are of different suites or weights, or this rmeval does not know the suite.
        RunError: if this rmeval does not know the weights.
    """
    ours, theirs = baseline.info, candidate.info
    if ours.suite != theirs.suite:
        raise UsageError(
            f"the runs cannot be compared: the baseline is of suite {ours.suite}, the candidate of {theirs.suite}"
        )
    if ours.weights != theirs.weights:
        raise UsageError(
            f"the runs cannot be compared: the baseline has the weights {ours.weights}, the candidate {theirs.weights}"
            " (score one again with the other's --weights; the journal has the scores)"
        )
    if ours.suite_file != theirs.suite_file:
        raise UsageError(
            f"the runs cannot be compared: their suite files of {ours.suite} differ; score one again with the other's"
        )
    suite = suite_of(ours)
    if suite.weights and ours.weights not in suite.weights:
        raise RunError(f"{suite.name} has no weights {ours.weights!r} in this rmeval")
    return suite


def pair(
    baseline: RunRecord, candidate: RunRecord, common_only: bool
) -> tuple[list[tuple[ScoredExample, ScoredExample]], int]:
    """Return the examples of both runs side by side, in the baseline's order, and how many only one run has.

    Raises:
        UsageError: if not all are the same and ``common_only`` is not set, or none is.
    """
    ours, theirs = _by_content(baseline), _by_content(candidate)
    shared = [(example, theirs[content]) for content, example in ours.items() if content in theirs]
    only_ours, only_theirs = len(ours) - len(shared), len(theirs) - len(shared)
    if not shared:
        raise UsageError("the runs cannot be compared: they have no example in common")
    if only_ours or only_theirs:
        what = f"{only_ours:,} only in the baseline, {only_theirs:,} only in the candidate, {len(shared):,} in both"
    else:
        what = "the same ones in another order"
    if baseline.info.data.fingerprint != candidate.info.data.fingerprint and not common_only:
        raise UsageError(f"the runs are of different examples: {what}; --common-only compares those in both")
    return shared, only_ours + only_theirs


def _by_content(run: RunRecord) -> dict[tuple[object, ...], ScoredExample]:
    """Return a run's examples by id and content: an id alone may name another text in another file."""
    scored = scored_examples(run)
    hashes = run.examples_table.column("completion_hashes").to_pylist()
    return {(e.id, e.subset, e.prompt_hash, len(e.chosen), *own): e for e, own in zip(scored, hashes, strict=True)}


def _warnings(
    baseline: RunRecord, candidate: RunRecord, invalid: tuple[Sequence[str], Sequence[str]], not_common: int
) -> list[str]:
    """Return what a reader must know before believing the comparison, a line each.

    Args:
        baseline: The one run.
        candidate: The other.
        invalid: Ids of the examples without finite scores, in each.
        not_common: How many examples only one of them has.
    """
    found = []
    if not_common:
        found.append(f"left out: {not_common:,} examples that only one of the runs has")
    left_out = set(invalid[0]) | set(invalid[1])
    if left_out:
        found.append(
            f"left out: {len(left_out):,} examples without a finite score"
            f" ({len(invalid[0]):,} in the baseline, {len(invalid[1]):,} in the candidate)"
        )
    for name, own in (("baseline", baseline.info), ("candidate", candidate.info)):
        if own.model.untrained_head:
            found.append(f"the {name}'s head is untrained: its scores are noise")
    found += _partial(baseline, candidate)
    ours, theirs = baseline.info.model, candidate.info.model
    if "baseline" not in (ours.kind, theirs.kind):  # Reference lines read neither templates nor tokens.
        if ours.template_hash != theirs.template_hash:
            found.append("the chat templates differ")
        if ours.max_length != theirs.max_length:
            found.append(f"the maximum lengths differ: {ours.max_length} and {theirs.max_length} tokens")
    return found


def _partial(baseline: RunRecord, candidate: RunRecord) -> tuple[str, ...]:
    ours, theirs = in_short(baseline.info.partial_reasons), in_short(candidate.info.partial_reasons)
    if ours == theirs:
        return (f"both runs are partial: {ours}",) if ours else ()
    both = {"baseline": ours, "candidate": theirs}
    return tuple(f"the {name} is partial: {why}" for name, why in both.items() if why)

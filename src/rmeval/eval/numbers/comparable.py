"""May two runs be compared? What forbids it is an error, what a reader must know is a warning."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.errors import RunError, UsageError
from rmeval.eval.suites import Suite, suite_of
from rmeval.records import RunRecord, scored_examples
from rmeval.types import ScoredExample

__all__ = ["common_suite", "pair", "warnings"]


def common_suite(baseline: RunRecord, candidate: RunRecord) -> Suite:
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


def warnings(
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
    for name, own, other in (("baseline", baseline.info, candidate.info), ("candidate", candidate.info, baseline.info)):
        if own.model.untrained_head:
            found.append(f"the {name}'s head is untrained: its scores are noise")
        found += [f"the {name} is partial: {why}" for why in own.partial_reasons if why not in other.partial_reasons]
    shared = [why for why in baseline.info.partial_reasons if why in candidate.info.partial_reasons]
    found += [f"both runs are partial: {why}" for why in shared]
    ours, theirs = baseline.info.model, candidate.info.model
    if "baseline" not in (ours.kind, theirs.kind):  # Reference lines read neither templates nor tokens.
        if ours.template_hash != theirs.template_hash:
            found.append("the chat templates differ")
        if ours.max_length != theirs.max_length:
            found.append(f"the maximum lengths differ: {ours.max_length} and {theirs.max_length} tokens")
    return found

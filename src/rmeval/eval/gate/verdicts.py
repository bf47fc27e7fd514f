"""One rule and what it looks at in, one verdict out.

A rule for an accuracy fails when the drop exceeds its limit **and** is significant: the one-sided p of "it did not
drop" is at most alpha, after Holm's adjustment over all rules that were tested. So a limit is what the user tolerates
of a drop that is real; it is no claim to prove. Who needs a proof that the drop is below a margin asks for
non-inferiority: then a rule passes only where the data shows it. There all rules have to pass, so each
is tested at alpha (an intersection-union test: Berger, 1982, Technometrics 24(4)).

Speed and counts are compared as they are. Floors too: they are promises about a number, not about its causes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from rmeval.errors import RunError
from rmeval.eval.gate.rules import GateRule, Mode
from rmeval.eval.numbers.compare import Comparison
from rmeval.eval.numbers.differences import Difference
from rmeval.eval.numbers.prompts import exact
from rmeval.eval.numbers.significance.power import smallest_detectable
from rmeval.eval.numbers.weights import shares
from rmeval.eval.suites import suite_of
from rmeval.records import RunRecord
from rmeval.run_info import SubsetResult

__all__ = ["Line", "Verdict", "judge_accuracy", "judge_count", "judge_floor", "judge_throughput", "points"]

_HALVINGS = 40

Verdict: TypeAlias = Literal["pass", "improvement", "cannot tell", "regression"]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at, and what came of it."""

    rule: GateRule
    name: str | None
    """Of the section or subset; None for the other kinds."""
    verdict: Verdict
    failed: bool
    reason: str
    """Why this verdict, without the name."""
    baseline: float | None
    """A share, completions a second, or a count; None for a floor."""
    candidate: float | None
    """None where it is not known."""
    difference: Difference | None = None
    """For accuracies that were compared."""
    p: float | None = None
    """One-sided p of a drop, adjusted for all rules that were tested; in a test of non-inferiority, its p."""
    p_rise: float | None = None
    """One-sided p of a rise, adjusted for all rules that were tested."""
    bound: float | None = None
    """The one-sided bound of the difference at the confidence 1 - alpha, of this number alone: by how much it dropped
    at least (the upper bound, below 0 where that is significant); in a test of non-inferiority, at most (the lower)."""
    smallest_detectable: float | None = None
    """The minimum detectable drop: the smallest true one that this rule finds with 80% power; None where none is."""

    @property
    def shown_p(self) -> float | None:
        """The p of what the verdict says: of a rise for an improvement, else ``p``."""
        return self.p_rise if self.verdict == "improvement" else self.p

    @property
    def target(self) -> str:
        """What was looked at: ``overall``, ``section Safety``, …."""
        return self.rule.kind if self.name is None else f"{self.rule.kind} {self.name}"


def judge_accuracy(
    rule: GateRule,
    name: str | None,
    found: Difference,
    *,
    drop: float,
    rise: float,
    tests: int,
    alpha: float,
    mode: Mode,
) -> Line:
    """Judge an accuracy against the baseline's.

    Args:
        rule: The rule.
        name: Of the section or subset.
        found: What was measured.
        drop: One-sided p of a drop, adjusted.
        rise: One-sided p of a rise, adjusted.
        tests: For how many tests they are adjusted.
        alpha: How often the rules together may fail although nothing changed.
        mode: What has to be shown.
    """
    fell, limit = -found.exact, exact_limit(rule)
    p, level = drop, alpha / tests  # Holm's first step: what is found here is found whatever the others find.
    low, high = found.limits(1 - 2 * alpha)
    if mode == "noninferiority":
        p, level = p_above(found, -rule.limit), alpha
    allowed = f", {points(limit)} allowed" if limit else ""
    verdict: Verdict
    if rise <= alpha:
        verdict, reason = "improvement", f"rose by {points(-fell)}, significant (one-sided p {_p(rise)})"
    elif fell > limit and drop <= alpha:
        verdict, reason = "regression", f"dropped by {points(fell)}{allowed}, significant (one-sided p {_p(drop)})"
    elif mode == "noninferiority":
        verdict = "pass" if p <= alpha else "cannot tell"
        shown = "shown" if p <= alpha else "not shown"
        reason = f"{shown} to have dropped by less than {points(limit)} (one-sided p {_p(p)})"
    elif fell > limit:
        verdict = "cannot tell"
        reason = f"dropped by {points(fell)}, not significant (one-sided p {_p(drop)})"
    else:
        verdict = "pass"
        reason = f"dropped by {points(fell)}{allowed}" if fell > 0 else "did not drop"
    least = smallest_detectable(found.sample, level)
    failed = _fails(verdict, mode)
    bound = low if mode == "noninferiority" else high
    return Line(rule, name, verdict, failed, reason, found.baseline, found.candidate, found, p, rise, bound, least)


def exact_limit(rule: GateRule) -> Fraction:
    """Return a rule's limit as it was written: 0.1 is one tenth, not the float beside it."""
    return Fraction(repr(rule.limit))


def p_above(found: Difference, margin: float) -> float:
    """Return the one-sided p of a difference this large if the true one were ``margin``: by inverting the limits."""
    above = found.difference > margin
    low, high = 0.0, 0.5
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        ends = found.limits(1 - 2 * middle)
        if (ends[0] > margin) if above else (ends[1] < margin):
            high = middle
        else:
            low = middle
    return high if above else 1 - high


def judge_throughput(rule: GateRule, baseline: RunRecord, candidate: RunRecord, mode: Mode) -> Line:
    """Judge completions a second against the baseline's."""
    before, after = _throughput(baseline), _throughput(candidate)
    verdict: Verdict
    if before is None or after is None:
        which = "baseline" if before is None else "candidate"
        verdict, reason = (
            "cannot tell",
            f"was not measured: the {which} took scores from the journal; score it again with --no-cache",
        )
    else:
        slower = 1 - after / before
        verdict = "regression" if slower > rule.limit else "pass"
        how = f"{abs(slower):.1%} {'slower' if slower > 0 else 'faster'}"
        reason = f"{how} (completions a second), {rule.limit:.1%} slower allowed"
    return Line(rule, None, verdict, _fails(verdict, mode), reason, before, after)


def judge_count(rule: GateRule, found: Comparison) -> Line:
    """Judge how many examples are invalid or truncated against the baseline's."""
    if rule.kind == "invalid":
        before, after = len(found.invalid_in_baseline), len(found.invalid_in_candidate)
    else:
        before, after = found.truncated_in_baseline, found.truncated_in_candidate
    verdict: Verdict = "regression" if after - before > rule.limit else "pass"
    reason = f"{before:,} to {after:,} examples, {rule.limit:,.0f} more allowed"
    return Line(rule, None, verdict, verdict == "regression", reason, float(before), float(after))


def judge_floor(rule: GateRule, name: str | None, run: RunRecord) -> Line:
    """Judge a number of the candidate against the lowest value allowed; of a count, the highest.

    Raises:
        RunError: if the candidate does not have the number.
    """
    value = _value(rule, name, run)
    if value is None:
        why = "the journal gave scores" if rule.kind == "throughput" else "no example has finite scores"
        raise RunError(f"floor {rule.text!r}: the candidate has no such number, because {why}")
    is_count = rule.kind in ("invalid", "truncated")
    failed = value > exact_limit(rule) if is_count else value < exact_limit(rule)
    value = float(value)
    shown, limit = (f"{100 * x:.2f}%" if rule.of_accuracy else f"{x:,.10g}" for x in (value, rule.limit))
    side = ("above" if is_count else "below") if failed else "within"
    return Line(rule, name, "regression" if failed else "pass", failed, f"{shown} is {side} {limit}", None, value)


def _value(rule: GateRule, name: str | None, run: RunRecord) -> Fraction | float | None:
    results = run.info.results
    if rule.kind in ("invalid", "truncated"):
        return float(sum(getattr(subset, rule.kind) for subset in results.subsets.values()))
    if rule.kind == "throughput":
        return _throughput(run)
    counts = {name: _exactly(each) for name, each in results.subsets.items() if each.accuracy is not None}
    sizes = {name: float(results.subsets[name].n) for name in counts}
    sections, overall = shares(suite_of(run.info), run.info.weights, sizes)
    parts = overall if name is None else sections.get(name, {}) if rule.kind == "section" else {name: Fraction(1)}
    counted = [weight * counts[subset] for subset, weight in parts.items() if subset in counts]
    return sum(counted, Fraction(0)) if counted else None


def _exactly(result: SubsetResult) -> Fraction:
    """Return an accuracy as the fraction that it is."""
    plain = Fraction(result.right, result.n)
    return plain if float(plain) == result.accuracy else exact(result.accuracy or 0.0)


def _throughput(run: RunRecord) -> float | None:
    """Return completions a second of scoring; None where the journal gave some of the scores."""
    accounting, seconds = run.info.accounting, run.info.timing.scoring_seconds
    if accounting is not None and accounting.recalled is None:  # A run of 0.1 tells by its tokens only.
        recalled = accounting.computed < accounting.distinct
    else:
        recalled = bool(accounting and accounting.recalled)
    if seconds <= 0 or recalled:
        return None
    return float(run.scores_table.num_rows) / seconds


def _fails(verdict: Verdict, mode: Mode) -> bool:
    return verdict == "regression" or (mode == "noninferiority" and verdict == "cannot tell")


def points(share: float | Fraction) -> str:
    """Return a difference of accuracies as text."""
    return f"{100 * float(share):.2f} points"


def _p(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"

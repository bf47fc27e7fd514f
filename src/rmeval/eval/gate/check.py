"""The gate: rules and floors in, a verdict for each out. What a verdict means is in ``rmeval.eval.gate.verdicts``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rmeval.errors import RunError, UsageError
from rmeval.eval.gate.rules import DEFAULT_RULES, GateRule, Mode, matching, parse_rule
from rmeval.eval.gate.verdicts import Line, judge_accuracy, judge_count, judge_floor, judge_throughput, points
from rmeval.eval.numbers.compare import Comparison, compare
from rmeval.eval.numbers.differences import ALPHA, Difference, Differences
from rmeval.eval.numbers.significance.holm import holm
from rmeval.records import RunRecord, as_run
from rmeval.run_info import Results, in_short

__all__ = ["LEAST_ALPHA", "Gate", "check", "judge_accuracies"]

LEAST_ALPHA = 1e-9
"""No smaller alpha: p is exact far below it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """All lines and what must be known beside them."""

    lines: tuple[Line, ...]
    """In the order of the rules, then of the floors."""
    partial: tuple[str, ...]
    """Why the runs are no whole benchmark, in short: a line, or one of each where the reasons differ."""
    warnings: tuple[str, ...]
    """What must be known, a line each; those of ``partial`` are among them."""
    alpha: float
    mode: Mode
    baseline: RunRecord | None
    candidate: RunRecord
    comparison: Comparison | None
    """None where only floors were asked for."""

    @property
    def passed(self) -> bool:
        """True where no line failed."""
        return not any(line.failed for line in self.lines)


def check(
    candidate: RunRecord | str | Path,
    baseline: RunRecord | str | Path | None = None,
    *,
    rules: Sequence[GateRule | str] | None = None,
    floors: Sequence[GateRule] = (),
    alpha: float = ALPHA,
    mode: Mode = "regression",
    margin: float | None = None,
    common_only: bool = False,
) -> Gate:
    """Judge a candidate against a baseline, against floors, or both.

    Args:
        candidate: The run that may be better or worse, or its folder.
        baseline: The run to compare with, or its folder; None to look at the floors alone.
        rules: What may drop by how much, such as ``"overall:1%"``; None for ``overall:0`` and ``section:*:0``.
        floors: Lowest values allowed (of counts, highest).
        alpha: How often the rules together may fail although nothing changed.
        mode: ``noninferiority`` to let only pass what is shown to have dropped by less than its margin.
        margin: The margin of rules whose limit is 0, in a test of non-inferiority.
        common_only: Compare the examples that both runs have, where they are not all the same.

    Raises:
        UsageError: if the runs cannot be compared, or a rule names what they do not have.
        RunError: if a run's tables do not fit together, or what a rule looks at has no finite score.
    """
    if not 0 < alpha < 0.5:
        raise UsageError(f"alpha must lie between 0 and 0.5, not {alpha:g}")
    if alpha < LEAST_ALPHA:
        raise UsageError(f"alpha {alpha:g} is too small: p is computed down to {LEAST_ALPHA:g}")
    candidate = as_run(candidate, with_text=False)
    baseline = None if baseline is None else as_run(baseline, with_text=False)
    lines: list[Line] = []
    comparison = None
    warnings: list[str] = []
    if baseline is not None:
        comparison = compare(baseline, candidate, common_only=common_only)
        if comparison.lost:
            raise RunError(f"subset {comparison.lost[0]} cannot be compared: the candidate has no finite score in it")
        given = DEFAULT_RULES if rules is None else rules
        asked = [parse_rule(rule) if isinstance(rule, str) else rule for rule in given]
        lines = judge_accuracies(asked, comparison, alpha=alpha, mode=mode, margin=margin)
        lines += _others(asked, baseline, candidate, comparison, mode)
        partial = comparison.partial
        warnings = [*comparison.warnings, *_too_little_data(lines), *_other_machines(lines, baseline, candidate)]
    else:
        why = in_short(candidate.info.partial_reasons)
        partial = (f"the candidate is partial: {why}",) if why else ()
        warnings += partial
    lines += [judge_floor(rule, name, candidate) for rule, name in _expand(floors, candidate.info.results)]
    if not lines:
        raise UsageError("there is nothing to check: no rule matches anything in these runs")
    return Gate(tuple(lines), partial, tuple(warnings), alpha, mode, baseline, candidate, comparison)


def judge_accuracies(
    rules: Sequence[GateRule],
    found: Differences,
    *,
    alpha: float,
    mode: Mode = "regression",
    margin: float | None = None,
) -> list[Line]:
    """Judge the rules for accuracies, which are tested together; the arguments are those of ``check``."""
    asked = [_with_margin(rule, mode, margin) for rule in rules if rule.of_accuracy]
    tested = [(rule, name, _pick(found, rule, name)) for rule, name in _specific(_expand(asked, found))]
    drops = holm([difference.p_drop for _, _, difference in tested])
    rises = holm([difference.p_rise for _, _, difference in tested])
    return [
        judge_accuracy(rule, name, difference, drop=drop, rise=rise, tests=len(tested), alpha=alpha, mode=mode)
        for (rule, name, difference), drop, rise in zip(tested, drops, rises, strict=True)
    ]


def _with_margin(rule: GateRule, mode: Mode, margin: float | None) -> GateRule:
    if mode == "regression" or rule.limit > 0:
        return rule
    if not margin:
        raise UsageError(f"rule {rule.text!r} needs a margin for a test of non-inferiority: pass --margin 1%")
    return replace(rule, limit=margin)


def _expand(rules: Sequence[GateRule], found: Differences | Results) -> list[tuple[GateRule, str | None]]:
    """Return each rule with each name that it means."""
    expanded: list[tuple[GateRule, str | None]] = []
    for rule in rules:
        if rule.name is None:
            expanded.append((rule, None))
        else:
            known = list(found.sections if rule.kind == "section" else found.subsets)
            expanded += [(rule, name) for name in matching(rule, known)]
    return expanded


def _specific(expanded: Sequence[tuple[GateRule, str | None]]) -> list[tuple[GateRule, str | None]]:
    """Keep one rule for each thing: one that names it rather than one with a ``*``, else the last."""
    chosen: dict[tuple[str, str | None], GateRule] = {}
    for rule, name in expanded:
        other = chosen.get((rule.kind, name))
        if other is None or rule.name == name or other.name != name:
            chosen[rule.kind, name] = rule
    return [(rule, name) for (_, name), rule in chosen.items()]


def _others(
    rules: Sequence[GateRule], baseline: RunRecord, candidate: RunRecord, found: Comparison, mode: Mode
) -> Iterator[Line]:
    """Judge the rules that are not for accuracies."""
    for rule, _ in _specific([(rule, None) for rule in rules if not rule.of_accuracy]):
        if rule.kind == "throughput":
            yield judge_throughput(rule, baseline, candidate, mode)
        else:
            yield judge_count(rule, found)


def _pick(found: Differences, rule: GateRule, name: str | None) -> Difference:
    if name is not None:
        return (found.sections if rule.kind == "section" else found.subsets)[name]
    if found.overall is None:
        raise UsageError(f"rule {rule.text!r}: the runs have no overall number: no row is of the suite's sections")
    return found.overall


def _too_little_data(lines: Sequence[Line]) -> Iterator[str]:
    """Say where a drop as large as a rule's limit could hardly have been found, and was not."""
    found = []
    for line in lines:
        least, limit = line.smallest_detectable, line.rule.limit
        judged = line.difference is not None and line.verdict in ("pass", "cannot tell")
        if judged and limit > 0 and (least is None or least > limit):
            detectable = "no drop is detectable" if least is None else f"minimum detectable drop {points(least)}"
            found.append(f"too few examples for {line.target} at {points(limit)}: {detectable} (80% power)")
    if found:
        more = {1: "", 2: "; so it is for 1 more rule"}.get(len(found), f"; so it is for {len(found) - 1:,} more rules")
        yield found[0] + more


def _other_machines(lines: Sequence[Line], baseline: RunRecord, candidate: RunRecord) -> Iterator[str]:
    if any(line.rule.kind == "throughput" for line in lines):
        ours, theirs = baseline.info.environment, candidate.info.environment
        differ = [key for key in ("cpu", "cores", "gpu", "gpus", "torch") if ours.get(key) != theirs.get(key)]
        if differ:
            yield f"throughput: the machines differ ({', '.join(differ)})"

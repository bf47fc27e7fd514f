"""Two benches, cell by cell: what got worse, beyond a limit and beyond the noise.

Machines differ, and one machine differs from day to day. So speed is compared as a share of what the machine could do
in the same run (the roof) wherever both benches know it, and in absolute terms only where one does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from rmeval.bench.storage import CellRow, Document
from rmeval.errors import UsageError
from rmeval.eval.gate.rules import parse_limit, split_rule

Kind: TypeAlias = Literal["throughput", "latency", "memory", "flips"]
Verdict: TypeAlias = Literal["worse", "better", "same", "inside the noise", "cannot tell"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class BenchRule:
    """One thing that is compared, and how much worse it may be."""

    kind: Kind
    limit: float | None
    """A share of the old value; for flips, how many more. None: shown, never failed."""
    fail_on_noise: bool = False
    """Fail where the noise is larger than the limit, so that nothing can be told."""


@dataclass(frozen=True, slots=True)
class BenchLine:
    """One cell under one rule."""

    cell: str
    kind: Kind
    basis: str
    """What the two numbers are."""
    before: float | None
    after: float | None
    worse_by: float | None
    """Share of the old value, positive for worse; for flips, how many more. None where a number is missing."""
    noise: float | None
    """Of the two numbers, as a share; None where it is not known."""
    limit: float | None
    verdict: Verdict
    failed: bool
    reason: str | None = None
    """Why there is no number."""


@dataclass(frozen=True, slots=True)
class BenchComparison:
    """What came of it."""

    lines: tuple[BenchLine, ...]
    left_out: tuple[str, ...]
    """Cells that only one of the two has."""
    warnings: tuple[str, ...]
    """Differences between the two that a reader must know of."""

    @property
    def passed(self) -> bool:
        """True where no rule failed."""
        return not any(line.failed for line in self.lines)


def parse_rule(text: str) -> BenchRule:
    """Parse ``throughput:10%``, ``latency:0.2``, ``memory:5%`` or ``flips:0``.

    Raises:
        UsageError: if it is none of these.
    """
    where = f"rule {text!r}"
    kind, limit = split_rule(text, KINDS, where)
    return BenchRule(kind, parse_limit(kind, limit, where, counts=("flips",), example="10%"))


def compare(old: Document, new: Document, rules: Sequence[BenchRule] = ()) -> BenchComparison:
    """Compare the cells that both benches planned.

    Args:
        old: The one to hold against.
        new: The one to judge.
        rules: What to compare; none for throughput without a limit.

    Raises:
        UsageError: if they have no measured cell in common.
    """
    rules = rules or (BenchRule("throughput", None),)
    before = {str(row["name"]): row for row in old["rmeval"]["cells"] if row["status"] == "measured"}
    after = {str(row["name"]): row for row in new["rmeval"]["cells"]}
    common = [name for name in before if after.get(name, {}).get("status") not in (None, "planned")]
    if not common:
        raise UsageError("the two benches have no measured cell in common: compare the same batch sizes and lengths")
    lines = [_judge(rule, before[name], after[name]) for rule in rules for name in common]
    measured = {name for name, row in after.items() if row["status"] == "measured"}
    left_out = sorted((set(before) - set(common)) | (measured - set(before)))
    return BenchComparison(tuple(lines), tuple(left_out), tuple(_warnings(old["rmeval"], new["rmeval"])))


def _judge(rule: BenchRule, before: CellRow, after: CellRow) -> BenchLine:
    cell = str(before["name"])
    if after["status"] != "measured":
        gone = after["status"] == "does not fit"
        reason = f"{after['status']}: {after['reason']}"
        basis, old, _ = _values(rule.kind, before, before)
        return BenchLine(
            cell, rule.kind, basis, old, None, None, None, rule.limit, "worse" if gone else "same", gone, reason
        )
    basis, old, new = _values(rule.kind, before, after)
    if old is None or new is None:
        return BenchLine(cell, rule.kind, basis, old, new, None, None, rule.limit, "same", False, "not known in both")
    worse_by = _worse_by(rule.kind, old, new)
    noise = _noise(before, after) if rule.kind in ("throughput", "latency") else 0.0
    beyond = worse_by > (rule.limit or 0.0) + 1e-9  # The last digit of a quotient is no change.
    quiet = noise is not None and abs(worse_by) <= noise and worse_by != 0
    verdict: Verdict = "worse" if beyond else "better" if worse_by < 0 else "same"
    if quiet:
        # Noise larger than the limit hides what the rule asks about: to pass would be a claim.
        hidden = rule.limit is not None and noise is not None and noise > rule.limit
        verdict = "cannot tell" if hidden else "inside the noise"
    failed = rule.limit is not None and (verdict == "worse" or (verdict == "cannot tell" and rule.fail_on_noise))
    return BenchLine(cell, rule.kind, basis, old, new, worse_by, noise, rule.limit, verdict, failed)


def _worse_by(kind: Kind, old: float, new: float) -> float:
    if kind == "flips":
        return new - old
    return 1 - new / old if kind == "throughput" else new / old - 1


def _values(kind: Kind, before: CellRow, after: CellRow) -> tuple[str, float | None, float | None]:
    """Return what is compared and the two numbers."""
    if kind == "flips":
        return "decisions flipped", _number(before, "flips"), _number(after, "flips")
    if kind == "memory":
        name = "device_peak_bytes" if before["device_peak_bytes"] else "host_peak_bytes"
        return name.replace("_", " "), _number(before, name), _number(after, name)
    rooted = before["share_of_roof"] and after["share_of_roof"]
    if kind == "throughput":
        name = "share_of_roof" if rooted else "completions_per_second"
        basis = "share of the roof" if rooted else "completions/s"
        return basis, _number(before, name), _number(after, name)
    old, new = _number(before, "p95"), _number(after, "p95")
    if not rooted or old is None or new is None:
        return "p95 seconds", old, new
    return "p95 in times of the roof", old / float(before["roof_seconds"] or 1), new / float(after["roof_seconds"] or 1)


def _number(row: CellRow, name: str) -> float | None:
    value = row[name]
    return None if value is None else float(value)


def _noise(before: CellRow, after: CellRow) -> float | None:
    """Return by what share two numbers may differ where nothing did: each may be off by its own noise."""
    known = [value for value in (_number(before, "noise"), _number(after, "noise")) if value is not None]
    return sum(known) if len(known) == 2 else None


def _warnings(old: Document, new: Document) -> list[str]:
    found = []
    for name in ("cpu", "gpu", "torch", "transformers"):
        before, after = old.get("environment", {}).get(name), new.get("environment", {}).get(name)
        if before != after:
            found.append(f"{name} differs: {before} and {after}")
    if old["sweep"]["model"] != new["sweep"]["model"]:
        found.append(f"the models differ: {old['sweep']['model']} and {new['sweep']['model']}")
    sets = [{(each["set"], each["decisions"]) for each in own["fidelity"].values()} for own in (old, new)]
    if sets[0] != sets[1]:
        found.append("decisions were compared on other sets")
    return found

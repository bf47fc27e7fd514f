"""Two benches, cell by cell: what got worse, beyond a limit and beyond the noise.

Machines differ, and one machine differs from day to day. So speed is compared as a share of what the machine could do
in the same run (the roofline) wherever both benches know it, and in absolute terms only where one does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rmeval.bench_info import (
    KINDS,
    BenchComparison,
    BenchDocument,
    BenchInfo,
    BenchLine,
    CellRow,
    Kind,
    MeasuredRow,
    Verdict,
)
from rmeval.errors import UsageError
from rmeval.eval.gate.rules import parse_limit, split_rule


@dataclass(frozen=True, slots=True)
class BenchRule:
    """One thing that is compared, and how much worse it may be."""

    kind: Kind
    limit: float | None
    """A share of the old value; for flips, how many more. None: shown, never failed."""
    fail_on_noise: bool = False
    """Fail where the noise is larger than the limit, so that nothing can be told."""


def parse_rule(text: str) -> BenchRule:
    """Parse ``throughput:10%``, ``latency:0.2``, ``memory:5%`` or ``flips:0``.

    Raises:
        UsageError: if it is none of these.
    """
    where = f"rule {text!r}"
    kind, limit = split_rule(text, KINDS, where)
    return BenchRule(kind, parse_limit(kind, limit, where, counts=("flips",), example="10%"))


def compare(old: BenchDocument, new: BenchDocument, rules: Sequence[BenchRule] = ()) -> BenchComparison:
    """Compare the cells that both benches planned.

    Args:
        old: The one to hold against.
        new: The one to judge.
        rules: What to compare; none for throughput without a limit.

    Raises:
        UsageError: if they have no measured cell in common.
    """
    rules = rules or (BenchRule("throughput", None),)
    before = {row["name"]: row for row in old["rmeval"]["cells"] if row["status"] == "measured"}
    after = {row["name"]: row for row in new["rmeval"]["cells"]}
    common = [name for name in before if name in after and after[name]["status"] != "planned"]
    if not common:
        raise UsageError("the two benches have no measured cell in common: compare the same batch sizes and lengths")
    lines = [_judge(rule, before[name], after[name]) for rule in rules for name in common]
    measured = {name for name, row in after.items() if row["status"] == "measured"}
    left_out = sorted((set(before) - set(common)) | (measured - set(before)))
    return BenchComparison(tuple(lines), tuple(left_out), tuple(_warnings(old["rmeval"], new["rmeval"])))


def _judge(rule: BenchRule, before: MeasuredRow, after: CellRow) -> BenchLine:
    cell = before["name"]
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
        verdict = "cannot tell" if hidden else "inconclusive"
    failed = rule.limit is not None and (verdict == "worse" or (verdict == "cannot tell" and rule.fail_on_noise))
    return BenchLine(cell, rule.kind, basis, old, new, worse_by, noise, rule.limit, verdict, failed)


def _worse_by(kind: Kind, old: float, new: float) -> float:
    if kind == "flips":
        return new - old
    return 1 - new / old if kind == "throughput" else new / old - 1


def _values(kind: Kind, before: MeasuredRow, after: MeasuredRow) -> tuple[str, float | None, float | None]:
    """Return what is compared and the two numbers."""
    if kind == "flips":
        return "decisions flipped", _float(before["flips"]), _float(after["flips"])
    if kind == "memory":
        name: Literal["device_peak_bytes", "host_peak_bytes"] = (
            "device_peak_bytes" if before["device_peak_bytes"] else "host_peak_bytes"
        )
        return name.replace("_", " "), _float(before[name]), _float(after[name])
    rooted = before["share_of_roof"] and after["share_of_roof"]
    if kind == "throughput" and rooted:
        return "share of the roofline", before["share_of_roof"], after["share_of_roof"]
    if kind == "throughput":
        return "completions/s", before["completions_per_second"], after["completions_per_second"]
    old, new = before["p95"], after["p95"]
    if not rooted:
        return "p95 seconds", old, new
    return "p95 in times of the roofline", old / (before["roof_seconds"] or 1), new / (after["roof_seconds"] or 1)


def _float(count: int | None) -> float | None:
    return None if count is None else float(count)


def _noise(before: MeasuredRow, after: MeasuredRow) -> float | None:
    """Return by what share two numbers may differ where nothing did: each may be off by its own noise."""
    one, other = before["noise"], after["noise"]
    return None if one is None or other is None else one + other


def _warnings(old: BenchInfo, new: BenchInfo) -> list[str]:
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

"""Are these examples a suite's whole benchmark? And why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rmeval.data_prep.rows.in_memory import Rows
from rmeval.eval.suites.base import Suite
from rmeval.eval.suites.patterns import named
from rmeval.run_info import DataInfo
from rmeval.types import Example

__all__ = ["is_own", "partial_reasons"]

_NAMED, _MOST = 5, 30
"""Subsets that a message names, and up to how many it names all that a run lacks: RewardBench has 23."""


def partial_reasons(
    suite: Suite, info: DataInfo, examples: Sequence[Example], read_otherwise: str, *, own: bool
) -> tuple[str, ...]:
    """Say in what the examples differ from the suite's benchmark, in short, with the details in brackets behind it."""
    reasons = []
    if info.subsets:
        reasons.append(f"only some subsets asked for ({', '.join(info.subsets)})")
    if info.limit is not None:
        reasons.append(f"only the first {info.limit} examples asked for")
    if info.limit_per_subset is not None:
        reasons.append(f"a quick look: only {info.limit_per_subset} examples of each subset asked for")
    counts = Counter(example.subset for example in examples)
    for added in info.added:  # Their whole size is not part of the suite's table.
        for name in suite.options[added].subsets:
            counts.pop(name, None)
    reasons += _not_whole(suite, counts, info.limit_per_subset)
    if suite.dataset is not None and suite.fingerprint is None and read_otherwise:
        reasons.append(f"rows read otherwise than the benchmark's ({read_otherwise})")
    if (suite.dataset is not None or suite.parts or suite.fingerprint is not None) and not own:
        home = suite.dataset or " + ".join(each.dataset for each in suite.parts.values()) or suite.title
        what = "another data set or split" if info.revision else "unverified local copy"
        if suite.fingerprint is not None and info.dataset == suite.dataset:
            what = "other examples than the benchmark's"
        ours, theirs = (f" split {split}" if split else "" for split in (info.split, suite.split))
        reasons.append(f"{what} (rows of {info.dataset}{ours}, not of {home}{theirs})")
    return tuple(reasons)


def _not_whole(suite: Suite, counts: Mapping[str, int], at_most: int | None) -> list[str]:
    """Say which of the suite's examples are missing, or too many; ``at_most`` of a subset were asked for."""
    if not suite.expected:
        there = {name: float(count) for name, count in counts.items()}
        table = {} if suite.file is not None else suite.sections(suite.default_weights)
        empty = [name for name, section in table.items() if not section.of(there)]
        return [f"{len(empty)} sections without a row ({', '.join(empty[:5])})"] if empty else []
    fitting = {name: named(name, list(counts)) for name in suite.expected}
    differ: dict[str, list[str]] = {"missing": [], "short": [], "with too many rows": []}
    for name, expected in suite.expected.items():
        found = sum(counts[each] for each in fitting[name])
        wanted = min(expected, len(fitting[name]) * at_most) if at_most else expected
        if not fitting[name]:
            differ["missing"].append(name)
        elif found != wanted and not (at_most and len(fitting[name]) > 1):
            differ["short" if found < wanted else "with too many rows"].append(f"{name} {found}/{expected}")
    reasons: list[str] = []
    for how, names in ((how, names) for how, names in differ.items() if names):
        of = "" if reasons else f" of {len(suite.expected)} subsets"
        reasons.append(f"{len(names)}{of} {how} ({', '.join(_few(names))})")
    known = {each for own in fitting.values() for each in own}
    other = [name for name in counts if name not in known]
    if other:
        reasons.append(f"{len(other)} subsets that {suite.name} does not have ({', '.join(other[:5])})")
    return reasons


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= _MOST else [*names[:_NAMED], f"and {len(names) - _NAMED} more"]


def is_own(suite: Suite, rows: Rows, whole: str | None) -> bool:
    """Return whether rows are the benchmark's.

    Args:
        suite: The suite.
        rows: Its rows, before any is left out.
        whole: The fingerprint of their examples, where the suite knows what it should be: that proves it. Without, the
            package, a commit on the Hub or the suite's own file have to be trusted; a copy elsewhere proves nothing.
    """
    if suite.fingerprint is not None:
        return whole == suite.fingerprint
    if suite.parts:
        return rows.name == " + ".join(each.dataset for each in suite.parts.values()) and rows.revision is not None
    if suite.packaged is not None or suite.file is not None:
        return rows.name == suite.dataset and rows.split in (None, suite.split)
    return (rows.name, rows.split) == (suite.dataset, suite.split) and rows.revision is not None

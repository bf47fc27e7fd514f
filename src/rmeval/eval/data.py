"""A suite's examples: which rows, filtered how, and whether they are the whole benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rmeval.data_prep.examples import fingerprint, to_examples
from rmeval.data_prep.rows import Rows, load_rows
from rmeval.errors import UsageError, did_you_mean
from rmeval.eval.rules import named
from rmeval.eval.suites import Suite
from rmeval.eval.suites.mini import MINI, mini_path
from rmeval.eval.suites.rewardbench import PRIOR_SETS, PRIOR_SUBSETS
from rmeval.types import DataInfo, Example, Finding


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which rows to score."""

    dataset: str | None = None
    """Hub id, file, folder, or ``mini``; None for the suite's own."""
    revision: str | None = None
    """Branch, tag or commit of a Hub data set."""
    split: str | None = None
    subsets: tuple[str, ...] = ()
    """Only these subsets, ``*`` in a name standing for anything; empty for all."""
    limit: int | None = None
    """Only the first so many examples, after ``subsets``."""
    include_prior_sets: bool = False
    """RewardBench: score allenai/preference-test-sets too."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The examples of a run."""

    suite: Suite
    """The suite asked for, or ``mini`` where its rows were."""
    examples: tuple[Example, ...]
    info: DataInfo
    findings: tuple[Finding, ...]
    partial_reasons: tuple[str, ...]
    """Why this is not the suite's whole benchmark; empty if it is."""


def load_dataset(suite: Suite, options: DataOptions) -> Dataset:
    """Load, convert and filter a suite's examples.

    Raises:
        DataError: if rows cannot be found, read or converted.
        UsageError: if options contradict each other or no example is left.
    """
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit must be at least 1, not {options.limit}")
    name = options.dataset or suite.dataset
    if name is None:
        raise UsageError(f"{suite.name} has no data set of its own; give one with --dataset")
    if name == MINI.dataset:
        suite, rows = MINI, _mini_rows(options)
    else:
        rows = load_rows(name, split=options.split, revision=options.revision, default_split=suite.split)
    examples, findings = to_examples(rows, default_subset="all")
    prior_revision = None
    if options.include_prior_sets:
        prior, prior_findings, prior_revision = _prior_sets(suite)
        examples, findings = [*examples, *prior], [*findings, *prior_findings]
    chosen = _filter(examples, options)
    info = DataInfo(
        dataset=name,
        fingerprint=fingerprint(chosen),
        rows=len(chosen),
        split=rows.split,
        revision=rows.revision,
        subsets=options.subsets,
        limit=options.limit,
        prior_sets=prior_revision,
    )
    return Dataset(suite, tuple(chosen), info, tuple(findings), _partial_reasons(suite, info, chosen))


def _mini_rows(options: DataOptions) -> Rows:
    if options.split is not None or options.revision is not None:
        raise UsageError("the mini set has no splits and no revisions; leave --split and --dataset-revision out")
    return load_rows(str(mini_path()))


def _prior_sets(suite: Suite) -> tuple[list[Example], list[Finding], str | None]:
    """Load the prior sets; their ids get the split's name, because they could repeat the main set's."""
    if suite.name != "rewardbench":
        raise UsageError(f"--include-prior-sets belongs to rewardbench, not to {suite.name}")
    examples: list[Example] = []
    findings: list[Finding] = []
    revision = None
    for split in PRIOR_SUBSETS:
        rows = load_rows(PRIOR_SETS, split=split, revision=revision)
        revision = rows.revision  # All four splits from one commit.
        found, noticed = to_examples(rows, subset_column="", default_subset=split)
        if revision is None:
            raise UsageError(f"a folder {PRIOR_SETS} stands where the Hub's is meant; run from another folder")
        examples += [replace(example, id=f"{split}/{example.id}") for example in found]
        findings += [replace(each, examples=tuple(f"{split}/{name}" for name in each.examples)) for each in noticed]
    return examples, findings, revision


def _filter(examples: Sequence[Example], options: DataOptions) -> list[Example]:
    names = list(dict.fromkeys(example.subset for example in examples))
    wanted: set[str] = set()
    for pattern in options.subsets:
        found = named(pattern, names)
        if not found:
            raise UsageError(
                f"no subset {pattern!r} in the data{did_you_mean(pattern, names)} (it has: {', '.join(names)})"
            )
        wanted.update(found)
    kept = [example for example in examples if not options.subsets or example.subset in wanted]
    return kept[: options.limit]


def _partial_reasons(suite: Suite, info: DataInfo, examples: Sequence[Example]) -> tuple[str, ...]:
    """Say in what the examples differ from the suite's benchmark."""
    reasons = []
    if info.subsets:
        reasons.append(f"only the subsets {', '.join(info.subsets)}")
    if info.limit is not None:
        reasons.append(f"only the first {info.limit} examples asked for")
    if suite.expected:
        counts = Counter(example.subset for example in examples)
        for prior in PRIOR_SUBSETS:  # Their whole size is not part of the suite's table.
            counts.pop(prior, None)
        missing = [name for name in suite.expected if name not in counts]
        if missing:
            reasons.append(f"{len(missing)} of {len(suite.expected)} subsets missing ({', '.join(missing)})")
        for name, expected in suite.expected.items():
            if name in counts and counts[name] != expected:
                reasons.append(f"{name} has {counts[name]} rows, not {expected}")
        other = [name for name in counts if name not in suite.expected]
        if other:
            reasons.append(f"{len(other)} subsets that {suite.name} does not have ({', '.join(other[:5])})")
    if suite.dataset is not None and not _is_own(suite, info):
        split = f" (split {suite.split})" if suite.split else ""
        reasons.append(f"rows of {info.dataset}, not of {suite.dataset}{split}: a stand-in")
    return tuple(reasons)


def _is_own(suite: Suite, info: DataInfo) -> bool:
    """True for the rows of the package or of a commit on the Hub: a local copy proves nothing."""
    if suite.dataset == MINI.dataset:
        return info.dataset == MINI.dataset
    return (info.dataset, info.split) == (suite.dataset, suite.split) and info.revision is not None

"""A run in one JSON object: what ``--json`` prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TypedDict

import numpy as np
import pyarrow.compute as pc

from rmeval.data_prep.text.audit import CODES
from rmeval.eval.numbers.views.best_of_n import best_of_n
from rmeval.eval.numbers.views.grids import whole_rows
from rmeval.eval.numbers.views.lengths import RightIs, by_length
from rmeval.eval.numbers.weights import lacking_sections
from rmeval.eval.suites import suite_of
from rmeval.records import RunRecord, scored_examples
from rmeval.reports.run.beaten import best_line, verdict
from rmeval.run_info import Estimate, RunInfo


class RunSummary(TypedDict):
    """What ``--json`` prints: accuracies are shares of 1, ``low`` and ``high`` bound their 95% interval."""

    suite: str
    model: str
    partial: bool
    overall: Mapping[str, float] | None
    """None where one of the suite's sections has no row."""
    reference_lines: Mapping[str, float | None]
    """What each reference line reaches overall."""
    verdict: str
    """How the overall number stands to the best of them, in words; empty where there is none."""
    sections: Mapping[str, Mapping[str, float | Mapping[str, float | None]]]
    """``accuracy``, ``low``, ``high``, and what each of the ``reference_lines`` reaches."""
    subsets: Mapping[str, Mapping[str, float | Mapping[str, float | None] | None]]
    """The same, with counts."""
    lengths: Mapping[RightIs, Mapping[str, float | None]]
    """By what the chosen answer is, beside the rejected one: ``n``, ``accuracy``, ``low``, ``high``."""
    best_of_n: Sequence[Mapping[str, float]]
    """A point for each n; empty where no example has more than two answers."""
    rules: Mapping[str, Mapping[str, float]]
    """The overall number by other rules that the suite knows."""
    views: Mapping[str, Mapping[str, float | None]]
    """Groups of examples across the subsets."""
    warnings: Sequence[str]
    path: str | None


def lacking(info: RunInfo) -> list[str]:
    """Return the sections without a row, for which a run has no overall number that could be told as the suite's."""
    return lacking_sections(suite_of(info), info.weights, info.results.sections)


def shown_overall(info: RunInfo) -> Estimate | None:
    """Return the overall number; None where it lacks a section, as after ``--limit``."""
    return None if lacking(info) else info.results.overall


def summary(run: RunRecord) -> RunSummary:
    """Return the results of a run as plain JSON types."""
    results, overall = run.info.results, shown_overall(run.info)
    suite, scored = suite_of(run.info), scored_examples(run)
    lines = results.reference_lines.items()
    keys = ("n", "accuracy", "low", "high", "ties", "partial", "invalid", "unparsed", "truncated")
    return {
        "suite": run.info.suite,
        "model": run.info.model.name,
        "partial": run.info.partial,
        "overall": asdict(overall) if overall else None,
        "reference_lines": {name: line.overall for name, line in results.reference_lines.items()},
        "verdict": verdict(overall, best_line(results)),
        "sections": {
            name: {**asdict(estimate), "reference_lines": {line: each.sections.get(name) for line, each in lines}}
            for name, estimate in results.sections.items()
        },
        "subsets": {
            name: {
                **{key: getattr(item, key) for key in keys},
                "reference_lines": {line: each.subsets.get(name) for line, each in lines},
            }
            for name, item in results.subsets.items()
        },
        "lengths": {name: asdict(group) for name, group in by_length(suite, scored).items()},
        "best_of_n": [asdict(point) for point in best_of_n(suite, run.info.weights, whole_rows(run, scored))],
        "rules": {name: asdict(estimate) for name, estimate in results.rules.items()},
        "views": {name: {key: getattr(item, key) for key in keys} for name, item in results.views.items()},
        "warnings": warnings(run),
        "path": str(run.path) if run.path else None,
    }


def right_means(run: RunRecord) -> str:
    """Return what makes an example right where some have several chosen or rejected completions; else nothing.

    Such as ``3 chosen × 3 rejected: right only if every chosen beats every rejected``.
    """
    completions = run.examples_table.column("completion_chars").combine_chunks()
    sizes = completions.value_lengths().to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    is_chosen = pc.equal(run.scores_table.column("role"), "chosen").to_numpy(zero_copy_only=False)
    if not len(sizes) or len(is_chosen) != sizes.sum():
        return ""
    chosen = np.add.reduceat(is_chosen.astype(np.int64), starts)
    rejected = sizes - chosen
    if max(chosen.max(), rejected.max()) < 2:
        return ""
    counts = (f"{own.min()} to {own.max()}" if own.min() < own.max() else f"{own.min()}" for own in (chosen, rejected))
    return f"{' chosen × '.join(counts)} rejected: {suite_of(run.info).rule.meaning}"


def title(run: RunRecord) -> str:
    """Return what the run may be called: a partial set or an unverified copy never gets the benchmark's name."""
    return info_title(run.info)


def info_title(info: RunInfo) -> str:
    """Return the same from what ``run.json`` says."""
    suite = suite_of(info)
    if info.partial and suite.expected:
        return f"PARTIAL: not {_article(suite.title)} {suite.title} result"
    return f"{suite.title} (partial)" if info.partial else suite.title


def _article(title: str) -> str:
    """Return ``an`` before a vowel, and before a letter that is spelled out with one first (RM-Bench, LLMBar)."""
    return "an" if re.match(r"[AEIOU]|[FHLMNRSX](?![a-z])|rm", title) else "a"


def warnings(run: RunRecord) -> list[str]:
    """Return what a reader must know before believing the numbers, a line each."""
    lines = [f"partial: {reason}" for reason in run.info.partial_reasons]
    for item in run.info.audit:
        if item.severity != "info":
            lines.append(describe(item.code, item.count, item.examples))
    return lines


def describe(code: str, count: int, places: tuple[str, ...]) -> str:
    """Return a finding as one line."""
    where = f" (such as {', '.join(places[:3])})" if places else ""
    meaning = CODES[code][1] if code in CODES else "a finding of the scorer's own"
    return f"{code} × {count}: {meaning}{where}"

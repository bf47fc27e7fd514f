"""The report: what one run gets right, wrong and why, or how two or more differ, as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.errors import UsageError
from rmeval.eval.numbers.views.best_of_n import best_of_n
from rmeval.eval.numbers.views.grids import whole_rows
from rmeval.eval.numbers.views.lengths import SIMILAR_PERCENT, LengthGroup, RightIs, by_length
from rmeval.eval.suites import Suite, know, suite_of
from rmeval.records import RunRecord, as_run
from rmeval.reports.run.arrays import RunArrays, run_arrays
from rmeval.reports.run.beaten import BestLine, best_line, verdict
from rmeval.reports.run.best_of_n import draw_best_of_n
from rmeval.reports.run.compare_view import compare_views
from rmeval.reports.run.examples_data import examples_index, examples_text
from rmeval.reports.run.findings import Findings, findings, together
from rmeval.reports.run.plots import draw_plots
from rmeval.reports.run.provenance import FactGroup, command_line, provenance
from rmeval.reports.run.summary import lacking, right_means, shown_overall, title
from rmeval.reports.shell.bar import Bar
from rmeval.reports.shell.page import render_page, write_page
from rmeval.reports.shell.svg import Plot
from rmeval.run_info import Estimate, RunInfo, SubsetResult

__all__ = ["report", "report_page", "write_report"]

MOST_RUNS = 8
"""Beyond that a leaderboard reads better."""


def report(
    runs: RunRecord | str | Path | Sequence[RunRecord | str | Path],
    output: str | Path = "report.html",
    *,
    common_only: bool = False,
    suites: Sequence[Suite] = (),
) -> Path:
    """Write the report of one run, or of several with the first as the baseline; return where it is.

    Args:
        runs: A run or its folder, or several.
        output: The HTML file.
        common_only: Compare the examples that the runs have in common, where they are not all the same.
        suites: Suites made in Python that the runs are of.

    Raises:
        UsageError: if the runs cannot be compared.
        RunError: if there is no run, its tables do not fit together, or the page cannot be written.
    """
    several = [runs] if isinstance(runs, RunRecord | str | Path) else runs
    write_report([as_run(run) for run in several], Path(output), common_only=common_only, suites=suites)
    return Path(output)


def write_report(
    runs: Sequence[RunRecord], path: Path, *, common_only: bool = False, suites: Sequence[Suite] = ()
) -> int:
    """Write the report of one run, or of several with the first as the baseline; return its size in bytes.

    Args:
        runs: The runs.
        path: The HTML file.
        common_only: Compare the examples that the runs have in common, where they are not all the same.
        suites: Suites made in Python that the runs are of.

    Raises:
        UsageError: if the runs cannot be compared.
        RunError: if a run's tables do not fit together, or the page cannot be written.
    """
    know(suites)
    return write_page(path, report_page(runs, common_only=common_only))


def report_page(runs: Sequence[RunRecord], *, common_only: bool = False) -> str:
    """Return the report; arguments and errors are those of ``write_report``."""
    if not 1 <= len(runs) <= MOST_RUNS:
        raise UsageError(f"a report is of 1 to {MOST_RUNS} runs, not {len(runs)}; rmeval leaderboard takes any number")
    arrays = [run_arrays(run) for run in runs]
    labels = _labels(runs)
    texts = examples_text(runs)
    comparisons = compare_views(runs, arrays, texts, common_only=common_only)
    views = [
        _view(run, own, label, place, several=len(runs) > 1)
        for place, (run, own, label) in enumerate(zip(runs, arrays, labels, strict=True))
    ]
    heading, of = _heading([view.name for view in views]), _of(runs)
    groups = [("groups", "Groups")] if views[0].info.results.views else []
    nav = [("overview", "Overview"), ("subsets", "Subsets"), *groups, ("lengths", "Lengths"), ("plots", "Plots")]
    nav = [*[(f"against-{view.letter}", f"{view.letter} against A") for view in comparisons], *nav]
    return render_page(
        "report.html",
        title=f"{heading} · {of}",
        nav=[*nav, ("examples", "Examples"), ("provenance", "Provenance")],
        styles=["report.css"],
        scripts=["report.js"],
        context={
            "views": views,
            "comparisons": comparisons,
            "heading": heading,
            "of": of,
            "partial": any(run.info.partial for run in runs),
            "same_data": len({(run.info.data.dataset, run.info.data.rows) for run in runs}) == 1,
            "known": together((view.letter, view.info, view.findings) for view in views),
            "with_text": texts is not None,
            "similar_percent": SIMILAR_PERCENT,
        },
        data={
            "examples-index": examples_index(runs, arrays, labels, with_text=texts is not None),
            **({"examples-text": texts} if texts is not None else {}),
        },
    )


def _heading(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return (
        f"{names[1]} against {names[0]}" if len(names) == 2 and len(set(names)) == 2 else f"{len(names)} runs compared"
    )


def _of(runs: Sequence[RunRecord]) -> str:
    """Return what the runs are of; where one of them is partial, its words."""
    return title(next((run for run in runs if run.info.partial), runs[0]))


def _labels(runs: Sequence[RunRecord]) -> list[str]:
    """Return what to call each run: its model, with a letter before where there are several."""
    if len(runs) == 1:
        return [runs[0].info.model.name]
    return [f"{chr(ord('A') + place)} · {run.info.model.name}" for place, run in enumerate(runs)]


@dataclass(frozen=True, slots=True)
class SubsetRow:
    """A subset in the table."""

    name: str
    section: str
    """Empty where the suite has none for it."""
    result: SubsetResult
    best: BestLine | None
    """The reference line that reaches most of it."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """The overall number by another rule that the suite knows."""

    name: str
    meaning: str
    """When an example is right by it."""
    bar: Bar


@dataclass(frozen=True, slots=True)
class RunView:
    """One run as the template shows it."""

    place: int
    letter: str
    """Empty where there is one run only."""
    name: str
    title: str
    right_means: str
    """What makes an example right where it has several chosen or rejected completions; else empty."""
    info: RunInfo
    lacking: Sequence[str]
    """Sections without a row, for which there is no overall number."""
    overall: Bar | None
    verdict: str
    """How the overall number stands to the best reference line, in words."""
    rules: Sequence[RuleRow]
    sections: Sequence[Bar]
    subsets: Sequence[SubsetRow]
    lengths: Mapping[RightIs, LengthGroup]
    findings: Findings
    plots: Sequence[Plot]
    provenance: Sequence[FactGroup]
    command: str | None
    """None for a run made from Python."""
    folder: str


def _view(run: RunRecord, arrays: RunArrays, label: str, place: int, *, several: bool) -> RunView:
    info, results = run.info, run.info.results
    reference_lines = results.reference_lines
    overall = shown_overall(info)
    is_line = info.model.kind == "baseline"
    key = f"-{place}" if several else ""
    curve = best_of_n(suite_of(info), info.weights, whole_rows(run, arrays.scored))
    return RunView(
        place=place,
        letter=chr(ord("A") + place) if several else "",
        name=info.model.name,
        title=title(run),
        right_means=right_means(run),
        info=info,
        lacking=lacking(info),
        overall=_bar("Overall", overall, {name: each.overall for name, each in reference_lines.items()})
        if overall
        else None,
        verdict="" if is_line else verdict(overall, best_line(results)),
        rules=_rules(info) if overall else [],
        sections=[
            _bar(name, estimate, {line: each.sections.get(name) for line, each in reference_lines.items()})
            for name, estimate in results.sections.items()
        ],
        subsets=_subsets(info),
        lengths=by_length(suite_of(info), arrays.scored),
        findings=findings(info, {each.id for each in arrays.scored}),
        plots=[
            *draw_plots(arrays, reference_line=is_line, scale=info.model.scale, key=key),
            *draw_best_of_n(curve, key),
        ],
        provenance=provenance(info, run.path),
        command=command_line(info),
        folder=str(run.path or ""),
    )


def _bar(name: str, estimate: Estimate, reference_lines: Mapping[str, float | None]) -> Bar:
    return Bar(name, estimate.accuracy, estimate.low, estimate.high, reference_lines)


def _rules(info: RunInfo) -> list[RuleRow]:
    known = suite_of(info).rules
    return [
        RuleRow(name, known[name].meaning if name in known else "", _bar(f"Overall, {name}", each, {}))
        for name, each in info.results.rules.items()
    ]


def _subsets(info: RunInfo) -> list[SubsetRow]:
    """Return the subsets in the order of the sections, those in none of them last."""
    results = info.results
    home = suite_of(info).homes(info.weights, results.subsets)
    order = [*(name for name in home if name in results.subsets), *(n for n in results.subsets if n not in home)]
    return [
        SubsetRow(
            name,
            home.get(name, ""),
            results.subsets[name],
            best_line(results, subset=name),
        )
        for name in order
    ]

"""What must be known beside a run's numbers: errors in a line each, all else in one line, with the rest folded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from rmeval.reports.run.summary import describe
from rmeval.run_info import RunInfo, in_short
from rmeval.types import Finding

__all__ = ["Findings", "ShownFinding", "all_lines", "errors", "findings", "in_one_line", "partial_line", "together"]

_MOST = 3
"""Findings that the one line names, and examples that a finding does."""


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding of the audit, or a reason why the run is partial, as a page shows it."""

    severity: str
    """That of the audit, or ``partial``."""
    text: str
    examples: tuple[str, ...] = ()
    """Ids of examples in the run where it was seen."""
    runs: tuple[str, ...] = ()
    """Letters of the runs that it is of; empty on the page of one run."""


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a page says beside the numbers."""

    errors: Sequence[str]
    """What makes scores mean nothing, or examples invalid: in sight, beside the number."""
    line: str
    """The rest in one line; empty where there is nothing else."""
    folded: Sequence[ShownFinding]
    """All of it, errors first."""


def findings(info: RunInfo, ids: Collection[str] = ()) -> Findings:
    """Return what must be known of a run.

    Args:
        info: What ``run.json`` says.
        ids: The run's examples, which a page can link to; places that are none of them are named in the text.
    """
    found = []
    for item in _told(info):
        places = tuple(dict.fromkeys(place for place in item.examples if place in ids))[:_MOST]
        elsewhere = tuple(place for place in item.examples if place not in ids)
        found.append(ShownFinding(item.severity, describe(item.code, item.count, elsewhere), places))
    partial = [ShownFinding("partial", reason) for reason in info.partial_reasons]
    ordered = [*(each for each in found if each.severity == "error"), *partial]
    return Findings(errors(info), in_one_line(info), [*ordered, *(each for each in found if each not in ordered)])


def together(named: Iterable[tuple[str, RunInfo, Findings]]) -> Findings:
    """Return what must be known of several runs, what is true of more than one of them said once.

    Args:
        named: The letter of each run, what its ``run.json`` says, and its own findings.
    """
    named = list(named)
    folded: dict[ShownFinding, tuple[str, ...]] = {}
    lines: dict[str, tuple[str, ...]] = {}
    for letter, info, own in named:
        for each in own.folded:
            folded[each] = (*folded.get(each, ()), letter)
        for line in filter(None, (partial_line(info), _warnings(info))):
            lines[line] = (*lines.get(line, ()), letter)
    said = [line if len(of) == len(named) else f"{', '.join(of)}: {line}" for line, of in lines.items()]
    return Findings((), "; ".join(said), [replace(each, runs=of) for each, of in folded.items()])


def errors(info: RunInfo) -> list[str]:
    """Return what the audit calls an error, a short line each."""
    return [describe(item.code, item.count, ()).partition(" (")[0] for item in _told(info) if item.severity == "error"]


def in_one_line(info: RunInfo) -> str:
    """Return all that must be known but for errors: ``partial: 9 of 23 subsets missing; warnings: truncated × 392``."""
    return "; ".join(filter(None, (partial_line(info), _warnings(info))))


def all_lines(info: RunInfo) -> list[tuple[str, str]]:
    """Return (severity, text) of every reason and every finding, those that are only information too."""
    found = [("partial", reason) for reason in info.partial_reasons]
    return [*found, *((item.severity, describe(item.code, item.count, item.examples)) for item in info.audit)]


def _told(info: RunInfo) -> list[Finding]:
    return sorted((item for item in info.audit if item.severity != "info"), key=lambda item: item.severity)


def partial_line(info: RunInfo) -> str:
    """Return why a run is partial in one line; empty where it is not."""
    return f"partial: {in_short(info.partial_reasons) or 'it is not known why'}" if info.partial else ""


def _warnings(info: RunInfo) -> str:
    told = [
        f"{item.code} × {item.count:,}{_of_examples(item, info)}" for item in _told(info) if item.severity == "warning"
    ]
    more = [f"{len(told) - _MOST} more"] if len(told) > _MOST else []
    what = f"warning{'s' if len(told) > 1 else ''}"
    return f"{what}: {', '.join([*told[:_MOST], *more])}" if told else ""


def _of_examples(finding: Finding, info: RunInfo) -> str:
    """Return in how many examples completions were truncated: the tables beside this line count those."""
    examples = sum(subset.truncated for subset in info.results.subsets.values())
    return f" ({examples:,} example{'s' * (examples != 1)})" if finding.code == "truncated" and examples else ""

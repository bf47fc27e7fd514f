"""How a run shows itself in Python: one line, and the table of a notebook. Text from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from rmeval.run_info import Estimate, ReferenceResult, RunInfo, SubsetResult, in_short

__all__ = ["line", "table"]


def line(info: RunInfo, path: Path | None) -> str:
    """Return a run in one line; a partial one says so first."""
    overall = info.results.overall
    number = "no overall number" if overall is None else f"{_percent(overall.accuracy)}% ({_range(overall)})"
    what = f"{'PARTIAL ' if info.partial else ''}{info.suite}"
    place = "in memory" if path is None else str(path)
    return f"<RunRecord {what}: {info.model.name} {number}, {info.data.rows:,} examples, {place}>"


def table(info: RunInfo, path: Path | None) -> str:
    """Return a run's numbers as an HTML table: sections, subsets and the overall number, beside the best reference."""
    rows = "".join(
        f"<tr>{''.join(f'<t{kind}>{escape(cell)}</t{kind}>' for kind, cell in zip('hdddd', row, strict=True))}</tr>"
        for row in _rows(info)
    )
    reasons = f"<br>partial: {escape(in_short(info.partial_reasons))}" if info.partial_reasons else ""
    head = "".join(f"<th>{name}</th>" for name in ("", "n", "accuracy, %", "95% interval", "best reference line"))
    return (
        f"<table><caption>{escape(line(info, path)[1:-1])}{reasons}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _rows(info: RunInfo) -> Iterator[tuple[str, str, str, str, str]]:
    results, lines = info.results, info.results.reference_lines
    if results.overall is not None:
        best = _best({name: each.overall for name, each in lines.items()})
        yield "overall", "", _percent(results.overall.accuracy), _range(results.overall), best
    for name, section in results.sections.items():
        yield name, "", _percent(section.accuracy), _range(section), _best(_own(lines, "sections", name))
    for name, item in results.subsets.items():
        numbers = _percent(item.accuracy), _range(item)
        yield f"· {name}", f"{item.n:,}", *numbers, _best(_own(lines, "subsets", name))


def _own(lines: Mapping[str, ReferenceResult], level: str, name: str) -> dict[str, float | None]:
    return {line: getattr(each, level).get(name) for line, each in lines.items()}


def _best(lines: Mapping[str, float | None]) -> str:
    """Return the strongest reference line and what it reaches."""
    known = [(value, name) for name, value in lines.items() if value is not None]
    if not known:
        return "–"
    value, name = max(known)
    return f"{_percent(value)} ({name})"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _range(item: Estimate | SubsetResult) -> str:
    return "–" if item.low is None or item.high is None else f"{100 * item.low:.1f}–{100 * item.high:.1f}"

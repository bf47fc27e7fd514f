"""The gate for other machines: Markdown for a pull request, JUnit XML, annotations of GitHub Actions.

Names come from models, data and folders. Each of these formats has its own way to let text steer it; here none does.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from rmeval.errors import RunError
from rmeval.eval.gate.check import Gate
from rmeval.reports.gate.console import DETECTABLE, cells, columns, headline, meaning_of_p, warnings_in_full, where
from rmeval.reports.shell.names import printable

__all__ = [
    "JUNIT_MARK",
    "MARKDOWN_MARK",
    "append_file",
    "command_of_error",
    "junit",
    "junit_of_error",
    "markdown",
    "markdown_of_error",
    "step_outputs",
    "workflow_commands",
]

JUNIT_MARK, MARKDOWN_MARK = '<testsuite name="rmeval check"', "### rmeval check: "
"""What stands near the beginning of each of these files."""
_MARKS = {"pass": "✅", "improvement": "⬆️", "cannot tell": "❔", "regression": "❌"}
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def markdown(gate: Gate, report: str | None = None) -> str:
    """Return the gate as GitHub Markdown.

    Args:
        gate: What came of the check.
        report: Path or address of the HTML comparison, to link to.
    """
    lines = [f"{MARKDOWN_MARK}{headline(gate)}", ""]
    if gate.baseline is not None:
        lines.append(f"- baseline: {code(where(gate.baseline))}")
    lines.append(f"- candidate: {code(where(gate.candidate))}")
    titles = columns(gate)
    lines += ["", _row(["", *titles, "verdict"]), _row(["---", *["---:"] * len(titles), "---"])]
    for line in gate.lines:
        verdict = f"{_MARKS[line.verdict]} {line.verdict}"
        lines.append(_row([code(line.target), *cells(line, gate.mode), f"**{verdict}**" if line.failed else verdict]))
    noteworthy = [line for line in gate.lines if line.verdict != "pass" or line.failed]
    said = [f"- {_MARKS[line.verdict]} {code(line.target)} {line.reason}" for line in noteworthy]
    said += [f"- ⚠️ {code(warning)}" for warning in gate.warnings]
    lines += ["", *said] if said else []
    full = [each for each in warnings_in_full(gate) if each not in gate.warnings]
    if full:
        lines += [
            "",
            "<details><summary>why partial</summary>",
            "",
            *(f"- {code(each)}" for each in full),
            "",
            "</details>",
        ]
    if gate.comparison is not None:
        lines += ["", f"<sub>{meaning_of_p(gate)}; {DETECTABLE}.</sub>"]
    if report:
        lines += ["", f"[HTML comparison](<{quote(report, safe='/:?#=&%~@!+,;', errors='replace')}>)"]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    """Return text as a code span, in which Markdown, HTML and mentions of people have no meaning.

    It is safe in a table's cell too: there a bar ends the cell, even in a code span, unless a backslash precedes it.
    """
    shown = one_line(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest or not shown.strip() else ""
    return f"{fence}{space}{shown}{space}{fence}"


def one_line(text: str) -> str:
    """Return text with control characters made visible and each run of white space as one space."""
    return printable(" ".join(text.split()))


def _row(values: list[str]) -> str:
    return "| " + " | ".join(values) + " |"


def junit(gate: Gate) -> str:
    """Return the gate as JUnit XML: a test case a line; what cannot be told and does not fail is skipped."""
    failures = sum(line.failed for line in gate.lines)
    skipped = sum(line.verdict == "cannot tell" and not line.failed for line in gate.lines)
    counts = {"tests": str(len(gate.lines)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": "rmeval check", **counts})
    for line in gate.lines:
        name = _xml(f"{line.target} ({line.rule.text})")
        case = ET.SubElement(suite, "testcase", {"classname": "rmeval.check", "name": name, "time": "0"})
        numbers = ", ".join(
            f"{title} {cell}" for title, cell in zip(columns(gate), cells(line, gate.mode), strict=True) if cell != "–"
        )
        if line.failed:
            failure = ET.SubElement(case, "failure", {"type": line.verdict, "message": _xml(line.reason)})
            failure.text = _xml(numbers)
        elif line.verdict == "cannot tell":
            ET.SubElement(case, "skipped", {"message": _xml(line.reason)})
        ET.SubElement(case, "system-out").text = _xml(f"{line.verdict}: {line.reason}; {numbers}")
    ET.SubElement(suite, "system-err").text = _xml("\n".join(gate.warnings))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def junit_of_error(said: str) -> str:
    """Return JUnit XML of a check that could not be made: one test case with an error, which says why."""
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": "rmeval check", **counts})
    case = ET.SubElement(suite, "testcase", {"classname": "rmeval.check", "name": "check", "time": "0"})
    ET.SubElement(case, "error", {"type": "error", "message": _xml(said)})
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def markdown_of_error(said: str) -> str:
    """Return GitHub Markdown of a check that could not be made."""
    return f"{MARKDOWN_MARK}ERROR: nothing was compared\n\n- {code(said)}\n"


def command_of_error(said: str) -> str:
    """Return the workflow command that makes GitHub show why a check could not be made."""
    return f"::error title=rmeval check::{_command(said)}"


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def workflow_commands(gate: Gate) -> Iterator[str]:
    """Return the workflow commands that make GitHub show what failed and what is doubtful."""
    for line in gate.lines:
        if line.failed:
            yield f"::error title=rmeval check::{_command(f'{line.target} {line.reason}')}"
        elif line.verdict == "cannot tell":
            yield f"::notice title=rmeval check::{_command(f'{line.target} {line.reason}')}"
    for warning in gate.warnings:
        yield f"::warning title=rmeval check::{_command(warning)}"


def step_outputs(gate: Gate) -> str:
    """Return what a later step of GitHub Actions can ask for: ``result`` and ``failed``."""
    verdicts = {line.verdict for line in gate.lines}
    result = next((each for each in ("regression", "cannot tell") if each in verdicts), "pass")
    return f"result={result}\nfailed={sum(line.failed for line in gate.lines)}\n"


def _command(text: str) -> str:
    """Escape the message of a workflow command: a new line would begin another command."""
    return one_line(text).replace("%", "%25")


def append_file(path: Path, text: str) -> None:
    """Append to a file, as GitHub asks of step summaries.

    Raises:
        RunError: if it cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None

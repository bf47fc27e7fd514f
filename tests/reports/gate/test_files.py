"""The gate for other machines: whatever things are called, the formats hold."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmeval.errors import RunError
from rmeval.eval.gate.check import Gate, check
from rmeval.eval.gate.rules import parse_rule
from rmeval.files import write_text
from rmeval.reports.gate.files import append_file, code, junit, markdown, one_line, workflow_commands
from tests.support.comparing import run_of, write_rows

NASTY = [
    "a|b",
    "`x`",
    "``|``",
    "<script>alert(1)</script>",
    "x\ny\r\nz",
    "x\n::error::y",
    "%0A%25",
    "\x00\x1b[2J\x7f",
    "]]>",
    "&amp;",
    "@team",
    "![i](http://x.y/z.png)",
    "\ud800",
    "\uffff",
    " ",
    "",
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """A regression, something that cannot be told, and a pass."""
    folder = tmp_path_factory.mktemp("gate")
    data = write_rows(folder / "rows.jsonl", ["a"] * 60 + ["b"] * 20)
    rules = [parse_rule(rule) for rule in ("overall:0", "subset:*:0", "truncated:0")]
    return check(run_of(data, "-" * 20 + "+" * 40 + "-" + "+" * 19), run_of(data, "+" * 80), rules=rules)


def named(gate: Gate, name: str) -> Gate:
    """The same, where models, subsets, rules and warnings have that name."""
    model = replace(gate.candidate.info.model, name=name)
    lines = [replace(line, name=name, rule=replace(line.rule, text=name)) for line in gate.lines]
    return replace(gate, candidate=gate.candidate.with_info(model=model), lines=tuple(lines), warnings=(name, name))


# --- Markdown ---------------------------------------------------------------------------------------------------


def test_markdown(plain: Gate) -> None:
    text = markdown(plain, "out/a b.html")
    assert text.startswith("### rmeval check: FAIL: 2 of 4 checks\n")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert [row.count("|") for row in rows] == [10] * 6
    assert rows[3].startswith("| `subset a` | 100.00 | 66.67 | -33.33 | ")
    assert rows[3].endswith("| +0 -20 | **❌ regression** |")
    assert rows[4].endswith("❔ cannot tell |")
    assert "[HTML comparison](<out/a%20b.html>)" in text
    assert "HTML comparison" not in markdown(plain)


@pytest.mark.parametrize("name", NASTY)
def test_names_do_not_steer_markdown(plain: Gate, name: str) -> None:
    text = markdown(named(plain, name), report=f"x>)[y]({name}")
    lines = text.splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(plain.lines)
    for row in table:
        assert len(re.findall(r"(?<!\\)\|", row)) == 10
    assert lines.count("") == markdown(plain, report="x").splitlines().count("")
    # Take out code spans as CommonMark reads them: nothing of the name is left over.
    for line in lines:
        if "HTML comparison" in line:
            assert re.fullmatch(r"\[HTML comparison\]\(<[^<>\s]*>\)", line)
            continue
        rest = re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", line)
        assert "`" not in rest
        for trace in ("script", "@", "![", "&amp;", "::error", "]]>"):
            assert trace not in rest


@given(st.text())
@settings(max_examples=60)
def test_a_code_span_holds_any_text(text: str) -> None:
    span = code(text)
    found = re.fullmatch(r"(`+)(?!`)(.*?)(?<!`)\1", span, re.DOTALL)
    assert found, span
    inner = found[2].replace("\\|", "|")
    assert inner.strip() == one_line(text).strip()
    assert "\n" not in span
    assert f"{found[1]}" not in re.sub("`{" + str(len(found[1]) + 1) + ",}", "", found[2])


# --- JUnit ------------------------------------------------------------------------------------------------------


def test_junit(plain: Gate) -> None:
    root = ET.fromstring(junit(plain))  # noqa: S314
    assert root.attrib == {"tests": "4", "failures": "2", "errors": "0", "skipped": "1"}
    cases = {str(case.get("name")): case for case in root.iter("testcase")}
    assert list(cases) == [
        "overall (overall:0)",
        "subset a (subset:*:0)",
        "subset b (subset:*:0)",
        "truncated (truncated:0)",
    ]
    failure = cases["subset a (subset:*:0)"].find("failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == (
        "regression",
        "dropped by 33.33 points, significant (one-sided p below 0.001)",
    )
    assert "difference -33.33" in str(failure.text)
    assert cases["subset b (subset:*:0)"].find("skipped") is not None
    assert [child.tag for child in cases["truncated (truncated:0)"]] == ["system-out"]


@pytest.mark.parametrize("name", NASTY)
def test_names_do_not_break_xml(plain: Gate, name: str, tmp_path: Path) -> None:
    write_text(tmp_path / "check.xml", junit(named(plain, name)))
    cases = list(ET.parse(tmp_path / "check.xml").getroot().iter("testcase"))  # noqa: S314
    assert len(cases) == len(plain.lines)
    if name.isprintable() and name.isascii():
        assert name in str(cases[1].get("name"))


@given(st.text())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_is_valid_xml(plain: Gate, name: str) -> None:
    ET.fromstring(junit(named(plain, name)).encode())  # noqa: S314


# --- GitHub Actions ---------------------------------------------------------------------------------------------


def test_workflow_commands(plain: Gate) -> None:
    found = list(workflow_commands(replace(plain, warnings=("50% of it\nis here",))))
    assert [line.partition(" ")[0] for line in found] == ["::error", "::error", "::notice", "::warning"]
    assert (
        found[1]
        == "::error title=rmeval check::subset a dropped by 33.33 points, significant (one-sided p below 0.001)"
    )
    assert found[3] == "::warning title=rmeval check::50%25 of it is here"


@pytest.mark.parametrize("name", NASTY)
def test_names_do_not_make_commands(plain: Gate, name: str) -> None:
    for line in workflow_commands(named(plain, name)):
        assert line.startswith(("::error title=rmeval check::", "::notice title=", "::warning title="))
        assert not re.search(r"[\r\n\x00-\x1f\u2028\x85]", line)
        assert not re.search("%(?!25)", line)


# --- files ------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "check.md", "one")
    write_text(tmp_path / "new" / "check.md", "two")
    assert {path.name: path.read_text() for path in (tmp_path / "new").iterdir()} == {"check.md": "two"}
    append_file(tmp_path / "new" / "check.md", " three")
    assert (tmp_path / "new" / "check.md").read_text() == "two three"


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write in (write_text, append_file):
        with pytest.raises(RunError, match="cannot write"):
            write(tmp_path / "file" / "check.md", "text")
        with pytest.raises(RunError, match="cannot write"):
            write(tmp_path, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

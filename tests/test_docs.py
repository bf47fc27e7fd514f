"""The docs are true: their examples run, and what is listed is all there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rmeval.cli import app
from rmeval.data_prep.text.audit import CODES
from rmeval.data_prep.text.remedies import REMEDIES
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"


def test_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.DOTALL)
    assert len(blocks) == 8
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102
    assert (tmp_path / "runs" / "random" / "run.json").exists()
    assert (tmp_path / "comparison.html").exists()


def test_the_audit_page_has_the_table_of_codes() -> None:
    page = (DOCS / "audit.md").read_text()
    listed = re.findall(r"^\| `([^`]+)` \| (\w+) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert listed == [(code, severity, meaning, REMEDIES[code]) for code, (severity, meaning) in CODES.items()]
    assert list(REMEDIES) == list(CODES)


def test_every_command_is_in_the_docs() -> None:
    text = "\n".join(page.read_text() for page in [REPOSITORY / "README.md", *DOCS.rglob("*.md")])
    for command in app.registered_commands:
        assert f"rmeval {command.name}" in text, f"{command.name} is not documented"


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_is_in_the_table_of_the_readme() -> None:
    listed = set(re.findall(r"\]\((docs/[^)#]+)", (REPOSITORY / "README.md").read_text().partition("## Pages")[2]))
    assert listed == {f"docs/{page.name}" for page in DOCS.glob("*.md")} | {"docs/suites/README.md"}

"""The pages of the suites say what the suites say."""

from __future__ import annotations

import pytest

from rmeval.eval.suites import SUITES
from rmeval.eval.suites.page import pages
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "docs" / "suites"


def test_the_pages_are_made_of_the_suites() -> None:
    written = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert written == pages(), "write them again: python -m rmeval.eval.suites.page docs"


def test_every_benchmark_has_one() -> None:
    told = {f"{name}.md" for name in SUITES if name not in ("pairs", "mini")}
    assert told | {"README.md"} == set(pages())


@pytest.mark.parametrize("name", [name for name, suite in SUITES.items() if suite.about is not None])
def test_a_page_names_licence_paper_ties_and_data(name: str) -> None:
    suite, text = SUITES[name], (FOLDER / f"{name}.md").read_text()
    assert suite.about is not None
    for said in (suite.about.licence, suite.about.paper, suite.about.ties, suite.dataset or "", suite.revision or ""):
        assert said in text
    for subset, count in suite.expected.items() if len(suite.expected) < 40 else ():
        assert f"| {subset} | {count:,} |" in text

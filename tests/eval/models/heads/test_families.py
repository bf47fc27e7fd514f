"""The table of heads, and the page that shows it."""

from __future__ import annotations

import re

from rmeval.eval.models.heads import FAMILIES
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "models.md").read_text()


def test_the_page_has_every_family_and_no_other() -> None:
    table = PAGE.partition("| family |")[2].partition("\n\n")[0]
    rows = {row.split(" | ")[0].removeprefix("| ").partition(" (")[0]: row for row in table.splitlines()[2:]}
    assert set(rows) == {family.name for family in FAMILIES}
    for family in FAMILIES:
        row = rows[family.name]
        if "/" in family.source:
            assert family.source in row
        said = re.search(r"of ([\d,]+) at most", row)
        assert (int(said[1].replace(",", "")) if said else None) == family.max_length


def test_each_name_is_its_own() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)

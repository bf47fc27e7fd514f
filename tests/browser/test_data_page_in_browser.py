"""The statistics page of a mixture, in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rmeval.data_prep.output.statistics import StatisticsBuilder, preview
from rmeval.data_prep.output.statistics_schema import LedgerEntry, MixtureStatistics
from rmeval.reports.data.page import write_data_page
from rmeval.types import Message

if TYPE_CHECKING:
    from tests.browser.conftest import Visit


def entry(name: str, published: int | None) -> LedgerEntry:
    return {
        "name": name,
        "title": name,
        "home": f"https://example.org/{name}",
        "licence": "MIT",
        "rules": [{"text": "a rule", "origin": "a card"}],
        "rows": 2,
        "dropped_rows": {},
        "candidates": 2,
        "dropped_pairs": {},
        "pairs": 2,
        "published": published,
        "reasons": {},
    }


def test_sources_sort_with_what_is_missing_last(visit: Visit, tmp_path: Path) -> None:
    builder = StatisticsBuilder(0)
    for name in ("a", "b", "c"):
        builder.add(name, "train", 9, 30, 20, None, None, lambda: preview((), (Message("assistant", "x"),), ()))
    statistics: MixtureStatistics = {
        **builder.to_json(),
        "mixture": "mix",
        "ledger": [entry("a", 30), entry("b", None), entry("c", 4)],
        "split": None,
        "overlap": [],
    }
    write_data_page(statistics, tmp_path / "data.html")
    page = visit(tmp_path / "data.html")
    header = page.locator("#sources-table").get_by_role("button", name="published")
    orders = []
    for _ in range(2):
        header.click()
        orders.append(page.locator("#sources-table tbody th").all_inner_texts())
    assert orders == [["a", "c", "b"], ["c", "a", "b"]]
    assert page.locator("#ledger a").evaluate_all("all => all.map(a => [a.href, a.rel])") == [
        [f"https://example.org/{name}", "noopener noreferrer"] for name in "abc"
    ]
    rules = page.locator("#ledger details").first
    assert not rules.locator("li").is_visible()
    rules.locator("summary").click()
    assert rules.locator("li").inner_text() == "a rule (a card)"


def test_it_fits_a_phone_and_the_dark(visit: Visit, tmp_path: Path) -> None:
    builder = StatisticsBuilder(0)
    for place in range(30):
        shown = preview((Message("user", "x" * 900),), (Message("assistant", "y" * 90),), (Message("assistant", "z"),))
        builder.add("a-source-with-a-rather-long-name", "train", 9, 30 + place, 40, 5.0, 1.0, lambda s=shown: s)  # type: ignore[misc]
    statistics: MixtureStatistics = {
        **builder.to_json(),
        "mixture": "mix",
        "ledger": [],
        "split": None,
        "overlap": None,
    }
    write_data_page(statistics, tmp_path / "data.html")
    page = visit(tmp_path / "data.html", width=360, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("figure svg.plot").count() == 3

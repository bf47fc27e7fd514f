"""The statistics page: its figures by hand, from pairs and a ledger of a few rows."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rmeval.data_prep.output.statistics import StatisticsBuilder, preview
from rmeval.data_prep.output.statistics_schema import LedgerEntry, MixtureStatistics
from rmeval.errors import RunError
from rmeval.reports.data.page import data_page, write_data_page
from rmeval.types import Message


class Rows(HTMLParser):
    """Collects the cells of every table row, by the table's id or data-ledger."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._table: list[list[str]] = []
        self._cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            self._table = self.tables.setdefault(given.get("id") or given.get("data-ledger") or "", [])
        elif tag == "tr":
            self._table.append([])
        elif tag in ("td", "th"):
            self._table[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        if self._cell:
            self._table[-1][-1] += data.replace("−", "-")


def entry(name: str, pairs: int, published: int | None) -> LedgerEntry:
    return {
        "name": name,
        "title": f"The {name} set",
        "home": "https://example.org/",
        "licence": "",
        "rules": [{"text": "keep helpful rows", "origin": "card"}],
        "rows": pairs + 1300,
        "dropped_rows": {"malformed": 1200},
        "candidates": pairs + 20,
        "dropped_pairs": {"cap": 20},
        "pairs": pairs,
        "published": published,
        "reasons": {"malformed": "a column is missing"},
    }


@pytest.fixture(scope="module")
def statistics() -> MixtureStatistics:
    builder = StatisticsBuilder(3)
    shown = lambda: preview((Message("user", "Hi"),), (Message("assistant", "x" * 1500),), (), 4.0, None)  # noqa: E731
    for chosen, rejected, score in ((200, 100, 3.0), (300, 100, 2.0), (50, 100, None), (70, 70, 2.5)):
        builder.add("a", "train", 40, chosen, rejected, score, 1.0, shown)
    builder.add("b", "train", 20, 10, 30, None, None, shown)
    builder.add("b", "test", 20, 10, 30, None, None, shown)
    return {
        **builder.to_json(),
        "mixture": "mix",
        "ledger": [entry("a", 4, 10), entry("b", 2, None)],
        "split": {"held_out": "0.1", "openings": 1234, "near_duplicates": 5, "dropped_pairs": 6},
        "overlap": [
            {
                "benchmark": "rb",
                "subset": "s",
                "examples": 8,
                "exact": 1,
                "ngram": 1,
                "completion": 0,
                "share": 0.25,
                "short": 2,
            }
        ],
    }


def test_tables(statistics: MixtureStatistics) -> None:
    tables = Rows(data_page(statistics)).tables
    assert tables["sources-table"][1:] == [
        # Lengths: 620 / 4, 370 / 4, 250 / 4; gaps: (2 + 1 + 1.5) / 3.
        ["a", "4", "0", "80.0", "10", "-6", "40", "155", "92", "62", "1.50"],
        ["b", "1", "1", "20.0", "–", "–", "20", "10", "30", "-20", "–"],
        ["all", "5", "1", "100.0", "–", "", "36", "126", "80", "46", ""],
    ]
    assert tables["a"] == [
        ["rows read", "1,304", ""],
        ["malformed", "-1,200", "a column is missing"],
        ["candidate pairs", "24", ""],
        ["cap", "-20", ""],
        ["pairs", "4", "published 10, difference -6"],
    ]
    assert tables["overlap-table"][1] == ["rb", "s", "8", "2", "1", "1", "0", "25.0"]


def test_sources_of_one_kind_are_told_apart_by_their_labels(statistics: MixtureStatistics) -> None:
    """Two sets of one's own pairs have the same title."""
    ledger = [{**each, "title": "ready pairs", "home": ""} for each in statistics["ledger"]]
    html = data_page({**statistics, "ledger": ledger})  # type: ignore[typeddict-item]
    section = html.partition('<section id="ledger">')[2].partition("</section>")[0]
    heads = re.findall(r"<h3>(.*?)</h3>", section)
    assert heads[:2] == [
        f'<bdi>{name}</bdi> <span class="muted small"><bdi>ready pairs</bdi> · licence <bdi>not stated</bdi></span>'
        for name in ("a", "b")
    ]


def test_length_bias_is_of_the_pairs_whose_lengths_differ(statistics: MixtureStatistics) -> None:
    html = data_page(statistics)
    shares = [float(share) for share in re.findall(r'data-bias="([\d.]+)"', html)]
    assert shares == pytest.approx([2 / 4, 2 / 3, 0])  # All, a, b.
    assert "20.8–93.9" in html  # Wilson's interval of 2 in 3.


def test_what_is_cut_and_what_is_not_stated(statistics: MixtureStatistics) -> None:
    html = data_page(statistics)
    assert "… 500 more characters" in html
    assert "licence <bdi>not stated</bdi>" in html
    assert "Of 1,234 distinct openings, 5 are near-duplicates" in html


def test_nothing_at_all(statistics: MixtureStatistics) -> None:
    empty = StatisticsBuilder(0).to_json()
    html = data_page({**empty, "mixture": "m", "ledger": [], "split": None, "overlap": None})
    assert "0 training pairs" in html
    assert 'id="overlap"' not in html


def test_only_held_out_pairs(statistics: MixtureStatistics) -> None:
    builder = StatisticsBuilder(0)
    builder.add("a", "test", 1, 1, 1, None, None, lambda: preview((), (), ()))
    html = data_page({**builder.to_json(), "mixture": "m", "ledger": [], "split": None, "overlap": None})
    assert "No training pair." in html


def test_another_version_is_refused(statistics: MixtureStatistics, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="version 9"):
        write_data_page({**statistics, "schema_version": 9}, tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_the_same_bytes(statistics: MixtureStatistics, tmp_path: Path) -> None:
    assert write_data_page(statistics, tmp_path / "x.html") == len(data_page(statistics).encode())

"""Drawings fit into a page whose policy forbids styles."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from rmeval.reports.shell.svg import DOTS, GRID, INK, NEUTRAL, SERIES, drawing


def drawn(label: str = "label", title: str = "a <b> & c") -> str:
    with drawing("one", label) as own:
        own.axes.bar([1, 2], [3, -4], color=SERIES[0])
        own.axes.plot([1, 2], [1, 2], color=SERIES[1], marker="o", alpha=0.5)
        own.axes.axhline(0, color=NEUTRAL)
        own.axes.set_xlabel(title)
    return str(own.svg)


def test_no_styles_no_colours_of_its_own_no_metadata() -> None:
    svg = drawn()
    assert not re.search(r"style|metadata|xlink|xmlns|#[0-9a-fA-F]{6}\b|DejaVu|Date", svg)
    classes = set(" ".join(re.findall(r'class="([^"]+)"', svg)).split())
    assert {"plot", "f1", "s2", "f2", "sn", "ink", "grid"} <= classes
    assert 'aria-label="label"' in svg


def test_text_is_escaped() -> None:
    svg = drawn('"><script>')
    assert "a &lt;b&gt; &amp; c" in svg
    assert "<script>" not in svg
    ET.fromstring(svg)  # noqa: S314


def test_references_have_their_targets() -> None:
    svg = drawn()
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    assert used == set(re.findall(r'\bid="([^"]+)"', svg)) != set()


def test_the_same_bytes_for_the_same_data() -> None:
    assert drawn() == drawn()


def test_minus_signs_and_short_numbers() -> None:
    svg = drawn()
    assert ">−" in svg
    assert not re.search(r"\d\.\d{3,}", re.sub(r'stroke-\w+="[^"]*"', "", svg))


def test_the_colours_stand_for_themselves() -> None:
    assert len({*SERIES, *DOTS, NEUTRAL, INK, GRID}) == 9


def test_an_error_within_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError), drawing("x", "x"):
        _ = 1 / 0

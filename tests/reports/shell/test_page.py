"""The shell: text that shows, numbers as they are written, a page that lets nothing else in."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data_prep.output.statistics import StatisticsBuilder
from rmeval.data_prep.output.statistics_schema import MixtureStatistics
from rmeval.errors import RunError
from rmeval.reports.data.page import data_page
from rmeval.reports.shell import page
from rmeval.reports.shell.page import signed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb", "a\nb"),
        ("\x00\x1b[2J", "␀␛[2J"),
        ("\x7f\x85\u2028\u202e", "⟨U+007F⟩⟨U+0085⟩⟨U+2028⟩⟨U+202E⟩"),
        ("\ud800 \U0001f600 \u200f \u05d0", "\ufffd \U0001f600 \u200f \u05d0"),
        ("<b>&amp;", "<b>&amp;"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert page.visible(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_visible_text_can_be_written_and_stays_as_it_is(text: str) -> None:
    shown = page.visible(text)
    shown.encode()
    assert page.visible(shown) == shown


def test_numbers() -> None:
    assert [page.percent(share) for share in (0.5, 0.98765, 1, None)] == ["50.0", "98.8", "100.0", "–"]
    assert [page.points(share) for share in (0.0123, -0.0123, 0.0004, -0.0004, None)] == [
        "+1.2",
        "−1.2",
        "0.0",
        "0.0",
        "–",
    ]
    assert page.interval(0.431, 0.569) == "43.1–56.9"
    assert page.interval(None, 0.5) == "–"
    assert page.point_interval(-0.02, 0.161) == "−2.0 to +16.1"
    assert [page.count(number) for number in (0, 1234567, None)] == ["0", "1,234,567", "–"]
    assert [page.decimal(number) for number in (-1234.5, -0.001, float("nan"), float("inf"), None)] == [
        "−1,234.50",
        "0.00",
        "–",
        "–",
        "–",
    ]


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://huggingface.co/datasets/x", True),
        ("http://x.org", True),
        ("javascript:alert(1)", False),
        ("JavaScript://x.org/%0aalert(1)", False),
        ("data:text/html,x", False),
        ("https:", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_only_web_addresses_are_linked(address: str, allowed: bool) -> None:
    assert page.link(address) == (address if allowed else None)


def test_packed_data_comes_back() -> None:
    value = {"text": "é \U0001f600 </script>", "half": "\ud800", "none": None}
    packed = page.pack(value)
    assert packed == page.pack(value)
    assert "<" not in packed
    assert base64.b64decode(packed)[4:8] == bytes(4), "no time of writing"
    raw = gzip.decompress(base64.b64decode(packed))
    assert json.loads(raw) == {**value, "half": "\ufffd"}
    with pytest.raises(ValueError, match="JSON"):
        page.pack(float("nan"))


def rendered(title: str = "t") -> str:
    statistics: MixtureStatistics = {
        **StatisticsBuilder(0).to_json(),
        "mixture": title,
        "ledger": [],
        "split": None,
        "overlap": None,
    }
    return data_page(statistics)


def test_the_policy_names_the_page_s_own_blocks_and_no_others() -> None:
    html = rendered()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    for tag in ("style", "script"):
        (block,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy
    assert policy.startswith("default-src &#39;none&#39;;")
    assert "unsafe" not in policy
    assert not re.search(r"\s(style|on\w+)=\"", html)
    assert not re.search(r"(src|href)=\"(?!#|data:,)", html)


def test_what_comes_from_outside_is_escaped() -> None:
    html = rendered("</title><script>alert(1)</script>\u202e'\"")
    assert "<script>alert" not in html
    assert html.count("</title>") == 1
    assert "\u202e" not in html
    assert "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩&#39;&#34;" in html


def test_templates_keep_to_the_policy() -> None:
    for file in page.TEMPLATES.glob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\s(style|on\w+)=", text), file.name
        assert "| safe" not in text, file.name
    for file in page.TEMPLATES.glob("*.js"):
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", file.read_text(encoding="utf-8")
        )
        assert not found, file.name


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    first, other = (f'{text}<meta name="generator" content="rmeval 1">' for text in ("é", "other"))
    assert page.write_page(path, first) == len(first) + 1
    assert page.write_page(path, other) == len(other)
    assert path.read_text() == other
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("place", [".", "file/page.html"])
def test_a_page_that_cannot_be_written(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot write the page") as caught:
        page.write_page(tmp_path / place, "x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("margin", "shown"),
    [
        (0.0, "0.00"),
        (-0.0, "0.00"),
        (0.004, "+0.004"),
        (-0.00012, "\N{MINUS SIGN}0.0001"),
        (4.4e-5, "+4e\N{MINUS SIGN}5"),
        (-1e-12, "\N{MINUS SIGN}1e\N{MINUS SIGN}12"),
        (0.005, "+0.01"),
        (-123.4, "\N{MINUS SIGN}123"),
        (float("nan"), "–"),
    ],
)
def test_a_margin_that_decides_is_never_shown_as_zero(margin: float, shown: str) -> None:
    assert signed(margin) == shown

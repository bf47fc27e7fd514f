"""What every page looks like: colours, links, tables, plots, print, the keyboard."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("playwright", reason="no browser tests: playwright is not installed")
from playwright.sync_api import expect

from rmeval import RunRecord, load_run
from rmeval.reports.bench.page import write_bench_page
from rmeval.reports.run.report import write_report
from tests.reports.made import made_run
from tests.support.benching import document, measured

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Visit


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    folder = tmp_path_factory.mktemp("runs")
    return [load_run(str(made_run(folder, seed).path)) for seed in (0, 1)]


@pytest.fixture(scope="module")
def report(runs: list[RunRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(runs, path)
    return path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lengths, two sizes, two dtypes, of which one flips decisions: every column and every plot."""
    made = [
        measured(dtype, size, length=length, name=f"{dtype}-{size}x{length}", p99=1.5, device_peak_bytes=10**9,
                 padding_share=0.1, distinct_tokens_per_second=1.0, flips=2 * (dtype == "bfloat16"),
                 completions_per_second=2.0 * size, bound="memory" if size == 1 else "arithmetic")
        for dtype in ("float32", "bfloat16") for length in (64, 256) for size in (1, 4)
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("bench") / "bench.html"
    return write_bench_page(document(*made), path)


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2 of ``rgb(…)``, each part from 0 to 255."""
    parts = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def colours(page: Page, names: list[str]) -> dict[str, str]:
    found: dict[str, str] = page.evaluate(
        """names => Object.fromEntries(names.map(name => {
          document.body.style.outlineColor = `var(--${name})`;
          return [name, getComputedStyle(document.body).outlineColor];
        }))""",
        names,
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(visit: Visit, bench: Path, scheme: str) -> None:
    """WCAG 2.2 AA: 4.5 for text (1.4.3), 3 for what is drawn and for the edges of fields (1.4.11)."""
    page = visit(bench, color_scheme=scheme)
    text = ["text", "muted", "accent", "series-1", "wrong"]
    drawn = ["series-2", "series-3", "neutral", "field"]
    grounds = ["bg", "surface", "warn-bg", "error-bg"]
    own = colours(page, [*text, *drawn, *grounds])
    for name in text:
        assert min(contrast(own[name], own[ground]) for ground in grounds) >= 4.5, name
    for name in drawn:
        assert contrast(own[name], own["bg"]) >= 3, name


def test_dots_are_stronger_on_dark_ground(visit: Visit, report: Path) -> None:
    def opacity(scheme: str) -> float:
        page = visit(report, color_scheme=scheme)
        strokes = page.locator("#plot-scores-0 .d1, #plot-scores-0 .d2").evaluate_all(
            "all => all.map(each => getComputedStyle(each).stroke)"
        )
        assert len(strokes) == 2
        (found,) = {float(re.findall(r"[\d.]+", stroke)[3]) for stroke in strokes}
        return found

    assert opacity("dark") >= 0.6 > opacity("light")


def test_links_look_like_links(visit: Visit, report: Path) -> None:
    page = visit(report)
    for place in ("#subsets-0 th a > bdi", ".warnings a > bdi"):
        look = page.locator(place).first.evaluate(
            "each => [getComputedStyle(each).textDecorationLine, getComputedStyle(each).color]"
        )
        assert look == ["underline", colours(page, ["accent"])["accent"]]


def test_columns_that_sort_say_so(visit: Visit, report: Path) -> None:
    page = visit(report)

    def arrows(name: str) -> list[Any]:
        found: list[Any] = page.locator(f"#subsets-0 th button:text-is('{name}')").evaluate(
            "each => ['::before', '::after'].map(part => Number(getComputedStyle(each, part).opacity))"
        )
        return found

    assert arrows("accuracy") == arrows("n") == [0.45, 0.45]
    page.get_by_role("button", name="accuracy", exact=True).first.click()
    assert arrows("accuracy") == [0, 1], "descending"
    page.get_by_role("button", name="accuracy", exact=True).first.click()
    assert arrows("accuracy") == [1, 0], "ascending"
    assert arrows("n") == [0.45, 0.45]


def test_a_search_without_matches_says_so(visit: Visit, report: Path) -> None:
    page = visit(report)
    tools = page.locator(".tools[data-table=subsets-0]")
    tools.get_by_role("searchbox").fill("no such subset")
    assert tools.locator("output").inner_text() == "Nothing matches."


# --- plots ------------------------------------------------------------------------------------------------------------


def boxes(page: Page, selector: str) -> list[tuple[float, float, float]]:
    """Left, top and right edge of each element, rounded."""
    found = page.locator(selector).evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(box => [box.left, box.top, box.right])"
    )
    return [(round(left), round(top), round(right)) for left, top, right in found]


def test_a_bench_has_a_row_of_plots_for_each_length(visit: Visit, bench: Path) -> None:
    page = visit(bench)
    for row in (1, 2):
        drawn = boxes(page, f".plots.row >> nth={row - 1} >> svg.plot")
        assert len(drawn) == 3
        assert len({top for _, top, _ in drawn}) == 1, "level, however long the captions are"
    assert page.locator(".plots.row").first.locator("h3").all_inner_texts() == [
        f"{name}, 64 tokens" for name in ("Throughput", "Latency", "Memory")
    ]
    phone = visit(bench, width=390)
    assert len({left for left, _, _ in boxes(phone, "svg.plot")}) == 1, "one below the other"


@pytest.mark.parametrize("place", [".plots:not(.row)", "#against-B .plots", "[data-panel='1'] .plots"])
def test_no_half_of_a_row_is_empty(visit: Visit, bench: Path, report: Path, place: str) -> None:
    """The last plot, alone in its row, stands beside its caption."""
    page = visit(bench if "row" in place else report)
    if "panel" in place:
        page.locator("[data-show-run='1']").click()
    figures = page.locator(f"{place} > figure")
    count = figures.count()
    assert count % 2 == 1
    ((left, _, right),) = boxes(page, f"{place} >> nth=0")
    assert boxes(page, f"{place} > figure >> nth={count - 1}")[0][::2] == (left, right)
    caption, drawing = (boxes(page, f"{place} > figure >> nth={count - 1} >> {part}")[0] for part in ("h3", "svg.plot"))
    assert drawing[0] > (left + right) / 2 - 1 > caption[0]
    assert abs(drawing[1] - caption[1]) < 12


# --- print ------------------------------------------------------------------------------------------------------------


def test_paper_has_whole_tables_and_no_dialog(visit: Visit, report: Path, bench: Path) -> None:
    for path in (report, bench):
        page = visit(path, width=688)  # A4 less its margins, at 96 dots an inch.
        page.emulate_media(media="print")
        for table in page.locator("table:visible").all():
            box = table.bounding_box()
            assert box is not None
            turned = table.evaluate("each => getComputedStyle(each.closest('section')).page") == "wide"
            assert box["x"] + box["width"] <= (1016 if turned else 688), table.get_attribute("id")
    page = visit(report, "#example-hep-python%2015", width=688)
    assert page.locator("dialog").is_visible()
    page.emulate_media(media="print")
    assert not page.locator("dialog").is_visible()
    assert page.locator("[data-flips=gained] .what").first.is_visible(), "what flipped is on paper"
    arrow = "each => getComputedStyle(each, '::after').display"
    assert page.locator("#subsets-0 thead button").first.evaluate(arrow) == "none"


# --- the keyboard -----------------------------------------------------------------------------------------------------


def test_an_example_opens_and_closes_with_the_keyboard(visit: Visit, report: Path) -> None:
    page = visit(report)
    link = page.locator("#list a").first
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "close"
    assert page.locator("#previous").is_disabled(), "it is the first"
    assert page.locator("#previous").evaluate("each => getComputedStyle(each).opacity") == "0.4"
    page.keyboard.press("ArrowRight")
    expect(page.locator("#previous")).to_be_enabled()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    assert page.evaluate("document.activeElement.hash") == page.locator("#list a").nth(1).get_attribute("href"), (
        "where one was"
    )


def test_the_headings_of_the_subsets_do_not_touch(visit: Visit, report: Path) -> None:
    """An arrow of sorting ends 0.8 em right of its heading's text, and the next heading begins after it."""
    page = visit(report)
    boxes = [each.bounding_box() for each in page.locator("#subsets-0 thead button:visible").all()]
    gaps = [after["x"] - before["x"] - before["width"] for before, after in pairwise(boxes) if before and after]
    assert len(gaps) > 5
    assert min(gaps) > 0.8 * 16 * 0.87 + 3
    assert page.locator("#subsets-0").evaluate("it => it.parentElement.scrollWidth <= it.parentElement.clientWidth")

"""The pages on a phone: everything is reached, and the numbers that matter stand on the first screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright", reason="no browser tests: playwright is not installed")
from playwright.sync_api import expect

from rmeval import RunRecord, evaluate, load_run
from rmeval.reports.run.report import write_report
from tests.reports.made import Hashed, made_run, rows, write_rows

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Visit

LONG = {"hep-python": "a subset with a name of two hundred characters, " * 4 + "the end.", "llmbar-natural": "x" * 200}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    folder = tmp_path_factory.mktemp("runs")
    return [load_run(str(made_run(folder, seed).path)) for seed in (0, 1)]


@pytest.fixture(scope="module")
def double(runs: list[RunRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("double") / "report.html"
    write_report(runs, path)
    return path


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of a model with a long name on subsets and examples with long names."""
    folder = tmp_path_factory.mktemp("long")
    made = [
        {**row, "subset": LONG.get(row["subset"], row["subset"]), "id": f"{row['id']} {'long' * 25}"} for row in rows()
    ]
    data = write_rows(folder / "rows.jsonl", made)
    name = "an-organisation-with-a-long-name/and-a-model-whose-name-goes-on-and-on-until-nobody-reads-it-" * 2
    runs = [evaluate(Hashed(seed, name), "pairs", dataset=str(data), output_dir=folder / str(seed)) for seed in (0, 1)]
    write_report(runs, folder / "report.html")
    return folder / "report.html"


def right_edge(page: Page, header: str) -> float:
    edge: float = page.locator(header).evaluate("each => each.getBoundingClientRect().right")
    return edge


def test_every_section_is_reached(visit: Visit, double: Path) -> None:
    page = visit(double, width=390)
    button, links = page.get_by_role("button", name="Sections"), page.locator("#nav a")
    assert not links.first.is_visible()
    button.click()
    assert all(link.is_visible() for link in links.all())
    assert button.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert not links.first.is_visible()
    assert page.evaluate("document.activeElement.id") == "sections"
    for place in range(links.count()):
        button.click()
        target = links.nth(place).get_attribute("href") or ""
        links.nth(place).click()
        assert not links.first.is_visible(), "choosing one closes the menu"
        page.wait_for_function(
            "id => Math.abs(document.querySelector(id).getBoundingClientRect().top) < 844", arg=target
        )


def test_sections_that_fit_need_no_menu(visit: Visit, double: Path) -> None:
    page = visit(double, width=1280)
    assert not page.get_by_role("button", name="Sections").is_visible()
    assert all(link.is_visible() for link in page.locator("#nav a").all())
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.get_by_role("button", name="Sections")).to_be_visible()


@pytest.mark.parametrize("page_of", ["double", "long_names"])
def test_the_accuracy_needs_no_scrolling(visit: Visit, page_of: str, request: pytest.FixtureRequest) -> None:
    page = visit(request.getfixturevalue(page_of), width=390)
    assert right_edge(page, "#subsets-0 th:has(button:text-is('accuracy'))") <= 390
    assert right_edge(page, "#differences-1 th:has(button:text-is('difference'))") <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_long_names_push_nothing_off_the_page(visit: Visit, long_names: Path, width: int) -> None:
    page = visit(long_names, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    name = page.locator("#differences-1 tbody th bdi", has_text="two hundred")
    assert name.get_attribute("title") == LONG["hep-python"]
    link = page.locator("#list a").first
    link.click()
    box = page.locator("#close").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= width


def test_scores_stand_before_the_texts(visit: Visit, double: Path, runs: list[RunRecord]) -> None:
    page = visit(double, "#example-hep-python%2015", width=390)
    rows = page.locator("dialog .glance tbody tr")
    assert rows.count() == 2
    for row, run in zip(rows.all(), runs, strict=True):
        scores = run.scores[run.scores.example_id == "hep-python 15"].set_index("role").score
        text = row.inner_text().replace("−", "-")
        assert f"{scores.chosen:.4f}" in text
        assert f"{scores.rejected:.4f}" in text
        assert f"{scores.chosen - scores.rejected:.2f}" in text
    glance, prompt = page.locator("dialog .glance").bounding_box(), page.locator("dialog .prompt").bounding_box()
    assert glance is not None
    assert prompt is not None
    assert glance["y"] + glance["height"] <= prompt["y"]
    assert glance["y"] < 300


@pytest.mark.parametrize("width", [390, 1280])
def test_labels_of_plots_can_be_read(visit: Visit, double: Path, width: int) -> None:
    """Text is 10 px or more, stands level or upright, and no two labels touch."""
    page = visit(double, width=width)
    texts = page.locator("svg.plot:visible").evaluate_all(
        """all => all.map(svg => [...svg.querySelectorAll("text")].map(text => {
          const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
          const matrix = text.getScreenCTM();
          const angle = Math.round(Math.atan2(matrix.b, matrix.a) * 180 / Math.PI);
          const box = text.getBoundingClientRect();
          return [parseFloat(text.getAttribute("font-size")) * scale, angle, box.left, box.top, box.right, box.bottom];
        }))"""
    )
    assert len(texts) >= 4
    for own in texts:
        assert min(text[0] for text in own) >= 10
        assert {text[1] for text in own} <= {0, -90}
        for place, (_, _, left, top, right, bottom) in enumerate(own):
            for _, _, other_left, other_top, other_right, other_bottom in own[:place]:
                assert right <= other_left or other_right <= left or bottom <= other_top + 2 or other_bottom <= top + 2


def test_examples_of_two_runs_stand_in_columns(visit: Visit, double: Path) -> None:
    """However wide the margins are, what was asked begins at the same place in every row."""
    page = visit(double, width=390)
    lefts = page.locator("#list .what").evaluate_all("all => all.map(each => each.getBoundingClientRect().left)")
    assert len(set(lefts)) == 1
    assert page.locator("#list .heads").inner_text().split() == ["A", "B", "prompt"]

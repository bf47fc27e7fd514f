"""The report as its readers use it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("playwright", reason="no browser tests: playwright is not installed")
from playwright.sync_api import expect

from rmeval import RunRecord, load_run
from rmeval.data_prep.text.audit import finding
from rmeval.eval.numbers.compare import compare
from rmeval.eval.suites.credit_rules import all_beat_all
from rmeval.records import scored_examples
from rmeval.reports.run.report import write_report
from tests.reports.made import made_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.conftest import Visit


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRecord, RunRecord]:
    folder = tmp_path_factory.mktemp("runs")
    made = [made_run(folder, seed) for seed in (0, 1)]
    return load_run(str(made[0].path)), load_run(str(made[1].path))


@pytest.fixture(scope="module")
def single(runs: tuple[RunRecord, RunRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("single") / "report.html"
    write_report(runs[:1], path)
    return path


@pytest.fixture(scope="module")
def double(runs: tuple[RunRecord, RunRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("double") / "report.html"
    write_report(runs, path)
    return path


def column(page: Page, table: str, title: str) -> list[str]:
    """The visible cells of a table's column."""
    titles = [text.strip() for text in page.locator(f"{table} thead th").all_inner_texts()]
    place = titles.index(title) + 1
    return [text.strip() for text in page.locator(f"{table} tbody tr:visible > :nth-child({place})").all_inner_texts()]


def listed(page: Page) -> list[str]:
    """The ids of the examples in the list, from their links."""
    links: list[str] = page.eval_on_selector_all(
        "#list a", "all => all.map(a => decodeURIComponent(a.hash.slice('#example-'.length)))"
    )
    return links


def margins(run: RunRecord) -> dict[str, float]:
    return {each.id: all_beat_all(each.chosen, each.rejected).margin for each in scored_examples(run)}


def kinds(run: RunRecord, *wanted: str) -> set[str]:
    return {each.id for each in scored_examples(run) if all_beat_all(each.chosen, each.rejected).kind in wanted}


# --- the table of subsets -----------------------------------------------------------------------------------------


def test_sort_by_number_and_by_text(visit: Visit, single: Path) -> None:
    page = visit(single)
    assert column(page, "#subsets-0", "section") == ["Chat", "Chat Hard", "Safety", "Reasoning"]
    page.get_by_role("button", name="accuracy").click()
    found = [float(text) for text in column(page, "#subsets-0", "accuracy")]
    assert found == sorted(found, reverse=True) != sorted(found)
    assert page.locator("#subsets-0 th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="accuracy").focus()
    page.keyboard.press("Enter")
    assert [float(text) for text in column(page, "#subsets-0", "accuracy")] == sorted(found)
    page.get_by_role("button", name="subset", exact=True).click()
    names = column(page, "#subsets-0", "subset")
    assert names == sorted(names)
    assert page.locator("#subsets-0 th[aria-sort]").count() == 1


def test_filter(visit: Visit, single: Path) -> None:
    page = visit(single)
    tools = page.locator(".tools[data-table=subsets-0]")
    tools.get_by_role("searchbox").fill("XSTEST refuse")
    assert column(page, "#subsets-0", "subset") == ["xstest-should-refuse"]
    assert tools.locator("output").inner_text() == "1 of 4"
    tools.get_by_role("searchbox").fill("")
    tools.get_by_role("combobox").select_option("Reasoning")
    assert column(page, "#subsets-0", "subset") == ["hep-python"]


# --- the examples ---------------------------------------------------------------------------------------------------


def test_worst_misses_nearest_calls_and_ties(visit: Visit, single: Path, runs: Sequence[RunRecord]) -> None:
    page = visit(single)
    margin = margins(runs[0])
    missed = kinds(runs[0], "wrong", "tie")
    found = listed(page)
    assert set(found) == missed
    assert [margin[name] for name in found] == sorted(margin[name] for name in missed)
    page.get_by_role("button", name="Nearest calls").click()
    sizes = [abs(margin[name]) for name in listed(page)][: len(kinds(runs[0], "right", "wrong", "tie"))]
    assert sizes[:50] == sorted(abs(value) for value in margin.values() if math.isfinite(value))[:50]
    page.get_by_role("button", name="Ties", exact=True).click()
    assert set(listed(page)) == kinds(runs[0], "tie") != set()
    assert page.locator("[data-preset=ties]").get_attribute("aria-pressed") == "true"
    page.locator("#by-outcome").select_option("i")
    assert set(listed(page)) == kinds(runs[0], "invalid") != set()


def test_search_and_subset(visit: Visit, single: Path) -> None:
    page = visit(single)
    page.get_by_role("button", name="All", exact=True).click()
    page.locator("#find").fill("question 33: WHAT")
    expect(page.locator("#list a")).to_have_count(2)
    assert listed(page) == ["xstest-should-refuse 66", "hep-python 67"]
    page.locator("#by-subset").select_option(label="hep-python (20)")
    assert listed(page) == ["hep-python 67"]
    assert page.locator("#found").inner_text() == "1 of 80 examples"
    page.locator("#find").fill("no such words")
    page.wait_for_selector("#list .empty")
    page.locator("#find").fill("")
    page.get_by_role("link", name="alpacaeval-easy", exact=True).click()
    expect(page.locator("#list a")).to_have_count(20)
    assert all(name.startswith("alpacaeval-easy") for name in listed(page))


def test_rows_are_made_as_they_come_into_view(visit: Visit, single: Path) -> None:
    page = visit(single)
    page.get_by_role("button", name="All", exact=True).click()
    assert len(listed(page)) == 60
    page.evaluate("document.querySelector('#list').scrollTop = 1e6")
    expect(page.locator("#list a")).to_have_count(80)


def test_open_an_example(visit: Visit, single: Path, runs: Sequence[RunRecord]) -> None:
    page = visit(single)
    page.get_by_role("button", name="All", exact=True).click()
    page.locator("#find").fill("Question 33:")
    expect(page.locator("#list a")).to_have_count(2)
    first, second = listed(page)[:2]
    page.locator("#list a").first.click()
    dialog = page.locator("dialog#example")
    expect(dialog.locator("h2")).to_have_text(first)
    row = runs[0].scores[runs[0].scores.example_id == first]
    for role, own in row.groupby("role"):
        (score,), (tokens,) = own.score, own.tokens
        line = dialog.locator(f".answer.{role} .scores").inner_text()
        assert line.replace("−", "-").startswith(f"score {score:.4f} · {tokens} tokens")
    assert "Question 33: what comes after 33?" in dialog.locator(".prompt").inner_text()
    assert page.url.endswith("#example-" + first.replace(" ", "%20"))
    page.keyboard.press("ArrowRight")
    expect(dialog.locator("h2")).to_have_text(second)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page).not_to_have_url(re.compile("#example"))


def test_deep_link(visit: Visit, single: Path) -> None:
    page = visit(single, "#example-hep-python%2015")
    assert page.locator("dialog#example h2").inner_text() == "hep-python 15"
    page.get_by_role("button", name="Close").click()
    assert page.locator("#browser").is_visible()
    unknown = visit(single, "#example-nobody%")
    assert not unknown.locator("dialog#example").is_visible()


def test_a_warning_leads_to_its_example(visit: Visit, single: Path) -> None:
    page = visit(single)
    folded = page.locator("#overview details.known")
    assert "warnings: missing-bos × 3, undecided × " in folded.locator("summary").inner_text()
    link = folded.get_by_role("link", name="llmbar-natural 13")
    expect(link).to_be_hidden()
    folded.locator("summary").click()
    expect(link).to_be_visible()
    assert "pad-is-eos" not in page.locator("#overview").inner_text()


def test_the_number_comes_first(visit: Visit, single: Path, double: Path, runs: Sequence[RunRecord]) -> None:
    """Of partial runs too: title, number, verdict, sections, then one line of warnings, all in the first screen."""
    page = visit(single)
    page.set_viewport_size({"width": 1280, "height": 800})
    assert page.locator("h1").inner_text() == "hashed-0 PARTIAL: not a RewardBench result"
    order = ["h1", ".headline .big", "[data-verdict]", ".barlist .whole", "details.known > summary", "#subsets h2"]
    boxes = [page.locator(each).first.bounding_box() for each in order]
    places = [box["y"] for box in boxes if box is not None]
    assert len(places) == len(order)
    assert places[1] < 300
    assert max(places[:-1]) < 800
    assert [places[0], places[1], places[2], places[4], places[5]] == sorted(places[:3] + places[4:])
    assert page.locator("h1, h2").all_inner_texts() == [
        "hashed-0 PARTIAL: not a RewardBench result", "Subsets", "Lengths", "Plots", "Examples", "Provenance", "",
    ]  # fmt: skip
    assert page.locator("ul.warnings li:visible").count() == 0

    page = visit(double)
    page.set_viewport_size({"width": 1280, "height": 800})
    numbers = [text.strip() for text in page.locator(".runs .number b").all_inner_texts()]
    overall = [run.info.results.overall for run in runs]
    assert numbers == [f"{100 * each.accuracy:.1f}%" for each in overall if each is not None]
    assert (page.locator(".runs .number b").last.bounding_box() or {"y": 1e9})["y"] < 400
    assert page.locator("ul.warnings li:visible").count() == 1, "left out: one without a finite score"
    summaries = page.locator(".head details.known summary").all_inner_texts()
    assert len(summaries) == 1
    assert summaries[0].count("19 of 23 subsets missing") == 1, "what is true of both runs is said once"


def test_errors_stay_in_sight(visit: Visit, runs: Sequence[RunRecord], tmp_path: Path) -> None:
    bad = runs[0].with_info(audit=(finding("untrained-head", 1), finding("truncated", 3)))
    write_report([bad], tmp_path / "one.html")
    note = visit(tmp_path / "one.html").locator(".headline .note.error")
    expect(note).to_be_visible()
    assert note.inner_text().startswith("untrained-head × 1: the head that gives the score was newly initialised")
    write_report([bad, runs[1].with_info(audit=())], tmp_path / "two.html")
    page = visit(tmp_path / "two.html")
    assert page.locator(".runs li").nth(0).locator(".note.error").is_visible()
    assert page.locator(".runs li").nth(1).locator(".note.error").count() == 0


def test_every_subset_shows_its_best_reference_line(visit: Visit, single: Path, runs: Sequence[RunRecord]) -> None:
    page = visit(single)
    lines = runs[0].info.results.reference_lines
    expected = []
    for subset in column(page, "#subsets-0", "subset"):
        reached = {name: each.subsets[subset] for name, each in lines.items()}
        best = max(reached, key=lambda name: reached[name] or 0)
        expected.append(f"{best} {100 * (reached[best] or 0):.1f}")
    assert column(page, "#subsets-0", "best reference line") == expected
    page.get_by_role("button", name="best reference line").click()
    values = [float(text.split()[-1]) for text in column(page, "#subsets-0", "best reference line")]
    assert values == sorted(values, reverse=True)


def test_paper_has_every_warning(visit: Visit, single: Path) -> None:
    page = visit(single)
    page.emulate_media(media="print")
    assert page.locator("details.known li").first.is_visible()


# --- looks ----------------------------------------------------------------------------------------------------------


def ground(page: Page) -> int:
    """How light the page's background is, from 0 to 255."""
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return int(re.findall(r"\d+", colour)[0])


def test_dark_and_light(visit: Visit, single: Path) -> None:
    assert ground(visit(single)) > 240
    page = visit(single, color_scheme="dark")
    assert ground(page) < 40
    page.locator("#theme").click()
    assert ground(page) > 240
    page.reload()
    assert ground(page) > 240, "the choice is remembered"
    page.locator("#theme").click()
    page.emulate_media(media="print")
    assert ground(page) > 240, "paper is white"
    assert not page.locator(".bar").is_visible()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(visit: Visit, single: Path, double: Path, width: int) -> None:
    for path in (single, double):
        assert visit(path, width=width).evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_everything(visit: Visit, single: Path) -> None:
    page = visit(single)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(document.activeElement.id || document.activeElement.textContent).trim()"))
    assert {"Skip to the content", "theme", "accuracy", "Ties", "find", "order"} <= reached
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"


def test_copy_the_command(visit: Visit, single: Path, runs: Sequence[RunRecord], tmp_path: Path) -> None:
    run = runs[0].with_info(command=("rmeval", "rewardbench", "--model", "a b"))
    write_report([run], tmp_path / "r.html")
    page = visit(tmp_path / "r.html", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    page.wait_for_selector("text=Copied")
    expected = f"rmeval rewardbench --model 'a b' --revision {0:040d}"
    assert page.evaluate("navigator.clipboard.readText()") == expected


# --- two runs -------------------------------------------------------------------------------------------------------


def test_two_runs(visit: Visit, double: Path, runs: Sequence[RunRecord]) -> None:
    page = visit(double)
    found = compare(*runs)
    gained = {name for each in found.flips.values() for name in each.to_right}
    lost = {name for each in found.flips.values() for name in each.to_wrong}
    page.locator("#by-outcome").select_option("gained")
    assert set(listed(page)) == gained != set()
    page.locator("#by-outcome").select_option("lost")
    assert set(listed(page)) == lost != set()
    assert page.locator("#subsets-0").is_visible()
    assert not page.locator("#subsets-1").is_visible()
    page.get_by_role("button", name="B · hashed-1").click()
    assert page.locator("#subsets-1").is_visible()
    assert not page.locator("#subsets-0").is_visible()


def test_flipped_examples_show_what_was_asked_and_both_margins(
    visit: Visit, double: Path, runs: Sequence[RunRecord]
) -> None:
    page = visit(double)
    found = compare(*runs)
    margin = [margins(run) for run in runs]
    for key, names in (
        ("gained", [name for each in found.flips.values() for name in each.to_right]),
        ("lost", [name for each in found.flips.values() for name in each.to_wrong]),
    ):
        wanted = sorted(names, key=lambda name: -abs(margin[1][name]))[:10]
        links = page.locator(f"[data-flips={key}] a[href^='#example-']")
        shown = links.evaluate_all("all => all.map(a => decodeURIComponent(a.hash.slice('#example-'.length)))")
        assert [abs(margin[1][name]) for name in shown] == [abs(margin[1][name]) for name in wanted]
        assert set(shown) <= set(names)
        first = links.first.inner_text().replace("−", "-")
        assert "what comes after" in first
        for own in margin:
            assert f"{own[shown[0]]:+.2f}".replace("+0.00", "0.00") in first
        page.locator(f"[data-outcome-link={key}]").click()
        assert set(listed(page)) == set(names), "the rest is in the list of examples"
    page.locator("[data-flips=lost] a").first.click()
    page.wait_for_selector("dialog#example[open]")
    assert page.locator("dialog#example .answer.chosen .scores > div").count() == 2
    assert page.locator("dialog#example .glance tbody tr").count() == 2


# --- nothing else runs ----------------------------------------------------------------------------------------------


def test_the_policy_forbids_everything_else(chromium: Browser, single: Path) -> None:
    page = chromium.new_page()
    page.goto(single.as_uri())
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content") or ""
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    tried: dict[str, Any] = page.evaluate(
        """async () => {
          const script = document.createElement("script");
          try { script.textContent = "window.ran = 1"; } catch (error) {}
          document.body.append(script);
          const styled = document.createElement("p");
          styled.setAttribute("style", "color: rgb(1, 2, 3)");
          document.body.append(styled);
          let html = "refused";
          try { styled.innerHTML = "<b>x</b>"; html = "made"; } catch (error) {}
          let fetched = "refused";
          try { await fetch("data:text/plain,x"); fetched = "made"; } catch (error) {}
          return { ran: window.ran, colour: getComputedStyle(styled).color, html, fetched };
        }"""
    )
    page.close()
    assert tried["html"] == tried["fetched"] == "refused"
    assert tried.get("ran") is None
    assert tried["colour"] != "rgb(1, 2, 3)"

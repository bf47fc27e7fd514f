"""The leaderboard as its readers use it, and every figure on it computed again from the run files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("playwright", reason="no browser tests: playwright is not installed")

from playwright.sync_api import expect

from rmeval import leaderboard, load_run
from rmeval.eval.runner import recompute
from rmeval.eval.suites import get_suite
from rmeval.reports.board.entries import Leaderboard
from rmeval.reports.run.report import write_report
from rmeval.reports.run.summary import summary
from rmeval.run_info import ModelInfo
from tests.browser.test_figures_in_browser import cells, frame, percent, ranges
from tests.browser.test_hostile_in_browser import HOSTILE, SHOWN, harmless
from tests.browser.test_report_in_browser import column
from tests.support.comparing import write_rows
from tests.support.ranking import decisions, whole_run

if TYPE_CHECKING:
    from tests.browser.conftest import Visit

SUBSETS = ["alpacaeval-easy", "llmbar-natural", "xstest-should-refuse", "hep-python"] * 50
SKILLS = {"org/strong": 0.95, "org/good": 0.93, "org/fair": 0.72, "other/fair": 0.7, "org/weak": 0.4}
PUBLISHED = dict.fromkeys(get_suite("rewardbench").expected, 0.8)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    folder = tmp_path_factory.mktemp("leaderboard")
    data = write_rows(folder / "rows.jsonl", SUBSETS, [f"prompt {place // 3}" for place in range(len(SUBSETS))])
    for seed, (name, share) in enumerate(SKILLS.items()):
        decided = "=" + decisions(share, len(SUBSETS), seed)[1:]
        created = f"2026-11-{20 - seed}T12:00:00+00:00"
        run = whole_run(folder / "runs" / f"run {seed}", data, decided, name, "rewardbench", created=created)
        if seed == 0:
            assert run.path is not None
            write_report([run], run.path / "report.html")
    reasons = ("only the first 200 examples asked for",)
    decided = decisions(0.99, len(SUBSETS), 9)
    whole_run(folder / "runs" / "part", data, decided, "part", "rewardbench", partial=True, partial_reasons=reasons)
    (folder / "published.json").write_text(json.dumps({"model": "published/model", **PUBLISHED}))
    table = "model,avg,chat,chat_hard,safety,reasoning\nfirst,80,80,80,80,80\nsecond,70,60,60,60,60\n"
    (folder / "table.csv").write_text(table)
    imports = [folder / "published.json", folder / "table.csv"]
    return leaderboard([folder / "runs"], folder / "site", imports=imports)


# --- the index --------------------------------------------------------------------------------------------------------


def test_sort(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html")
    models = column(page, "#board-0", "model")
    assert models == [row.entry.model for row in board.tables[0].rows]
    page.locator("#board-0").get_by_role("button", name="Chat Hard", exact=True).click()
    found = [float(text) for text in column(page, "#board-0", "Chat Hard")]
    assert found == sorted(found, reverse=True)
    assert page.evaluate("location.hash") == "#sort-0=Chat+Hard.descending"
    page.keyboard.press("Enter")
    assert [float(text) for text in column(page, "#board-0", "Chat Hard")] == sorted(found)
    page.locator("#board-0").get_by_role("button", name="rank", exact=True).click()
    assert column(page, "#board-0", "rank")[-1] == "–", "what has no rank comes last"
    reference_lines = page.locator("#board-0 tfoot th").all_inner_texts()
    assert reference_lines == ["longest", "shortest", "random"]


def test_search_and_filter(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html")
    tools = page.locator(".tools[data-table=board-0]")
    tools.get_by_role("searchbox").fill("FAIR")
    assert set(column(page, "#board-0", "model")) == {"org/fair", "other/fair"}
    assert tools.locator("output").inner_text() == "2 of 6"
    assert len(column(page, "#board-1", "model")) == 2, "each table has its own"
    tools.get_by_role("searchbox").fill("")
    tools.get_by_role("combobox").select_option("imported")
    assert column(page, "#board-0", "model") == ["published/model"]
    assert column(page, "#board-0", "rank") == ["–"]
    assert column(page, "#board-0", "95% interval") == ["–"]


def test_columns_with_the_keyboard(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html")
    assert page.locator("#board-0 th:visible").all_inner_texts()[:4] == ["rank", "model", "overall", "95% interval"]
    summary = page.locator("[data-board='0'] .columns summary")
    summary.focus()
    page.keyboard.press("Enter")
    boxes = page.locator("[data-board='0'] .columns input")
    boxes.first.focus()
    assert boxes.first.is_checked()
    page.keyboard.press("Space")
    assert "rank" not in page.locator("#board-0 thead th:visible").all_inner_texts()
    page.get_by_label("Chat Hard interval").first.check()
    shown = column(page, "#board-0", "Chat Hard interval")
    assert all(re.fullmatch(r"[\d.]+–[\d.]+|–", text) for text in shown)
    assert page.evaluate("decodeURIComponent(location.hash)") == "#columns-0=-rank,+Chat+Hard+interval"
    page.keyboard.press("Escape")
    expect(page.locator("[data-board='0'] .columns fieldset")).to_be_hidden()
    assert (
        page.locator("#board-0 tfoot tr").first.locator("> :visible").count()
        == page.locator("#board-0 thead th:visible").count()
    )


def test_a_link_leads_to_the_same_view(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html")
    page.locator("#board-0").get_by_role("button", name="Safety").click()
    page.locator(".tools[data-table=board-0]").get_by_role("searchbox").fill("org/")
    page.locator("[data-board='0'] .columns summary").click()
    page.locator("[data-board='0']").get_by_label("date").check()
    page.wait_for_function("location.hash.includes('find-0')")
    anchor = page.evaluate("location.hash")
    wanted = (column(page, "#board-0", "model"), column(page, "#board-0", "date"))
    again = visit(board.path / "index.html", anchor)
    assert (column(again, "#board-0", "model"), column(again, "#board-0", "date")) == wanted
    assert again.locator("#board-0 th[aria-sort]").inner_text() == "Safety"
    assert again.locator("[data-board='0']").get_by_label("date").is_checked()
    nonsense = visit(board.path / "index.html", "#sort-0=nothing.sideways&columns-0=+x&find-9=y&origin-0=z")
    assert len(column(nonsense, "#board-0", "model")) == 6


def test_to_a_model_and_back(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html", "#find-0=strong")
    link = page.get_by_role("link", name="org/strong")
    assert link.get_attribute("href") == "models/org-strong.html"
    own = visit(board.path / "models" / "org-strong.html", "#against")
    assert own.locator("h1").inner_text() == "org/strong RewardBench"
    assert own.get_by_role("link", name="Leaderboard").get_attribute("href") == "../index.html"
    report = own.get_by_role("link", name="Its report").get_attribute("href") or ""
    assert report == "../../runs/run%200/report.html"
    assert (board.path / "models" / report.replace("%20", " ")).resolve().is_file()
    assert visit(board.path / "models" / "org-weak.html").get_by_role("link", name="Its report").count() == 0
    for name in board.path.rglob("*.html"):
        for target in re.findall(r'href="([^"#:]+)"', name.read_text()):
            assert (name.parent / target.replace("%20", " ")).exists(), f"{name} links to {target}"


def test_what_is_not_ranked(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html")
    assert "part" not in column(page, "#board-0", "model")
    (row,) = cells(page.locator("#apart-table tbody tr"))
    assert row[0] == "part"
    assert row[4] == "partial: only the first 200 examples asked for"
    note = page.locator("#table-1 .note").inner_text()
    assert note == (
        "A table of its own: the file does not say which weights its sections have (--import-weights tells)."
    )
    assert page.locator("#table-1 .footnotes li").all_inner_texts() == [
        "its published average, 70.0, is not the mean of its sections, 60.0: second"
    ]
    own = visit(board.path / "models" / "part.html")
    measured = next(each.row.entry.measured for each in board.apart if each.row and each.row.label == "part")
    assert measured is not None
    assert own.locator("[data-verdict]").inner_text() == summary(load_run(measured.path))["verdict"]
    assert own.locator("h1 .badge.warn").inner_text() == "PARTIAL: not a RewardBench result"
    assert own.locator("details.known summary").inner_text().startswith("not ranked, partial: only the first 200 ")


def test_dark_phone_and_print(visit: Visit, board: Leaderboard) -> None:
    for path in (board.path / "index.html", board.path / "models" / "org-fair.html"):
        for scheme, ground in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(21, 24, 28)")):
            page = visit(path, width=390, color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
        page.locator("#theme").click()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        page.emulate_media(media="print")
        assert not page.locator(".tools").first.is_visible()
        assert not page.locator(".columns").first.is_visible()


def test_without_scripts_the_tables_are_there(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html", java_script_enabled=False)
    assert page.locator("#board-0 tbody tr").count() == 6
    assert not page.locator(".columns").first.is_visible()
    assert page.locator("#nav").is_visible()


# --- kinds of model, rank ranges --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    """Two kinds of model, one of them twice."""
    folder = tmp_path_factory.mktemp("kinds")
    data = write_rows(folder / "rows.jsonl", SUBSETS)
    for place, (name, kind) in enumerate((("org/a", "classifier"), ("org/b", "dpo"), ("org/c", "classifier"))):
        decided = decisions(0.9 - 0.2 * place, len(SUBSETS), place)
        model = ModelInfo(name, kind, f"made:{name}")
        whole_run(folder / "runs" / name.replace("/", "-"), data, decided, name, "rewardbench", model=model)
    return leaderboard([folder / "runs"], folder / "site")


def test_the_kind_of_model_is_a_column_and_a_filter(visit: Visit, kinds: Leaderboard) -> None:
    page = visit(kinds.path / "index.html")
    assert column(page, "#board-0", "kind") == ["classifier", "dpo", "classifier"]
    page.get_by_label("All kinds of model").select_option("dpo")
    assert column(page, "#board-0", "model") == ["org/b"]
    page.wait_for_function("location.hash.includes('kind-0=dpo')")
    again = visit(kinds.path / "index.html", page.evaluate("location.hash"))
    assert column(again, "#board-0", "model") == ["org/b"]


def test_one_kind_is_no_choice(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html")
    assert page.get_by_label("All kinds of model").count() == 0
    assert column(page, "#board-0", "kind") == ["script", "script", "–", "script", "script", "script"]
    assert "kind" not in page.locator("#board-1 thead").inner_text(), "published numbers do not say it"


def test_rank_ranges_have_a_head_with_their_ends(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html")
    assert page.locator("#board-0 th[data-column=range]").inner_text().split("\n") == ["1", "rank range", "5"]
    page.locator("[data-board='0'] .columns summary").click()
    page.get_by_label("rank range, drawn").uncheck()
    assert not page.locator("#board-0 th[data-column=range]").is_visible()


def test_a_name_leads_to_its_model_and_looks_like_it(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html")
    look = page.locator("#board-0 tbody th a bdi").first.evaluate(
        "each => [getComputedStyle(each).textDecorationLine, getComputedStyle(each).color,"
        " getComputedStyle(each.closest('tr').cells[2]).color]"
    )
    assert look[0] == "underline"
    assert look[1] != look[2]


def test_the_index_fits_its_page(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html")
    room = page.locator("#table-0 .scroll")
    assert room.evaluate("each => each.scrollWidth - each.clientWidth") <= 0, "no column is cut at 1280 px"
    phone = visit(board.path / "index.html", width=390)
    edge = phone.locator("#board-0 th[data-column=overall]").evaluate("each => each.getBoundingClientRect().right")
    assert edge <= 390


# --- figures ----------------------------------------------------------------------------------------------------------


def test_every_figure_of_the_index(visit: Visit, board: Leaderboard) -> None:
    page = visit(board.path / "index.html")
    folder = board.path.parent / "runs"
    results = {load_run(path).info.model.name: recompute(load_run(path)) for path in folder.glob("run *")}
    table = board.tables[0]
    assert table.ranking is not None
    rows = {row[1]: row for row in cells(page.locator("#board-0 tbody tr"))}
    titles = page.locator("#board-0 thead th").evaluate_all("all => all.map(each => each.dataset.column)")
    sections = list(get_suite("rewardbench").sections("today"))[:4]
    wins = joint(board, folder)
    for name, found in results.items():
        own = dict(zip(titles, next(row for model, row in rows.items() if model == name), strict=True))
        assert found.overall is not None
        assert own["overall"] == percent(found.overall.accuracy)
        assert own["interval"] == ranges(found.overall)
        for section in sections:
            assert own[section] == percent(found.sections[section].accuracy)
            assert own[f"{section} interval"] == ranges(found.sections[section])
        assert own["ties"] == str(sum(each.ties for each in found.subsets.values())) == "1"
        first, last = 1 + sum(wins(other, name) for other in results), 5 - sum(wins(name, other) for other in results)
        assert own["rank"] == (f"{first}–{last}" if first < last else str(first))
        assert own["origin"] == "measured"
    groups = {row[1]: set(row[titles.index("group")].split(", ")) for row in rows.values()}
    for one in results:
        for other in results:
            assert bool(groups[one] & groups[other]) == (not wins(one, other) and not wins(other, one))
    for row in cells(page.locator("#board-0 tfoot tr")):
        for found in results.values():
            line = found.reference_lines[row[1]]
            assert row[2] == percent(line.overall or 0)
            assert [row[titles.index(name)] for name in sections] == [percent(line.sections[name]) for name in sections]
    published = dict(zip(titles, rows["published/model"], strict=True))
    assert [published[name] for name in ("overall", *sections)] == ["80.0"] * 5


def joint(board: Leaderboard, folder: Path) -> Callable[[str, str], bool]:
    """Which model surely beats which: differences from the run files, standard errors by a formula.

    Each section has one subset, of the same size; a subset's variance is that of its clusters' sums.
    """
    tables = {load_run(path).info.model.name: (load_run(path), frame(load_run(path))) for path in folder.glob("run *")}
    table = board.tables[0]
    assert table.ranking is not None
    critical = table.ranking.critical

    def wins(one: str, other: str) -> bool:
        run, own = tables[one]
        prompts = run.examples.set_index("example_id").prompt_hash.loc[own.index]
        change = own.right.astype(float) - tables[other][1].right.loc[own.index].astype(float)
        mean = variance = 0.0
        for subset in set(own.subset):
            inside = own.subset == subset
            mean += change[inside].mean() / 4
            sums = (change[inside] - change[inside].mean()).groupby(prompts[inside]).sum()
            n, k = inside.sum(), len(sums)
            variance += (sums**2).sum() * k / (k - 1) / n**2 / 16 + 2 / 64 / n**2
        return bool(mean > critical * np.sqrt(variance))

    return wins


def test_every_figure_of_a_model(visit: Visit, board: Leaderboard) -> None:
    folder = board.path.parent / "runs"
    table = board.tables[0]
    assert table.ranking is not None
    tables = {load_run(path).info.model.name: frame(load_run(path)) for path in folder.glob("run *")}
    for place, row in enumerate(table.measured):
        page = visit(board.path / row.page)
        assert row.entry.measured is not None
        results, own = recompute(load_run(row.entry.measured.path)), tables[row.entry.model]
        assert results.overall is not None
        assert page.locator("[data-overall]").inner_text() == f"{percent(results.overall.accuracy)}%"
        bars = {"Overall": results.overall, **results.sections}
        shown = page.locator(".barlist [data-bar]").evaluate_all(
            "all => all.map(e => [e.dataset.bar, e.querySelector('.num.value').textContent,"
            " e.querySelector('.range').textContent])"
        )
        assert shown == [[name, percent(each.accuracy), ranges(each)] for name, each in bars.items()]
        for cell in cells(page.locator("#subsets-table tbody tr")):
            inside, result = own[own.subset == cell[0]], results.subsets[cell[0]]
            assert cell[2] == f"{len(inside)} of {result.expected}"
            assert cell[3] == percent(inside.right.mean())
            assert cell[4] == f"{percent(result.low or 0)}–{percent(result.high or 0)}"
            assert cell[6:8] == [str((inside.margin == 0).sum()), "0"]
            lines = {"longest": (inside.longer > 0).mean(), "shortest": (inside.longer < 0).mean()}
            lines["random"] = results.reference_lines["random"].subsets[cell[0]] or 0
            best = max(lines, key=lambda name: float(lines[name]))
            assert cell[8] == f"{best} {percent(lines[best])}"
        verdicts = []
        for cell in cells(page.locator("#against-table tbody tr")):
            other = next(k for k, each in enumerate(table.measured) if each.entry.model == cell[0])
            theirs = tables[cell[0]].loc[own.index]
            gap = np.mean(
                [(own.right[own.subset == s].mean() - theirs.right[own.subset == s].mean()) for s in set(own.subset)]
            )
            reach = table.ranking.reach[place, other]
            assert float(cell[2]) == pytest.approx(100 * gap, abs=0.0501)
            ends = [float(end) for end in cell[3].split(" to ")]
            assert ends == pytest.approx([100 * (gap - reach), 100 * (gap + reach)], abs=0.0501)
            verdicts.append("better" if gap > reach else "worse" if gap < -reach else "cannot tell")
            assert cell[5] == verdicts[-1]
        counts = [verdicts.count(verdict) for verdict in ("better", "worse", "cannot tell")]
        lead = page.locator("#against .lead").inner_text()
        assert re.findall(r"\d+", lead)[:3] == [str(count) for count in counts]
        first, last = 1 + counts[1], 5 - counts[0]
        rank = f"{first}–{last}" if first < last else str(first)
        assert page.locator("[data-rank] b").inner_text() == rank


# --- text from outside ------------------------------------------------------------------------------------------------


def test_hostile_names_are_text(visit: Visit, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", ["a", "b"] * 20)
    names = {**HOSTILE, "path": "../../../etc/passwd", "long": "m" * 300}
    for place, name in enumerate(names.values()):
        text = name.replace("\ud83d", "?") if "\ud83d" in name else name
        whole_run(tmp_path / "runs" / f"run {place}", data, decisions(0.8, 40, place), text, command=("rmeval", text))
    rows = "".join(f'"{name}",80,80,80,80,80,80\n' for name in ("<b>x</b>", "=cmd()", "javascript:alert(1)"))
    (tmp_path / "t.csv").write_text("model,avg,chat,chat_hard,safety,reasoning,prior_sets\n" + rows)
    (tmp_path / "in").mkdir()
    published = {"model": HOSTILE["surrogate"], **PUBLISHED}
    (tmp_path / "in" / "m.json").write_text(json.dumps(published))
    (tmp_path / "in" / "<img src=x>.txt").write_text("")
    board = leaderboard([tmp_path / "runs"], tmp_path / "site", imports=[tmp_path / "t.csv", tmp_path / "in"])
    page = visit(board.path / "index.html")
    harmless(page)
    found = page.locator("tbody th bdi").evaluate_all("all => all.map(each => each.textContent)")
    shown = {**SHOWN, "path": names["path"], "long": names["long"], "surrogate": "half ? a face"}
    assert set(shown.values()) <= set(found)
    assert SHOWN["surrogate"] in found
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    for row in board.rows:
        own = visit(board.path / row.page)
        harmless(own)
        assert own.evaluate("document.documentElement.scrollWidth") <= 1280
    assert {path.parent for path in tmp_path.rglob("*.html")} == {board.path, board.path / "models"}
    for name in ("leaderboard.json", "leaderboard.md", "leaderboard.csv"):
        assert "\u202e" not in (board.path / name).read_text()
    assert "<script" not in (board.path / "leaderboard.md").read_text()

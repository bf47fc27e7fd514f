"""Text is data: whatever prompts, answers, ids, names and roles hold, it shows as text and does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright", reason="no browser tests: playwright is not installed")
from playwright.sync_api import expect

from rmeval import evaluate
from rmeval.data_prep.output.statistics import StatisticsBuilder, preview
from rmeval.data_prep.output.statistics_schema import MixtureStatistics
from rmeval.reports.data.page import write_data_page
from rmeval.reports.run.report import write_report
from rmeval.types import Finding, Message
from tests.reports.made import Hashed

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Visit

HOSTILE = {
    "script": "<script>window.hacked = 1</script>",
    "style": "</style><style>body { display: none }</style>",
    "closing": "</script><script>window.hacked = 1</script> ]]> --> </div></dialog>",
    "image": '"><img src=x onerror="window.hacked = 1">',
    "address": "javascript:window.hacked=1 [x](javascript:window.hacked=1)",
    "template": "{{ 7 * 7 }} {% raw %} ${7 * 7}",
    "entities": "&lt;b&gt; &amp; &#x41;",
    "direction": "\u202e\u2066 abc \u05e9\u05dc\u05d5\u05dd \u200f\u202c",
    "control": "\x00 \x07 \x1b[2J \x7f \x9b \u2028 bell",
    "surrogate": "half \ud83d a face",
    "astral": "whole \U0001f600 face",
    "lines": "\n\n  first\r\nsecond\tthird",
}
SHOWN = {
    **HOSTILE,
    "direction": "⟨U+202E⟩⟨U+2066⟩ abc \u05e9\u05dc\u05d5\u05dd \u200f⟨U+202C⟩",
    "control": "␀ ␇ ␛[2J ⟨U+007F⟩ ⟨U+009B⟩ ⟨U+2028⟩ bell",
    "surrogate": "half \ufffd a face",
    "lines": "\n\n  first\nsecond\tthird",
}
LINE = "x" * 1_000_000


def harmless(page: Page) -> None:
    """Nothing ran, and there is no element that the page's own template did not make."""
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, iframe, object, embed, link[rel=stylesheet]").count() == 0
    assert page.locator("style").count() == 1
    assert page.locator("script:not([type])").count() == 1
    assert page.locator("a[href^='javascript:' i], [onerror], [style*=display]").count() == 0
    assert page.locator("main").is_visible()


def test_report(visit: Visit, tmp_path: Path) -> None:
    rows = [
        {
            "id": f"{name} {text}".replace("\ud83d", "?").replace("\x00", "?"),
            "prompt": [{"role": "user", "content": text}],
            "chosen": [{"role": f"assistant {HOSTILE['image']}", "content": f"yes {text}"}],
            "rejected": [{"role": "assistant", "content": f"no {LINE if name == 'script' else text}"}],
            "subset": f"{name} {HOSTILE['closing']}" if name in ("script", "style") else "plain",
        }
        for name, text in HOSTILE.items()
    ]
    data = tmp_path / "a&b <i>.jsonl"
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    run = evaluate(Hashed(name=f"m {HOSTILE['closing']}\u202e"), "pairs", dataset=str(data))
    found = Finding("judge <b>", "warning", 2, (HOSTILE["image"], str(rows[0]["id"])))
    run = run.with_info(audit=(*run.info.audit, found), command=("rmeval", HOSTILE["closing"]))
    write_report([run], tmp_path / "report.html")
    page = visit(tmp_path / "report.html")
    harmless(page)
    assert page.locator("h1").inner_text() == f"m {HOSTILE['closing']}⟨U+202E⟩-0 Preference pairs"
    assert page.locator("#subsets-0 tbody tr").count() == 3
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator("#list a")).to_have_count(len(rows))
    for place, name in enumerate(HOSTILE):  # The dialog opens when it is filled, a moment after the click.
        page.locator("#list a").nth(place).click()
        assert page.locator("dialog[open] .prompt .text").text_content() == SHOWN[name]
        assert page.locator("dialog[open] .answer.chosen .text").text_content() == f"yes {SHOWN[name]}"
        if name == "script":
            assert len(page.locator("dialog[open] .answer.rejected .text").text_content() or "") == 20_000
            page.get_by_role("button", name="Show all 1,000,003 characters").click()
            assert page.locator("dialog[open] .answer.rejected .text").text_content() == f"no {LINE}"
        page.keyboard.press("Escape")
    harmless(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_data_page(visit: Visit, tmp_path: Path) -> None:
    builder = StatisticsBuilder(seed=0, examples_per_source=len(HOSTILE))
    source = f"source {HOSTILE['closing']}"
    for text in HOSTILE.values():
        prompt, answer = (Message("user", text),), (Message(HOSTILE["image"], text),)
        builder.add(source, "train", 5, 8, 3, 1.0, 0.0, lambda p=prompt, a=answer: preview(p, a, a))  # type: ignore[misc]
    statistics: MixtureStatistics = {
        **builder.to_json(),
        "mixture": HOSTILE["image"],
        "ledger": [
            {
                "name": source,
                "title": HOSTILE["style"],
                "home": "javascript:window.hacked=1",
                "licence": HOSTILE["script"],
                "rules": [{"text": HOSTILE["script"], "origin": HOSTILE["direction"]}],
                "rows": 13,
                "dropped_rows": {HOSTILE["script"]: 1},
                "candidates": 12,
                "dropped_pairs": {},
                "pairs": 12,
                "published": None,
                "reasons": {HOSTILE["script"]: HOSTILE["style"]},
            }
        ],
        "split": None,
        "overlap": None,
    }
    write_data_page(json.loads(json.dumps(statistics)), tmp_path / "data.html")
    page = visit(tmp_path / "data.html")
    harmless(page)
    prompts = page.eval_on_selector_all(".pair .prompt .text", "all => all.map(each => each.textContent)")
    assert sorted(prompts) == sorted(SHOWN.values())
    assert page.locator("#ledger a").count() == 0

"""How a run shows itself in Python."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from rmeval import RunRecord, evaluate


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return evaluate("baseline:longest", "mini")


def interval(run: RunRecord) -> str:
    overall = run.info.results.overall
    assert overall is not None
    return f"{overall.low * 100:.1f}–{overall.high * 100:.1f}"


def test_a_run_is_one_short_line(run: RunRecord) -> None:
    assert repr(run) == f"<RunRecord mini: baseline:longest 50.0% ({interval(run)}), 256 examples, in memory>"
    partial = evaluate("baseline:longest", "mini", limit=3)
    assert repr(partial).startswith("<RunRecord PARTIAL mini: baseline:longest ")
    assert repr(replace(run, path=Path("runs/x"))).endswith(", runs/x>")
    nothing = run.with_info(results=replace(run.info.results, overall=None))
    assert "baseline:longest no overall number, 256 examples" in repr(nothing)


def test_a_notebook_shows_the_table(run: RunRecord) -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", run._repr_html_())
    cells = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]
    assert cells[0] == ["", "n", "accuracy, %", "95% interval", "best reference line"]
    assert cells[1] == ["overall", "", "50.0", interval(run), "53.9 (random)"]
    names = [name for name, *_ in cells[2:]]
    results = run.info.results
    assert names == [*results.sections, *(f"· {name}" for name in results.subsets)]
    assert cells[-1][1] == "32"


def test_what_comes_from_outside_is_text(run: RunRecord) -> None:
    evil = "<script>alert(1)</script>"
    subsets = {evil: next(iter(run.info.results.subsets.values()))}
    named = run.with_info(
        model=replace(run.info.model, name=evil),
        results=replace(run.info.results, subsets=subsets),
        partial=True,
        partial_reasons=(f"only the subsets {evil}", "3 short (a 1/2)"),
    )
    shown = named._repr_html_()
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3
    assert "partial: only the subsets &lt;script&gt;alert(1)&lt;/script&gt;, 3 short</caption>" in shown

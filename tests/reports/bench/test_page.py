from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rmeval.bench_info import BenchComparison, BenchLine, Cell, Planned, Setting
from rmeval.reports.bench.console import print_bench, print_comparison, print_plan
from rmeval.reports.bench.page import bench_page, write_bench_page
from rmeval.reports.bench.plots import draw
from rmeval.reports.bench.words import comparison_cells, duration, notes, rate
from tests.support.benching import document, measured

EVIL = "</script><script>alert(1)</script>\x1b[31m"
LINE = BenchLine(
    cell="float32-1x64", kind="throughput", basis="share of the roofline", before=0.2, after=0.15, worse_by=0.25,
    noise=0.02, limit=0.1, verdict="worse", failed=True,
)  # fmt: skip


def two_dtypes() -> list[Any]:
    sizes = (1, 4)
    return [
        *(measured(batch_size=size, completions_per_second=2.0 * size, p50=0.5) for size in sizes),
        *(measured("bfloat16", size, completions_per_second=3.0 * size, flips=2, drift_max=0.01) for size in sizes),
    ]


def test_the_page_holds_the_numbers() -> None:
    page = bench_page(document(*two_dtypes(), best={"64": "float32-4x64"}))
    assert re.search(
        r"fastest without a flipped decision at 64 tokens: float32-4x64, 8\.00 conversations/s \(noise 2\.0%, ", page
    )
    assert page.count('<svg class="plot"') == 4
    assert page.count('class="plots row"') == 1
    for name in ("float32-1x64", "float32-4x64", "bfloat16-1x64", "bfloat16-4x64"):
        assert f"<bdi>{name}</bdi>" in page
    assert "500.0 ms" in page
    assert "style=" not in page.replace("style-src", "")


def test_a_plot_for_each_question_and_the_roof_in_it() -> None:
    (row,), flips = draw(two_dtypes())
    plots = {plot.id: plot for plot in row}
    assert list(plots) == ["throughput-64", "latency-64", "memory-64"]
    assert plots["throughput-64"].legend == [("float32", "c1"), ("bfloat16", "c2")]
    # A line and a dotted roof for each dtype.
    assert len(re.findall(r'stroke-dasharray="[\d., ]+"', str(plots["throughput-64"].svg))) >= 2
    assert plots["throughput-64"].rows[1] == ("float32-4x64", "8.00", "40.0")
    assert flips is not None
    assert flips.rows[3] == ("bfloat16-4x64", "12.0", "2 of 32", "1.0e-02")
    without: list[Any] = [{**row, "roof_seconds": None, "flips": None} for row in two_dtypes()]
    (row,), flips = draw(without)
    assert [plot.id for plot in row] == ["throughput-64", "latency-64", "memory-64"]
    assert flips is None


def test_a_row_of_plots_for_each_length() -> None:
    longer: list[Any] = [{**row, "length": 128} for row in two_dtypes()]
    rows, _ = draw([*two_dtypes(), *longer])
    assert [[plot.id for plot in row] for row in rows] == [
        [f"{name}-{length}" for name in ("throughput", "latency", "memory")] for length in (64, 128)
    ]


def test_a_plot_of_single_dots_is_left_out() -> None:
    one: list[Any] = [row for row in two_dtypes() if row["batch_size"] == 1]
    rows, flips = draw(one)
    assert (rows, flips is not None) == ([], True)  # Two settings, of which one flips decisions.
    none_flips: list[Any] = [{**row, "flips": 0} for row in two_dtypes()]
    assert draw(none_flips)[1] is None
    assert draw(one[:1]) == ([], None)
    page = bench_page(document(*one[:1]))
    assert 'href="#plots"' not in page
    assert '<svg class="plot"' not in page
    assert "<bdi>float32-1x64</bdi>" in page


def heads(page: str) -> list[str]:
    table = page.split('id="cells-table"')[1].split("</thead>", maxsplit=1)[0]
    return re.findall(r">([^<>]+)</button>", table)


def test_a_column_that_shows_nothing_is_left_out() -> None:
    """Nothing on a device, no p99, no padding, tokens all distinct; all cells bound alike."""
    rows = [measured(batch_size=size, p99=None, padding_share=0.0, device_peak_bytes=None) for size in (1, 4)]
    rows = [{**row, "distinct_tokens_per_second": row["tokens_per_second"], "bound": "memory"} for row in rows]
    page = bench_page(document(*rows))
    assert not {"p99", "on device", "padding", "distinct tokens/s", "bound by", "path"} & set(heads(page))
    assert f"Alike in all cells: bound by memory, path {rows[0]['path']}." in page
    rows[1] |= {"p99": 0.9, "padding_share": 0.2, "device_peak_bytes": 5, "distinct_tokens_per_second": 1.0}
    page = bench_page(document(*rows, measured("bfloat16", bound="arithmetic")))
    assert {"p99", "on device", "padding", "distinct tokens/s", "bound by"} <= set(heads(page))


def test_text_from_outside_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    content = document(
        measured(), measured(status="skipped", reason=EVIL, batch_size=2), sweep={"model": EVIL}, device=EVIL
    )
    page = bench_page(content)
    assert "alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    print_bench(content)
    assert "\x1b[31m" not in capsys.readouterr().out


def test_a_bench_that_was_stopped_says_so() -> None:
    page = bench_page(document(measured(status="planned"), complete=False))
    assert "was stopped before its end" in page
    assert "the bench was stopped before it" in page
    assert '<svg class="plot"' not in page


def test_the_comparison_says_what_was_compared() -> None:
    comparison = BenchComparison((LINE,), ("x",), ("cpu differs: A and B",))
    page = bench_page(document(measured()), comparison)
    assert "as a share of what the machine could do in the same run" in page
    assert "worse (fails)" in page
    assert "cpu differs: A and B" in page
    absolute = bench_page(document(measured()), replace(comparison, lines=(replace(LINE, basis="completions/s"),)))
    assert "Numbers are absolute" in absolute


def test_a_file_is_written(tmp_path: Path) -> None:
    path = write_bench_page(document(measured()), tmp_path / "b" / "bench.html")
    assert path.read_text().startswith("<!doctype html>")


def test_the_table_and_the_plan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    print_bench(document(*two_dtypes(), measured(status="skipped", reason="too long", length=99)))
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("float32-1x64"))
    assert re.split(r" {2,}", row.strip())[:10] == [
        "float32-1x64", "500.0 ms", "600.0 ms", "2.0%", "2.00", "128", "1.00 GB", "20.0%", "20.0%", "arithmetic",
    ]  # fmt: skip
    assert "float32-1x99: skipped: too long" in out
    plan = Planned(Cell(Setting("float32"), 1, 8), request_seconds=0.5, seconds=30.0)
    print_plan([plan, replace(plan, cell=Cell(Setting("int8"), 1, 8), reason="no torchao")], 90.0, 1)
    error = capsys.readouterr().err
    assert re.search(r"^float32-1x8 +500\.0 ms +30 s", error, re.MULTILINE)
    assert "not measured: int8-1x8: no torchao" in error
    assert "1 cells, 1 of them already; at most about 90 s from here" in error
    print_comparison(BenchComparison((LINE,), ("only-old",), ("models differ",)))
    out = capsys.readouterr().out
    assert "in one of the two only: only-old" in out
    assert "FAIL: 1 of 1 comparisons" in out


def test_changes_are_signed_as_people_read_them() -> None:
    assert comparison_cells(LINE) == [
        "float32-1x64", "share of the roofline", "20.0%", "15.0%", "-25.0%", "2.0%", "worse (fails)",
    ]  # fmt: skip
    flips = replace(LINE, kind="flips", basis="decisions flipped", before=1.0, after=3.0, worse_by=2.0)
    assert comparison_cells(flips)[2:5] == ["1", "3", "+2"]
    memory = replace(LINE, kind="memory", basis="host peak bytes", before=1e9, after=2e9, worse_by=1.0)
    assert comparison_cells(memory)[2:5] == ["1.00 GB", "2.00 GB", "+100.0%"]
    gone = replace(LINE, after=None, worse_by=None, noise=None, reason="does not fit: x")
    assert comparison_cells(gone)[3:] == ["–", "–", "–", "worse (fails): does not fit: x"]


def test_where_a_larger_batch_does_not_pay_the_reason_is_given() -> None:
    first = measured(completions_per_second=10.0, noise=0.02)
    last = measured(batch_size=32, completions_per_second=8.0, noise=0.02)
    (note,) = notes(document(first, last)["rmeval"])
    assert note.startswith("float32-32x64 is slower a conversation than float32-1x64 (8.00 and 10.0 conversations/s)")
    assert "already binds the arithmetic" in note
    (note,) = notes(document(first, {**last, "noise": 0.3})["rmeval"])
    assert note.endswith("inconclusive: the noise is 32.0%")
    (note,) = notes(document({**first, "bound": "memory"}, {**last, "bound": "memory", "padding_share": 0.4})["rmeval"])
    assert note.endswith("40.0% of its token places are padding")
    assert notes(document(first, {**last, "completions_per_second": 10.0})["rmeval"]) == []
    (note,) = notes(document(measured(rounds=2))["rmeval"])
    assert note == "fewer than 5 rounds, so take the noise with care: float32-1x64"
    (note,) = notes(document(measured(host_peak_exact=False))["rmeval"])
    assert "since the program started" in note


def test_units() -> None:
    assert [duration(each) for each in (None, 0.01234, 1.5, 240.0)] == ["–", "12.3 ms", "1.50 s", "4.0 min"]
    assert [rate(each) for each in (None, 1.234, 12.34, 1234.5)] == ["–", "1.23", "12.3", "1,234"]

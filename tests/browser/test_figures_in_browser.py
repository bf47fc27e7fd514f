"""Every figure on a page recomputes from the run's files, by other code than the page's."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from rmeval import RunRecord, load_run
from rmeval.eval.numbers.compare import compare
from rmeval.eval.runner import recompute
from rmeval.reports.run.report import write_report
from tests.reports.made import Hashed, made_run

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from rmeval.run_info import Estimate
    from tests.browser.conftest import Visit


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    folder = tmp_path_factory.mktemp("runs")
    return [load_run(str(made_run(folder, seed, number=200).path)) for seed in (3, 4)]


def cells(rows: Locator) -> list[list[str]]:
    """The text of every cell of table rows, with the minus that Python reads."""
    found: list[list[str]] = rows.evaluate_all(
        "rows => rows.map(row => [...row.children].map(c => c.textContent.trim().replace(/\\s+/g, ' ')))"
    )
    return [[text.replace("−", "-") for text in row] for row in found]


def frame(run: RunRecord) -> pd.DataFrame:
    """One row an example, from the two files alone."""
    assert run.path is not None
    scores = pd.read_parquet(run.path / "scores.parquet")
    table = scores.pivot(index="example_id", columns="role", values=["score", "tokens"])
    table.columns = ["_".join(name) for name in table.columns]
    examples = pd.read_parquet(run.path / "examples.parquet").set_index("example_id")
    table["margin"] = table.score_chosen - table.score_rejected
    table["right"] = table.margin > 0
    table["longer"] = [chars[0] - chars[1] for chars in examples.completion_chars.loc[table.index]]
    table["longest"] = table[["tokens_chosen", "tokens_rejected"]].max(axis=1)
    table["subset"] = examples.subset.loc[table.index]
    return table


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def ranges(estimate: Estimate) -> str:
    return f"{percent(estimate.low)}–{percent(estimate.high)}"


def test_one_run(visit: Visit, runs: Sequence[RunRecord], tmp_path: Path) -> None:
    write_report(runs[:1], tmp_path / "report.html")
    page = visit(tmp_path / "report.html")
    results, table = recompute(runs[0]), frame(runs[0])
    valid = table[table.margin.notna()]
    assert results.overall is not None

    assert page.locator(".big").inner_text() == f"{percent(results.overall.accuracy)}%"
    assert ranges(results.overall) in page.locator(".headline").inner_text()
    bars = {"Overall": results.overall, **results.sections}
    shown = page.locator(".barlist [data-bar]").evaluate_all(
        "all => all.map(e => [e.dataset.bar, e.querySelector('.num.value').textContent,"
        " e.querySelector('.range').textContent, e.querySelector('rect.value').getAttribute('width')])"
    )
    assert shown == [
        [name, percent(each.accuracy), ranges(each), f"{100 * each.accuracy:.2f}%"] for name, each in bars.items()
    ]
    legend = page.locator(".legend.reference-lines").inner_text()
    for name, line in results.reference_lines.items():
        assert line.overall is not None
        assert f"{name} {percent(line.overall)}" in legend

    rows = cells(page.locator("#subsets-0 tbody tr"))
    assert {row[0] for row in rows} == set(results.subsets)
    for row in rows:
        own, result = valid[valid.subset == row[0]], results.subsets[row[0]]
        assert row[2] == f"{len(own)} of {result.expected}"
        assert row[3] == percent(own.right.mean())
        assert row[4] == f"{percent(result.low or 0)}–{percent(result.high or 0)}"
        assert row[6] == str((own.margin == 0).sum())
        assert row[7] == str((table.subset == row[0]).sum() - len(own))
        assert row[8] == str((own.margin.abs() <= Hashed.drift).sum())
        assert row[9] == str(result.truncated)
        assert float(row[10]) == pytest.approx(own.margin.mean(), abs=0.00501)
        longer = table[table.subset == row[0]].longer
        lines = {"longest": (longer > 0).mean(), "shortest": (longer < 0).mean()}
        lines["random"] = results.reference_lines["random"].subsets[row[0]] or 0
        best = max(lines, key=lambda name: float(lines[name]))
        assert row[11] == f"{best} {percent(lines[best])}"
    figures_of_plots(page, valid)


def figures_of_plots(page: Page, valid: pd.DataFrame) -> None:
    margins = valid.margin.to_numpy(dtype=float)
    for level, value in cells(page.locator("#plot-margins tbody tr")):
        assert float(value) == pytest.approx(float(np.percentile(margins, int(level))), abs=1e-4)

    confidence = 1 / (1 + np.exp(-np.abs(margins)))
    holds = (np.sign(margins) + 1) / 2
    text = page.locator("#plot-calibration figcaption").inner_text()
    error = 0.0
    rows = cells(page.locator("#plot-calibration tbody tr"))
    assert sum(int(row[1]) for row in rows) == len(margins)
    for row in rows:
        low, high = (int(edge) / 100 for edge in row[0].split("–"))
        own = (confidence >= low) & ((confidence < high) | (high == 1))
        assert row[1:4] == [str(own.sum()), percent(confidence[own].mean()), percent(holds[own].mean())]
        error += own.sum() * abs(confidence[own].mean() - holds[own].mean()) / len(margins)
    assert f"error {percent(error)}%" in text
    assert f"Brier score {np.mean((1 - 1 / (1 + np.exp(-margins))) ** 2):.3f}" in text

    rows = cells(page.locator("#plot-length tbody tr"))
    assert sum(int(row[1]) for row in rows) == len(valid)
    for row in rows:
        own = valid[valid.longer.map(lambda d, label=row[0]: inside(d, label))]
        assert row[1:3] == [str(len(own)), percent(own.right.mean())]
    rows = cells(page.locator("#plot-tokens tbody tr"))
    assert sum(int(row[1]) for row in rows) == len(valid)
    for row in rows:
        low, high = ([int(edge) for edge in row[0].split("–")] * 2)[:2]
        own = valid[valid.longest.between(low, high)]
        assert row[1:3] == [str(len(own)), percent(own.right.mean())]

    rows = cells(page.locator("#plot-scores tbody tr"))
    assert sum(int(row[2]) for row in rows if row[0] == "chosen") >= len(valid)
    text = page.locator("#plot-scores figcaption").inner_text().replace("−", "-")
    found = re.search(r"length is (-?[\d.]+?)\.(?:\s|$)", text)
    assert found is not None
    assert float(found[1]) == pytest.approx(correlation(page, valid), abs=0.0051)


def correlation(page: Page, valid: pd.DataFrame) -> float:
    """Spearman's, over every answer with a finite score, the one of an invalid example included."""
    run = load_run(page.locator("dt:text-is('folder') + dd").inner_text())
    scores = run.scores[run.scores.score.map(math.isfinite)]
    assert len(scores) == 2 * len(valid) + 1
    return float(spearmanr(scores.score, scores.tokens).statistic)


def inside(difference: float, label: str) -> bool:
    """Whether a difference belongs to a bin of that label: the edge nearer to 0 is outside, the other inside."""
    label = label.replace(",", "")
    if label == "0":
        return difference == 0
    if label[0] in "<>":
        edge = float(label[2:])
        return difference < edge if label[0] == "<" else difference > edge
    low, high = (float(edge) for edge in label.split(" to "))
    return low <= difference < high if high <= 0 else low < difference <= high


def test_two_runs(visit: Visit, runs: Sequence[RunRecord], tmp_path: Path) -> None:
    write_report(runs, tmp_path / "report.html")
    page = visit(tmp_path / "report.html")
    found = compare(*runs)
    tables = [frame(run) for run in runs]
    both = tables[0].join(tables[1].add_suffix("_b")).dropna(subset=["margin", "margin_b"])
    assert found.overall is not None
    rows = cells(page.locator("[data-difference]"))
    expected = {"Overall": found.overall, **found.sections}
    assert [row[0] for row in rows] == list(expected)
    for row, each in zip(rows, expected.values(), strict=True):
        assert row[2:4] == [percent(each.baseline), percent(each.candidate)]
        assert float(row[4]) == pytest.approx(100 * each.difference, abs=0.0501)
        assert [float(end) for end in row[5].split(" to ")] == pytest.approx(
            [100 * each.low, 100 * each.high], abs=0.0501
        )
        assert row[6] == ("< 0.001" if each.p < 0.001 else f"{each.p:.3f}")
    for row in cells(page.locator("#differences-1 tbody tr")):
        own = both[both.subset == row[0]]
        assert row[1:3] == [percent(own.right.mean()), percent(own.right_b.mean())]
        assert float(row[3]) == pytest.approx(100 * (own.right_b.mean() - own.right.mean()), abs=0.0501)
        only_b, only_a = (own.right_b & ~own.right).sum(), (own.right & ~own.right_b).sum()
        assert row[7:10] == [str(only_b), str(only_a), str(len(own))]
    positions = page.locator("[data-difference] svg.pair > svg").evaluate_all(
        "all => all.map(each => each.getAttribute('x'))"
    )
    shares = [share for each in expected.values() for share in (each.baseline, each.candidate)]
    assert positions == [f"{100 * share:.2f}%" for share in shares]
    over_each_other(page, both)
    summaries = page.locator(".flips h4").all_inner_texts()
    gained, lost = (both.right_b & ~both.right).sum(), (both.right & ~both.right_b).sum()
    assert summaries == [f"Correct only in B: {gained}", f"Correct only in A: {lost}"]
    lead = page.locator("#against-B .lead").inner_text()
    assert f"Of {len(both)} examples, {gained} are correct only in B and {lost} only in A." in lead


def over_each_other(page: Page, both: pd.DataFrame) -> None:
    """The plot of both runs by length, of the examples that are valid in both."""
    rows = cells(page.locator("#plot-length-beside-B tbody tr"))
    assert sum(int(row[1]) for row in rows) == len(both)
    for row in rows:
        own = both[both.longer.map(lambda d, label=row[0]: inside(d, label))]
        assert [row[1], row[2], row[4]] == [str(len(own)), percent(own.right.mean()), percent(own.right_b.mean())]

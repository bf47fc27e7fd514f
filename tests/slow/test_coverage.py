"""Do 95% intervals hold the true accuracy 95% of the time? Simulated on RewardBench's shape."""

from __future__ import annotations

import numpy as np
import pytest

from rmeval.eval.metrics import compute_results
from rmeval.eval.statistics import weighted_mean
from rmeval.eval.suites import get_suite
from rmeval.types import ScoredExample
from tests.conftest import REPOSITORY

SUITE = get_suite("rewardbench")
QUALITIES = {"middling": (0.55, 0.95), "strong": (0.85, 0.99), "near perfect": (0.95, 0.999)}
"""Range of the subsets' true accuracies."""


def simulate(quality: tuple[float, float], runs: int, seed: int) -> dict[str, float]:
    """Return the share of runs whose interval holds the truth, for each section and overall."""
    random = np.random.default_rng(seed)
    truth = dict(zip(SUITE.expected, random.uniform(*quality, len(SUITE.expected)), strict=True))
    sections = {name: s.subsets for name, s in SUITE.sections("today").items() if name != "Prior Sets"}
    true_sections = {name: weighted_mean(truth, subsets) for name, subsets in sections.items()}
    true_overall = np.mean([value for value in true_sections.values() if value is not None])
    held = dict.fromkeys([*sections, "overall"], 0)
    for run in range(runs):
        scored = [
            ScoredExample(f"{name}/{i}", name, f"{name}/{i}", (score,), (0.5,), (1,), (1,))
            for name, n in SUITE.expected.items()
            for i, score in enumerate((random.random(n) < truth[name]).astype(float))
        ]
        results = compute_results(SUITE, "today", scored, seed=run)
        for name, value in true_sections.items():
            assert value is not None
            held[name] += int(results.sections[name].low <= value <= results.sections[name].high)
        assert results.overall is not None
        held["overall"] += int(results.overall.low <= true_overall <= results.overall.high)
    return {name: count / runs for name, count in held.items()}


@pytest.mark.slow
def test_intervals_cover() -> None:
    runs = 300
    found = {name: simulate(quality, runs, seed) for seed, (name, quality) in enumerate(QUALITIES.items())}
    columns = list(found["strong"])
    lines = [
        "# Coverage of the 95% intervals",
        "",
        f"Share of {runs:,} simulated runs of RewardBench's 2,985 rows whose interval holds the true accuracy;",
        "the standard error of a share is 1.3 points. Made by `tox -e slow` (`tests/slow/test_coverage.py`).",
        "",
        "| subsets' true accuracy | " + " | ".join(columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for name, (low, high) in QUALITIES.items():
        cells = " | ".join(f"{100 * found[name][column]:.1f}%" for column in columns)
        lines.append(f"| {name}: {100 * low:g}–{100 * high:g}% | {cells} |")
    (REPOSITORY / "docs" / "coverage.md").write_text("\n".join(lines) + "\n")
    assert min(found["middling"].values()) >= 0.95 - 3 * 0.0126
    assert min(found["strong"].values()) >= 0.95 - 3 * 0.0126
    assert min(found["near perfect"].values()) >= 0.95 - 3 * 0.0126


def test_intervals_cover_in_a_few_runs() -> None:
    """The same in small, for CI: 60 runs of a near perfect model; 95% coverage misses more than 9 once in 1,000."""
    assert simulate(QUALITIES["near perfect"], 60, seed=7)["overall"] >= 51 / 60

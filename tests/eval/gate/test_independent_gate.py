"""The gate against a script that shares nothing with it, on outcomes with the accuracies of published runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rmeval.eval.gate.check import judge_accuracies
from rmeval.eval.gate.rules import DEFAULT_RULES, parse_rule
from rmeval.eval.numbers.differences import ALPHA, PairedOutcome, differences
from rmeval.eval.suites import get_suite
from tests.support.independent_gate import Row, verdicts

SUITE = get_suite("rewardbench")
SECTIONS = {name: (each.weight, each.subsets) for name, each in SUITE.sections("today").items()}


def outcomes(right: int, n: int, seed: int) -> np.ndarray:
    """So many of ``n`` right; whatever the seed, mostly the same ones."""
    hardness = np.random.default_rng(n).random(n) + 0.15 * np.random.default_rng(seed).random(n)
    return np.argsort(np.argsort(hardness)) < right


def published(folder: Path, name: str) -> dict[str, float]:
    return dict(json.loads((folder / "reference-results" / name).read_text()))


def ours(rows: list[Row]) -> dict[str, str]:
    groups: dict[str, list[PairedOutcome]] = {}
    for place, (subset, prompt, before, after) in enumerate(rows):
        groups.setdefault(subset, []).append(PairedOutcome(str(place), prompt, before, after))
    found = differences(SUITE, "today", groups)
    lines = judge_accuracies([parse_rule(text) for text in DEFAULT_RULES], found, alpha=ALPHA)
    return {line.target: line.verdict for line in lines}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("together", [1, 3])
def test_two_published_evaluations_of_rm_mistral_7b(shared_data: Path, swapped: bool, together: int) -> None:
    """Both evaluations' accuracies by subset as outcomes; with neighbours of one prompt too, across subsets."""
    runs = [published(shared_data, f"RM-Mistral-7B.eval-set.{commit}.json") for commit in ("30dd245", "3345ba1")]
    rows: list[Row] = []
    for subset, n in SUITE.expected.items():
        before, after = (outcomes(round(run[subset] * n), n, seed) for seed, run in enumerate(runs))
        prompts = [f"{row // together}" if together > 1 else f"{subset} {row}" for row in range(n)]
        rows += [(subset, *row) for row in zip(prompts, before.tolist(), after.tolist(), strict=True)]
    if swapped:
        rows = [(subset, prompt, after, before) for subset, prompt, before, after in rows]
    assert ours(rows) == verdicts(rows, SECTIONS)


@pytest.mark.parametrize("worse", [0.0, 0.03, 0.1])
def test_a_model_that_is_worse_in_one_section(worse: float) -> None:
    rows: list[Row] = []
    for seed, (subset, n) in enumerate(SUITE.expected.items()):
        lost = worse if subset in SECTIONS["Safety"][1] else 0.0
        before, after = (outcomes(round((0.85 - own) * n), n, 10 * seed + (own > 0)) for own in (0.0, lost))
        rows += [(subset, f"{subset} {i}", bool(before[i]), bool(after[i])) for i in range(n)]
    found = ours(rows)
    assert found == verdicts(rows, SECTIONS)
    if worse == 0.1:
        assert found["section Safety"] == "regression"

"""The best reference line, and what is said beside a number."""

from __future__ import annotations

import pytest

from rmeval import evaluate
from rmeval.reports.run.beaten import BestLine, best_line, best_of, verdict
from rmeval.run_info import Estimate

ROWS = [{"prompt": f"p{k}", "chosen": "a", "rejected": "bb" if k < 8 else "b" if k < 9 else ""} for k in range(10)]


def test_the_best_of_them_is_found() -> None:
    assert best_of({"longest": 0.3, "shortest": 0.7, "random": 0.5}) == BestLine("shortest", 0.7)
    assert best_of({"longest": None, "random": 0.5}) == BestLine("random", 0.5)
    assert best_of({"longest": 0.5, "random": 0.5}) == BestLine("longest", 0.5)
    assert best_of({}) is None
    # Eight of ten chosen answers are shorter, one is as long and one longer.
    results = evaluate("baseline:longest", "pairs", dataset=ROWS).info.results
    found = best_line(results)
    assert found is not None
    assert str(found) == "shortest 80.0"
    assert str(best_line(results, subset="all")) == "shortest 80.0"
    assert best_line(results, section="Chat") is None


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (Estimate(0.742, 0.70, 0.78), "does not beat shortest (74.2)"),
        (Estimate(0.75, 0.71, 0.79), "above shortest (74.2), but not by more than its interval"),
        (Estimate(0.80, 0.76, 0.84), "beats every reference line; the best is shortest (74.2)"),
    ],
)
def test_what_is_said(number: Estimate, words: str) -> None:
    assert verdict(number, BestLine("shortest", 0.742)) == words
    assert verdict(None, BestLine("shortest", 0.742)) == verdict(number, None) == ""

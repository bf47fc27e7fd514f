"""All answers of a row that was made pairs of: against every way to draw them from the rows themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from rmeval import evaluate
from rmeval.eval.numbers.views.best_of_n import best_of_n
from rmeval.eval.numbers.views.grids import whole_rows
from rmeval.eval.suites import get_suite
from rmeval.records import RunRecord, scored_examples
from rmeval.reports.run.summary import summary

PAIRS = get_suite("pairs")


def row(domain: str, right: tuple[int, ...], wrong: tuple[int, ...]) -> dict[str, Any]:
    chosen, rejected = (["x" * count for count in side] for side in (right, wrong))
    return {"prompt": f"{domain} {right} {wrong}", "domain": domain, "chosen": chosen, "rejected": rejected}


ROWS = [row("chat", (1, 2, 6), (3, 4, 5)), row("chat", (4, 5, 6), (1, 2, 3)), row("math", (1, 2, 3), (4, 5, 6))]


def counted(row: dict[str, Any], n: int) -> Fraction:
    """How often the longest of n answers is right, every draw counted; equals of a length share."""
    texts = dict.fromkeys((text, right) for right in (True, False) for text in row["chosen" if right else "rejected"])
    shares = []
    for drawn in combinations(texts, n):
        longest = max(len(text) for text, _ in drawn)
        best = [right for text, right in drawn if len(text) == longest]
        shares.append(Fraction(sum(best), len(best)))
    return sum(shares, Fraction(0)) / len(shares)


def test_the_six_answers_of_each_row_and_the_mean_of_domains() -> None:
    found = summary(evaluate("baseline:longest", "rm-bench", dataset=ROWS))["best_of_n"]
    assert [point["n"] for point in found] == [1, 2, 3, 4, 5, 6]
    for point in found:
        first, second, third = (counted(each, int(point["n"])) for each in ROWS)
        assert point["accuracy"] == pytest.approx(float(((first + second) / 2 + third) / 2), abs=1e-12)
        assert point["examples"] == 3
    assert [point["accuracy"] for point in found][5] == pytest.approx(1 / 2)
    assert {point["random"] for point in found} == {1 / 2}
    # The oracle misses where all drawn are among the three wrong ones.
    assert [point["oracle"] for point in found] == pytest.approx([1 / 2, 4 / 5, 19 / 20, 1, 1, 1])


def test_the_real_chat_rows(shared_data: Path) -> None:
    file = shared_data / "suites/rm-bench-chat.json"
    found = summary(evaluate("baseline:longest", "rm-bench", dataset=str(file)))["best_of_n"]
    rows = json.loads(file.read_text())
    for point in found:
        own = [each for each in rows if len(set(each["chosen"])) + len(set(each["rejected"])) >= point["n"]]
        expected = sum((counted(each, int(point["n"])) for each in own), Fraction(0)) / len(own)
        assert point["examples"] == len(own)
        assert point["accuracy"] == pytest.approx(float(expected), abs=1e-12)


def whole(run: RunRecord) -> list[tuple[int, int]]:
    return [(len(each.chosen), len(each.rejected)) for each in whole_rows(run, scored_examples(run))]


def test_what_is_left_of_a_row_is_no_whole_row() -> None:
    hard = evaluate("baseline:longest", "rm-bench", dataset=ROWS, subsets=["chat-hard"])
    assert whole(hard) == []
    assert summary(hard)["best_of_n"] == []
    # The second row of nine pairs is cut after two; of single pairs that were drawn some may be a small grid by chance.
    assert whole(evaluate("baseline:longest", "rm-bench", dataset=ROWS, limit=11)) == [(3, 3)]
    drawn = evaluate("baseline:longest", "rm-bench", dataset=ROWS, limit_per_subset=3)
    assert whole(drawn) == [(1, 1)] * drawn.info.data.rows


def test_an_answer_that_is_there_twice_counts_once() -> None:
    assert whole(evaluate("baseline:longest", "rm-bench", dataset=[row("chat", (1, 2, 2), (3, 4, 5))])) == [(2, 3)]


def test_lists_that_are_read_as_a_grid_have_the_curve_of_the_lists() -> None:
    """The examples of the one are pairs, of the other rows; the answers are the same."""
    rows = [{"prompt": f"p{k}", "chosen": ["a" * k, "b" * 4], "rejected": ["c" * 3, "d" * 5]} for k in range(1, 7)]
    one, other = (evaluate("baseline:longest", "pairs", dataset=rows, lists=how) for how in ("grid", "all"))
    assert one.info.data.rows == 24
    assert whole(one) == whole(other) == [(2, 2)] * 6
    curves = [best_of_n(PAIRS, None, whole_rows(run, scored_examples(run))) for run in (one, other)]
    assert curves[0] == curves[1]
    assert len(curves[0]) == 4
    # Examples of several wrong answers each are left as they are.
    assert whole(evaluate("baseline:longest", "pairs", dataset=rows, lists="each")) == [(1, 2)] * 12


def test_scores_that_compare_within_a_pair_only_are_not_put_together() -> None:
    run = evaluate("baseline:longest", "rm-bench", dataset=ROWS)
    scored = scored_examples(run)
    within = run.with_info(model=replace(run.info.model, scale="within-item"))
    assert whole_rows(within, scored) is scored
    assert best_of_n(get_suite("rm-bench"), "equal", whole_rows(within, scored)) == ()


def test_pairs_drawn_from_many_answers_have_no_curve() -> None:
    answers = {f"response_{k + 1}": "x" * (k + 1) for k in range(4)}
    rows = [
        {"question_id": 1, "prompt": "q", "part": "math", "scores": [1, 0, 1, 0], **answers}
        | {"sampled_conflict_pairs": [[0, 1], [2, 3], [0, 3]]}
    ]
    run = evaluate("baseline:longest", "ppe-correctness", dataset=rows)
    assert whole(run) == [(1, 1)] * 3
    assert summary(run)["best_of_n"] == []

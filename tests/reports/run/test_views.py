"""What stands beside a run's numbers on its page: the overall number by other rules, groups, best of n of pairs."""

from __future__ import annotations

import re

from rmeval import evaluate
from rmeval.reports.run.report import report_page

ANSWERS = {"source": "mmlu-pro-law", "response_model": "gpt-4o"}
# Of four pairs the longer answer is right in one, wrong in one; two tie, of which B is right in one.
JUDGED = [
    {**ANSWERS, "pair_id": str(k), "question": f"q{k}", "response_A": a, "response_B": b, "label": label}
    for k, (a, b, label) in enumerate([("xx", "x", "A>B"), ("x", "xx", "A>B"), ("x", "y", "A>B"), ("x", "y", "B>A")])
]


def test_the_overall_number_by_another_rule_and_what_the_rule_is() -> None:
    html = report_page([evaluate("baseline:longest", "judgebench", dataset=JUDGED)])
    (row,) = re.findall(r'<div data-bar="Overall, ties-as-b">(.*?)</div>', html, flags=re.DOTALL)
    assert '<span class="num value">50.0</span>' in row
    assert (
        '<span class="num value">25.0</span>'
        in re.findall(r'<div class="whole" data-bar="Overall">(.*?)</div>', html, flags=re.DOTALL)[0]
    )
    assert "<b>ties-as-b</b>: right if the right answer scores higher; a tie counts as B" in html


def test_a_rule_that_takes_ties_as_right_says_so() -> None:
    """RewardMATH's second number; the strict one's sentence would be wrong there."""
    rows = [{"problem": "p", "eval_solution": ["x"], "solution_type": side} for side in ("chosen", "rejected")]
    html = report_page([evaluate("baseline:longest", "rewardmath", dataset=rows)])
    assert "<b>with-ties</b>: right only if no rejected beats any chosen; a tie is right" in html
    (row,) = re.findall(r'<div data-bar="Overall, with-ties">(.*?)</div>', html, flags=re.DOTALL)
    assert '<span class="num value">100.0</span>' in row


def test_groups_across_the_subsets() -> None:
    votes = [
        {"question_id": str(k), "winner": "model_a", "prompt": f"p{k}", "response_1": a, "response_2": "yy"}
        | {"language": language, "is_code": code, "math_prompt": True}
        for k, (a, language, code) in enumerate(
            [("xxx", "English", True), ("x", "German", True), ("x", "German", False)]
        )
    ]
    html = report_page([evaluate("baseline:longest", "ppe-preference", dataset=votes)])
    found = {
        name: re.findall(r'data-value="([^"]*)"', cells)
        for name, cells in re.findall(r'<tr data-group="([^"]*)">(.*?)</tr>', html, flags=re.DOTALL)
    }
    assert {name: (cells[0], float(cells[1])) for name, cells in found.items()} == {
        "code": ("2", 1 / 2),
        "math": ("3", 1 / 3),
    }
    assert '<a href="#groups">Groups</a>' in html


def test_a_run_without_rules_and_groups_has_neither() -> None:
    html = report_page(
        [evaluate("baseline:longest", "pairs", dataset=[{"prompt": "p", "chosen": "a", "rejected": "b"}])]
    )
    assert "data-rule=" not in html
    assert 'id="groups"' not in html


def test_pairs_of_one_row_have_the_curve_of_its_answers() -> None:
    rows = [{"prompt": "q", "domain": "chat", "chosen": ["x", "xx", "xxxxxx"], "rejected": ["xxx", "xxxx", "xxxxx"]}]
    html = report_page([evaluate("baseline:longest", "rm-bench", dataset=rows)])
    (figure,) = re.findall(r'<figure id="plot-best-of-n">(.*?)</figure>', html, flags=re.DOTALL)
    last = re.findall(r"<tr>(.*?)</tr>", figure, flags=re.DOTALL)[-1]
    assert re.findall(r"<td[^>]*>([^<]*)</td>", last)[:3] == ["6", "1", "100.0"]

"""A suite made in Python goes everywhere: run, report, comparison, gate, leaderboard, without a line elsewhere."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmeval import compare, evaluate, leaderboard, load_run
from rmeval.errors import UsageError
from rmeval.eval.gate.check import check
from rmeval.eval.gate.rules import parse_rule
from rmeval.eval.runner import recompute
from rmeval.eval.suites import Formula, Suite
from rmeval.eval.suites.credit_rules import CreditRule
from rmeval.reports.run.arrays import run_arrays
from rmeval.reports.run.examples_data import examples_index
from rmeval.reports.run.report import write_report
from rmeval.types import Outcome
from tests.support.models.toy import TOY, Numbers, rows

N = 12


def test_credits_formula_and_sections_by_hand() -> None:
    """Credits 0, 1/3, 2/3, 1 in turn: 1/2. Ratio: Σ(k+2) / (Σ(k+2) + Σ(k+1)) = 90/168. Overall (2 · 1/2 + 90/168) / 3;
    the view (1/2 + 90/168) / 2 counts in nothing."""
    results = evaluate(Numbers("x"), TOY, dataset=rows()).info.results
    a = results.subsets["a"]
    assert a.accuracy == pytest.approx(0.5, abs=1e-12)
    assert (a.right, a.partial, a.ties, a.n) == (3, 6, 0, N)
    assert results.subsets["ratio"].accuracy == pytest.approx(90 / 168, abs=1e-6)
    assert {name: each.accuracy for name, each in results.sections.items()} == pytest.approx(
        {"Parts": 0.5, "Ratio": 90 / 168, "View": (0.5 + 90 / 168) / 2}, abs=1e-6
    )
    assert results.overall is not None
    assert results.overall.accuracy == pytest.approx((2 * 0.5 + 90 / 168) / 3, abs=1e-6)
    assert results.reference_lines["longest"].subsets["a"] == pytest.approx(1.0)  # "0.5" has more characters than "3".


def test_the_interval_of_a_formula_is_the_jackknife_s() -> None:
    """For a smooth formula the influences' variance is that of leaving out each cluster in turn, but for 1/n."""
    many = 200
    results = evaluate(Numbers("x"), TOY, dataset=rows(many)).info.results
    found = results.subsets["ratio"]
    right, wrong = np.arange(many) + 2.0, np.arange(many) + 1.0
    out = [(right.sum() - r) / (right.sum() - r + wrong.sum() - w) for r, w in zip(right, wrong, strict=True)]
    error = np.sqrt((many - 1) / many * ((out - np.mean(out)) ** 2).sum())
    assert found.low is not None
    assert found.high is not None
    assert found.accuracy is not None
    # One wrong example is added to the variance, so that an interval is never a point; and half a step of the mean,
    # which is one example's part in this variance.
    spread = np.sqrt(many * error**2 + 1 / many)
    expected = 1.96 * spread / np.sqrt(many) + spread / many
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.1)


def test_everywhere(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "two")]
    one = evaluate(Numbers("one"), TOY, dataset=rows(), output_dir=paths[0])
    two = evaluate(Numbers("two", a=0.1, ratio=0.5), TOY, dataset=rows(), output_dir=paths[1])
    assert recompute(load_run(paths[0])) == one.info.results
    found = compare(load_run(paths[0]), load_run(paths[1]))
    assert found.subsets["a"].difference == pytest.approx(-0.5)
    assert found.subsets["a"].flipped_to_wrong == 9  # Those with some credit.
    assert found.subsets["b"].difference == 0
    assert found.subsets["b"].p == 1
    new, old = (each.info.results.subsets["ratio"].accuracy or 0 for each in (two, one))
    assert found.subsets["ratio"].difference == pytest.approx(new - old, abs=1e-6)
    wholes = [each.info.results.overall for each in (one, two)]
    assert found.overall is not None
    assert wholes[0] is not None
    assert wholes[1] is not None
    assert found.overall.difference == pytest.approx(wholes[1].accuracy - wholes[0].accuracy, abs=1e-6)
    rules = [parse_rule(text) for text in ("overall:1%", "subset:b:0%", "subset:a:1%")]
    verdict = check(load_run(paths[1]), baseline=load_run(paths[0]), rules=rules)
    assert [line.verdict for line in verdict.lines] == ["regression", "pass", "regression"]
    page = tmp_path / "page.html"
    write_report([load_run(path) for path in paths], page)
    text = page.read_text()
    assert "the share it beats" in text
    index = examples_index([one], [run_arrays(one)], ["one"], with_text=True)
    assert index["runs"][0]["outcomes"][:4] == "wppr"
    board = leaderboard(paths, tmp_path / "site")
    (table,) = board.tables
    assert table.suite is TOY
    assert [row.label for row in table.rows] == ["one", "two"]
    assert [row.rank for row in table.rows] == [(1, 1), (2, 2)]
    assert not board.apart


def test_a_run_is_read_in_another_process_once_its_suite_is_handed_over(tmp_path: Path) -> None:
    evaluate(Numbers("one"), TOY, dataset=rows(), output_dir=tmp_path / "one")
    code = """
import sys, rmeval
from rmeval.reports.run.examples_data import examples_index
from rmeval.reports.run.arrays import run_arrays
from rmeval.reports.run.report import write_report
run = rmeval.load_run(sys.argv[1])
try:
    write_report([run], "x.html")
except rmeval.RmevalError as error:
    print(error)
from tests.support.models.toy import TOY
from pathlib import Path
write_report([run], Path(sys.argv[2]) / "page.html", suites=[TOY])
print(len(rmeval.leaderboard([sys.argv[1]], Path(sys.argv[2]) / "site", suites=[TOY]).tables))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "one"), str(tmp_path)], capture_output=True, text=True, check=True
    )
    words, tables = done.stdout.strip().splitlines()
    assert words.startswith("the run is of the suite 'toy', which this rmeval does not know")
    assert tables == "1"


def test_two_suites_of_one_name_are_not_mixed() -> None:
    evaluate(Numbers("x"), TOY, dataset=rows())
    with pytest.raises(UsageError, match="another suite called 'toy' was handed over before"):
        evaluate(Numbers("x"), replace(TOY, formulas={}), dataset=rows())


@pytest.mark.parametrize("worth", [3.0, -1.0, math.nan])
def test_a_credit_that_is_none(worth: float) -> None:
    rule = CreditRule(lambda example: Outcome("right", 1.0, worth), TOY.rule.hangs_on, "")
    with pytest.raises(UsageError, match=r"a credit of .*, not 0 to 1"):
        evaluate(Numbers("x"), replace(TOY, name=f"worth{worth}", rule=rule), dataset=rows())


def test_a_formula_that_is_not_finite() -> None:
    broken = Formula(lambda examples, weights: math.nan, lambda example: example.prompt_hash)
    with pytest.raises(UsageError, match="a formula of the suite gave nan of ratio"):
        evaluate(Numbers("x"), replace(TOY, name="broken", formulas={"ratio": broken}), dataset=rows())


def test_a_suite_s_rule_judges_packaged_rows_too() -> None:
    """The mini set's rows under a suite of one's own: its name, its rule, not mini's."""
    rule = CreditRule(lambda example: Outcome("partial", 0.0, 0.25), TOY.rule.hangs_on, "")
    run = evaluate("baseline:longest", Suite("quarter", "Q", "q", rule=rule), dataset="mini")
    assert run.info.suite == "quarter"
    assert run.info.results.overall is not None
    assert run.info.results.overall.accuracy == 0.25


def test_a_name_that_is_taken() -> None:
    with pytest.raises(UsageError, match="there is a suite 'mini' already"):
        evaluate("baseline:longest", replace(TOY, name="mini"), dataset=rows())


def test_invalid_examples_leave_formulas_and_means(tmp_path: Path) -> None:
    own = rows()
    own[0]["chosen"] = "nan"  # Of a: a row without credit. The mean of the others is 6 / 11.
    own[2 * N]["rejected"] = ["inf", "0"]  # Of ratio: 2 and 1 leave the sums.
    run = evaluate(Numbers("x"), TOY, dataset=own)
    a, ratio = run.info.results.subsets["a"], run.info.results.subsets["ratio"]
    assert (a.n, a.invalid, ratio.n, ratio.invalid) == (N - 1, 1, N - 1, 1)
    assert a.accuracy == pytest.approx(6 / 11)
    assert ratio.accuracy == pytest.approx(88 / (88 + 77), abs=1e-6)
    other = evaluate(Numbers("y"), TOY, dataset=rows(), output_dir=tmp_path / "y")
    found = compare(other, run, common_only=True).subsets["ratio"]
    assert found.n == N - 1  # Both numbers are of what both runs have.
    assert json.dumps(found.difference) == "0.0"

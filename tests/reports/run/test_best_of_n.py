"""The curve of best of n on the page and in ``--json``: the same numbers, and what is said where examples differ."""

from __future__ import annotations

from typing import Any

from rmeval import RunRecord, evaluate
from rmeval.eval.numbers.views.best_of_n import BestOfN
from rmeval.reports.run.best_of_n import draw_best_of_n
from rmeval.reports.run.report import report_page
from rmeval.reports.run.summary import summary


def run_of(*answers: tuple[list[str], list[str]]) -> RunRecord:
    rows: list[dict[str, Any]] = [
        {"prompt": f"q{place}", "chosen": right, "rejected": wrong} for place, (right, wrong) in enumerate(answers)
    ]
    return evaluate("baseline:longest", "pairs", dataset=rows)


def test_the_page_and_the_json_have_the_same_curve() -> None:
    """The longest is right in the first, and in the second second of three: ⅓, ⅓ and 0 by hand."""
    run = run_of((["xxxx"], ["x", "xx", "xxx"]), (["xx"], ["x", "xxx"]))
    points = summary(run)["best_of_n"]
    assert [point["n"] for point in points] == [1, 2, 3, 4]
    assert points[2] == {
        "n": 3, "examples": 2, "accuracy": 0.375, "low": points[2]["low"], "high": points[2]["high"],
        "random": (1 / 4 + 1 / 3) / 2, "oracle": 0.875,
    }  # fmt: skip
    html = report_page([run])
    figure = html[html.index('<figure id="plot-best-of-n">') :]
    figure = figure[: figure.index("</figure>")]
    for cell in ("<td>3</td>", '<td class="num">37.5</td>', '<td class="num">29.2</td>', '<td class="num">87.5</td>'):
        assert cell in figure
    assert "from 2 examples at n = 1 to 1 at n = 4" in figure


def test_a_line_joins_the_same_examples_only() -> None:
    def points(*examples: int) -> list[BestOfN]:
        return [BestOfN(n, count, 0.5, 0.4, 0.6, 0.3, 0.9) for n, count in enumerate(examples, start=1)]

    (whole,), (broken,) = draw_best_of_n(points(9, 9, 9, 9)), draw_best_of_n(points(9, 9, 4, 4))
    assert "left out" not in whole.text
    assert "from 9 examples at n = 1 to 4 at n = 4" in broken.text
    strokes = [str(plot.svg).count('class="s1"') for plot in (whole, broken)]
    assert strokes[0] < strokes[1]


def test_pairs_have_none() -> None:
    run = run_of((["xx"], ["x"]))
    assert summary(run)["best_of_n"] == []
    assert "plot-best-of-n" not in report_page([run])
    assert draw_best_of_n(()) == []


def test_two_runs_side_by_side_have_a_curve_each() -> None:
    run = run_of((["xxxx"], ["x", "xx"]))
    html = report_page([run, run])
    assert '<figure id="plot-best-of-n-0">' in html
    assert '<figure id="plot-best-of-n-1">' in html

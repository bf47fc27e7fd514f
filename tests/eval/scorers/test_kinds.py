"""A kind that is like none that ships goes everywhere; and what a scorer may not return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmeval import compare, evaluate, leaderboard, load_run, score
from rmeval.errors import ModelError, UsageError
from rmeval.eval.gate.check import check
from rmeval.eval.scorers import KINDS, kind_of
from rmeval.eval.scorers.base import Scorer
from rmeval.eval.selftest import selftest
from rmeval.reports.run.arrays import run_arrays
from rmeval.reports.run.examples_data import examples_index
from rmeval.reports.run.report import report_page, write_report
from rmeval.run_info import ModelInfo
from rmeval.types import Finding, Item, Progress, Scale, Score


class Judge:
    """Compares the answers of one item by their length, with notes; some verdicts it cannot read, some never come."""

    scale: Scale = "within-item"

    def __init__(self, name: str = "judge", *, reverse: bool = False) -> None:
        self.info = ModelInfo(name, "judge", f"judge:{name}", scale="within-item", endpoint="http://example.org/v1")
        self._sign = -1 if reverse else 1

    def score(self, items: Sequence[Item], progress: Progress | None = None) -> list[list[Score]]:
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> list[Score]:
        texts = [each[-1].content for each in item.completions]
        if "mumble" in texts:
            return [Score(0.0, note="hm", status="unparsed") for _ in texts]
        if "lost" in texts:
            return [Score(float("nan"), status="failed") for _ in texts]
        return [Score(float(self._sign * len(text)), note=f"{len(text)} letters") for text in texts]

    def findings(self) -> Sequence[Finding]:
        return ()


ROWS = [
    {"id": "right", "prompt": "a", "chosen": "long", "rejected": "no"},
    {"id": "wrong", "prompt": "b", "chosen": "no", "rejected": "long"},
    {"id": "unparsed", "prompt": "c", "chosen": "mumble", "rejected": "no"},
    {"id": "failed", "prompt": "d", "chosen": "lost", "rejected": "no"},
]


def test_a_judge_goes_everywhere(tmp_path: Path) -> None:
    assert isinstance(Judge(), Scorer)
    runs = [tmp_path / name for name in ("one", "two")]
    for path, reverse in zip(runs, (False, True), strict=True):
        evaluate(Judge(path.name, reverse=reverse), "pairs", dataset=ROWS, output_dir=path)
    one, two = map(load_run, runs)
    found = one.info.results.subsets["all"]
    # An unparsed verdict is wrong and counted apart; what failed is invalid.
    assert (found.n, found.right, found.unparsed, found.invalid, found.accuracy) == (3, 1, 1, 1, 1 / 3)
    assert one.scores["note"].tolist()[:3] == ["4 letters", "2 letters", "2 letters"]
    assert one.scores["status"].tolist()[4:] == ["unparsed", "unparsed", "failed", "failed"]
    assert one.info.model.endpoint == "http://example.org/v1"
    assert one.scores["tokens"].isna().all()
    difference = compare(one, two).subsets["all"]
    assert (difference.n, difference.flipped_to_right, difference.flipped_to_wrong) == (3, 1, 1)
    assert check(two, baseline=one).passed
    write_report([one, two], tmp_path / "page.html")
    index = examples_index([one], [run_arrays(one)], ["one"], with_text=True)
    assert index["runs"][0]["notes"][0] == "4 letters"
    assert index["runs"][0]["tokens"] == [None] * 8
    page = report_page([one])
    assert "Calibration" not in page  # Its scores claim nothing outside their item.
    board = leaderboard(runs, tmp_path / "site")
    assert [each.label for each in board.apart] == ["one", "two"]  # One example each is invalid.


def test_a_judge_scores_a_file(tmp_path: Path) -> None:
    import json

    source = tmp_path / "rows.jsonl"
    source.write_text(json.dumps({"prompt": "p", "completions": ["a", "bbb", "cc"]}) + "\n")
    done = score(Judge(), str(source), tmp_path / "out.jsonl", best=tmp_path / "best.jsonl")
    assert (done.completions, done.pairs) == (3, 1)
    assert json.loads((tmp_path / "out.jsonl").read_text())["scores"] == [1.0, 3.0, 2.0]
    assert json.loads((tmp_path / "best.jsonl").read_text())["chosen"] == "bbb"


class Odd(Judge):
    """Returns what it is told."""

    def __init__(self, answer: Callable[[Sequence[Item]], object]) -> None:
        super().__init__()
        self._answer = answer

    def score(self, items: Sequence[Item], progress: Progress | None = None) -> list[list[Score]]:
        return self._answer(items)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda items: [1.0] * len(items), "one list of scores for each of the items; this one holds a float"),
        (lambda items: [[1.0, 2.0] for _ in items], "one Score for each of the completions of item .*holds a float"),
        (lambda items: None, "one list of scores for each of the items, not None"),
        (lambda items: [None for _ in items], "holds None"),
        (lambda items: ([Score(1.0)] for _ in items), "not a generator"),
        (lambda items: "text", "not a str"),
        (lambda items: [["x", "y"] for _ in items], "holds a str"),
        (lambda items: [[Score(1.0), Score(2.0)]], "the scorer gave 1 lists of scores for 2 items"),
        (lambda items: [[Score(1.0)] for _ in items], "the scorer gave 1 scores for 2 completions"),
        (lambda items: [], "the scorer gave 0 lists of scores for 2 items"),
    ],
)
def test_an_answer_that_is_none_is_one_line(answer: Callable[[Sequence[Item]], object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        evaluate(Odd(answer), "pairs", dataset=ROWS[:2])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([Score("x"), Score(1.0)], "a score's value is a number; that of item right is a str"),  # type: ignore[arg-type]
        ([Score(None), Score(1.0)], "that of item right is None"),  # type: ignore[arg-type]
        ([Score(1.0, note={}), Score(1.0)], "a score's note is text"),  # type: ignore[arg-type]
        ([Score(1.0, status="okay"), Score(1.0)], "one of scored, unparsed, failed"),  # type: ignore[arg-type]
    ],
)
def test_a_score_that_holds_something_else(scores: list[Score], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        evaluate(Odd(lambda items: [scores for _ in items]), "pairs", dataset=ROWS[:1])


def test_numbers_of_numpy_are_numbers() -> None:
    two: Any = np.float32(2)
    one: Any = np.int64(1)
    scorer = Odd(lambda items: [[Score(two), Score(one)] for _ in items])
    assert evaluate(scorer, "pairs", dataset=ROWS[:1]).scores["score"].tolist() == [2.0, 1.0]


def test_a_scorer_that_breaks_is_one_line() -> None:
    def broken(items: Sequence[Item]) -> object:
        raise KeyError("choices\n[0]")

    with pytest.raises(ModelError, match=r"the scorer judge failed: KeyError: 'choices.n\[0\]'"):
        evaluate(Odd(broken), "pairs", dataset=ROWS[:1])


def test_rulers_know_nothing_of_unparsed_verdicts() -> None:
    """All four are unparsed; the longer answer is still the right one in two of them."""
    rows = [{"prompt": "p", "chosen": "mumble", "rejected": "no" * k} for k in (1, 2, 4, 5)]
    results = evaluate(Judge(), "pairs", dataset=rows).info.results
    assert results.subsets["all"].unparsed == 4
    assert results.reference_lines["longest"].overall == 0.5


def test_the_self_test_of_a_judge(tmp_path: Path) -> None:
    """A sound one moves no decision; one that looks at what it is asked beside does, where it is asked for several."""
    found = selftest(Judge())
    assert (found.examples, found.moved) == (32, 0)
    assert [each.name for each in found.variations] == [
        "one at a time, again", "groups of 7", "all at once", "all at once, shuffled", "half of the rows",
    ]  # fmt: skip
    odd = Odd(
        lambda items: [[Score(float(len(items) > 1 and not k)) for k, _ in enumerate(i.completions)] for i in items]
    )
    assert {each.name for each in selftest(odd).variations if each.moved} == {
        "groups of 7", "all at once", "all at once, shuffled", "half of the rows",
    }  # fmt: skip


def test_the_table_of_kinds() -> None:
    names = {
        "baseline:longest": "baseline",
        "scores:x.jsonl": "scores",
        "my_module:factory": "module",
        "dpo:org/policy": "dpo",
        "token-prob:org/name": "token-prob",
        "internlm2-reward:org/name": "internlm2-reward",
        "qwen-math-rm:./folder": "qwen-math-rm",
        "worldpm:org/name": "worldpm",
        "urm:org/name": "urm",
        "pairrm:org/name": "pairrm",
        "pair-preference:./folder": "pair-preference",
        "steamshp:org/name": "steamshp",
        "a.b:make": "module",
        "org/name": "classifier",
        "./folder": "classifier",
        "C:\\models\\m": "classifier",
        "quickstart": "classifier",
    }
    assert {name: kind_of(name).name for name in names} == names
    assert [kind.name for kind in KINDS] == [
        "baseline", "scores", "dpo", "token-prob", "internlm2-reward", "qwen-math-rm", "worldpm", "urm", "pairrm",
        "pair-preference", "steamshp", "module", "classifier",
    ]  # fmt: skip


def test_a_run_records_only_the_options_that_its_kind_has(tmp_path: Path) -> None:
    assert set(evaluate("baseline:longest", "pairs", dataset=ROWS).info.settings) == {"seed"}
    file = tmp_path / "s.jsonl"
    file.write_text('{"id": "right", "scores": [2, 1]}\n')
    run = evaluate(f"scores:{file}", "pairs", dataset=ROWS[:1])
    assert run.info.settings == {"steps": None, "seed": 0}

"""Answers are kept as they come: a crash loses what was in flight, and nothing is asked twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from rmeval import evaluate
from rmeval.errors import ModelError
from rmeval.eval.journal.journal import Journal
from rmeval.run_info import ModelInfo
from rmeval.types import Finding, Item, Progress, Scale, Score

CODE = '''
import time
from pathlib import Path
from rmeval import Item, ModelInfo, Score


class Slow:
    """Writes down what it is asked, and takes its time."""

    scale = "within-item"
    info = ModelInfo("slow", "slow", "slow:1", scale="within-item")
    journal_key = "slow 1"
    at_once = 2

    def score(self, items, progress=None):
        with Path("asked.txt").open("a") as file:
            file.writelines(f"{item.id}\\n" for item in items)
        time.sleep(0.02)
        return [[Score(float(len(each[-1].content)), note="n") for each in item.completions] for item in items]

    def findings(self):
        return ()


def make():
    return Slow()
'''


class Counting:
    """Counts what it is asked; fails where it is told."""

    scale: Scale = "within-item"
    at_once = 3

    def __init__(self, key: str = "k", broken: str = "") -> None:
        self.info = ModelInfo("counting", "counting", "counting:1", scale="within-item")
        self.journal_key = key
        self.asked: list[str] = []
        self._broken = broken

    def score(self, items: Sequence[Item], progress: Progress | None = None) -> list[list[Score]]:
        self.asked += [item.id for item in items]
        if self._broken in self.asked:
            raise RuntimeError("the endpoint is gone")
        return [[Score(float(len(each[-1].content)), note="why") for each in item.completions] for item in items]

    def findings(self) -> Sequence[Finding]:
        return ()


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path / "cache"))


def rows(count: int) -> list[dict[str, str]]:
    return [{"id": f"e{n}", "prompt": f"p{n}", "chosen": "yes" * n, "rejected": "no"} for n in range(1, count + 1)]


def test_a_crash_loses_what_was_in_flight() -> None:
    broken = Counting(broken="e8")
    with pytest.raises(ModelError, match="the scorer counting failed: RuntimeError: the endpoint is gone"):
        evaluate(broken, "pairs", dataset=rows(10))
    again = Counting()
    run = evaluate(again, "pairs", dataset=rows(10))
    assert again.asked == ["e7", "e8", "e9", "e10"]
    assert run.scores["note"].tolist() == ["why"] * 20
    assert run.info.accounting is not None
    assert run.info.accounting.recalled == 12
    whole = Counting("other")
    assert evaluate(whole, "pairs", dataset=rows(10)).scores.equals(run.scores)
    assert len(whole.asked) == 10  # Another key is another model.


def test_models_with_the_same_key_are_told_apart() -> None:
    """A key that says too little must not hand one model's answers to another."""
    evaluate(Counting("1"), "pairs", dataset=rows(3))
    other = Counting("1")
    other.info = ModelInfo("other", "counting", "counting:2", scale="within-item")
    evaluate(other, "pairs", dataset=rows(3))
    assert len(other.asked) == 3


def test_what_an_example_is_called_moves_no_score() -> None:
    evaluate(Counting(), "pairs", dataset=rows(3))
    named = [{**row, "id": f"other {row['id']}"} for row in rows(3)]
    again = Counting()
    evaluate(again, "pairs", dataset=[*named, {**named[0], "id": "twice"}])
    assert again.asked == []


def test_without_the_journal_all_is_asked() -> None:
    from rmeval import ModelOptions

    for _ in range(2):
        scorer = Counting()
        evaluate(scorer, "pairs", dataset=rows(3), model_options=ModelOptions(cache=False))
        assert len(scorer.asked) == 3


def test_what_failed_is_asked_again() -> None:
    class Failing(Counting):
        def score(self, items: Sequence[Item], progress: Progress | None = None) -> list[list[Score]]:
            answers = super().score(items, progress)
            return [[Score(float("nan"), status="failed")] * 2 if item.id == "e2" else own
                    for item, own in zip(items, answers, strict=True)]  # fmt: skip

    evaluate(Failing(), "pairs", dataset=rows(3))
    again = Counting()
    run = evaluate(again, "pairs", dataset=rows(3))
    assert again.asked == ["e2"]
    assert not run.info.partial


def test_clearing_the_journal_forgets_answers() -> None:
    evaluate(Counting(), "pairs", dataset=rows(3))
    with Journal.open() as journal:
        assert journal.info().scores == 3
        journal.clear()
        assert journal.info().scores == 0


def test_killed_at_ten_moments_it_asks_nothing_twice(tmp_path: Path) -> None:
    """At most the two items of one request are in flight at each kill; all others are asked once in all."""
    (tmp_path / "mine.py").write_text(CODE)
    count, chance = 60, random.Random(1)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(count)))
    command = [sys.executable, "-m", "rmeval", "pairs", "--model", "mine:make", "--trust-remote-code"]
    command += ["--dataset", "rows.jsonl", "--output-dir", "run"]
    environment = {**os.environ, "RMEVAL_CACHE": str(tmp_path / "cache")}
    asked, kills, code = tmp_path / "asked.txt", 0, -1
    while code != 0:
        before = asked.read_text().count("\n") if asked.exists() else 0
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
        while kills < 10 and process.poll() is None:  # Until it asks, then a while.
            if asked.exists() and asked.read_text().count("\n") > before:
                time.sleep(chance.uniform(0, 0.08))
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        code = process.wait()
        assert code in (0, -signal.SIGKILL)
    names = asked.read_text().split()
    assert kills == 10
    assert set(names) == {f"e{n}" for n in range(1, count + 1)}
    assert len(names) <= count + 2 * kills


def test_whoever_evaluates_opens_and_closes_it(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once an evaluation, closed at its end and after an error; not at all for a kind that keeps nothing."""
    from rmeval import ModelOptions

    life: list[str] = []
    begin, end = Journal.open, Journal.close

    def opening(*_: object) -> Journal:
        life.append("open")
        return begin()

    def closing(journal: Journal) -> None:
        life.append("close")
        end(journal)

    monkeypatch.setattr(Journal, "open", opening)
    monkeypatch.setattr(Journal, "close", closing)
    exact = ModelOptions(dtype="float32", device="cpu")
    evaluate(str(tiny_model), "pairs", dataset=rows(2), model_options=exact)
    assert life == ["open", "close"]
    with pytest.raises(ModelError):
        evaluate("./nowhere", "pairs", dataset=rows(2))
    assert life == ["open", "close"] * 2
    evaluate(str(tiny_model), "pairs", dataset=rows(2), model_options=ModelOptions(cache=False))
    evaluate("baseline:longest", "pairs", dataset=rows(2))
    assert life == ["open", "close"] * 2
    evaluate(Counting(), "pairs", dataset=rows(2))
    assert life == ["open", "close"] * 3

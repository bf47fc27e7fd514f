"""One sample a row, put together by prompt for best-of-n."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, repeat
from pathlib import Path
from typing import Any

import pytest

from rmeval.data_prep.rows.scorable import ScorableRow
from rmeval.errors import DataError
from rmeval.eval.scoring import chunks
from rmeval.eval.scoring.samples import by_prompt
from rmeval.eval.scoring.score import score
from rmeval.types import Conversation, Message
from tests.support.scoring import Fake, jsonl, lines, refused


def samples(*rows: tuple[object, str, str], column: str = "completion") -> list[dict[str, Any]]:
    return [{"prompt_id": id, "prompt": prompt, column: text, "n": n} for n, (id, prompt, text) in enumerate(rows)]


@pytest.mark.parametrize("column", ["completion", "response"])
def test_best_and_worst_of_a_prompts_samples(column: str, tmp_path: Path) -> None:
    rows = samples((1, "p", "xx"), (1, "p", "xxxx"), (1, "p", "x"), (2, "q", "a"), (3, "p", "bb"), (3, "p", "b"))
    for row in rows:
        row[column] = row.pop("completion")
    source = jsonl(tmp_path / "in.jsonl", rows)
    done = score(Fake(), source, tmp_path / "o.jsonl", best=tmp_path / "b.jsonl")
    assert lines(tmp_path / "o.jsonl") == [{**row, "score": float(len(row[column]))} for row in rows]
    places = {"index_chosen": 1, "index_rejected": 2}
    first = {
        "prompt_id": 1,
        "prompt": "p",
        "chosen": "xxxx",
        "rejected": "x",
        "score_chosen": 4.0,
        "score_rejected": 1.0,
    }
    third = {"prompt_id": 3, "prompt": "p", "chosen": "bb", "rejected": "b", "score_chosen": 2.0, "score_rejected": 1.0}
    assert lines(tmp_path / "b.jsonl") == [
        {**first, **places},
        {**third, "index_chosen": 0, "index_rejected": 1},
    ]
    assert (done.rows, done.completions, done.pairs, done.left_out) == (6, 6, 2, 1)


def test_without_an_id_rows_of_the_same_prompt_belong_together(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "completion": text} for text in ("a", "bb")] + [{"prompt": "q", "completion": "c"}]
    score(Fake(), jsonl(tmp_path / "in.jsonl", rows), tmp_path / "o.jsonl", best=tmp_path / "b.jsonl")
    assert [row["chosen"] for row in lines(tmp_path / "b.jsonl")] == ["bb"]


def test_rows_that_cannot_be_put_together(tmp_path: Path) -> None:
    def words(*rows: tuple[object, str, str]) -> str:
        source = jsonl(tmp_path / "in.jsonl", samples(*rows))
        return refused(DataError, Fake(), source, tmp_path / "o.jsonl", best=tmp_path / "b.jsonl")

    assert "line 3: its prompt was sampled before" in words((1, "p", "a"), (2, "q", "b"), (1, "p", "c"))
    assert "line 2: another prompt than line 1 has, with the same prompt_id" in words((1, "p", "a"), (1, "q", "b"))


def test_a_killed_start_goes_on_by_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = samples(*((n, f"p{n}", "x" * size) for n in range(10) for size in (1, 2, 3)))
    source = jsonl(tmp_path / "in.jsonl", [*rows, *samples((99, "stop", "halt"), (99, "stop", "go"))])
    files = [tmp_path / "o.jsonl", tmp_path / "b.jsonl"]
    monkeypatch.setattr(chunks, "CHUNK", 7)
    with pytest.raises(KeyboardInterrupt):
        score(Fake(stop="halt"), source, files[0], best=files[1])
    done = score(Fake(), source, files[0], best=files[1])
    assert done.resumed > 0
    assert [row["score"] for row in lines(files[0])] == [1.0, 2.0, 3.0] * 10 + [4.0, 2.0]
    assert len(lines(files[1])) == 11
    assert done.rows == 32


def test_samples_come_as_their_prompts_do() -> None:
    """No more than a prompt's rows, and the first one after, are taken at a time."""
    taken: list[int] = []

    def endless() -> Iterator[ScorableRow]:
        for n in count():
            taken.append(n)
            row: dict[str, object] = {"prompt": f"p{n // 3}", "completion": "a"}
            made = Conversation((Message("user", f"p{n // 3}"),), (Message("assistant", "a"),), f"line {n}", 0)
            yield ScorableRow(row, row, f"x line {n}", f"line {n}", (made,), (("score", None),), (), ())

    rows = by_prompt(endless())
    assert [len(next(rows).samples) for _ in range(4)] == [3, 3, 3, 3]
    assert taken == list(range(13))
    row: dict[str, object] = {"prompt": "p", "completions": ["a"]}
    other = ScorableRow(row, row, "x line 1", "line 1", (), (("scores", 0),), (), ())
    assert next(by_prompt(repeat(other))) is other

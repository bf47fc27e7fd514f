from __future__ import annotations

from pathlib import Path

from rmeval.errors import DataError, UsageError
from rmeval.eval.score import score
from tests.scoring import ASSISTANT, LONGEST, USER, jsonl, lines, refused


def test_best_and_worst(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "prompt": [USER], "completions": ["xx", [ASSISTANT], "x"], "n": 1},
        {"id": 2, "prompt": "Hi", "completions": ["aa", "bb"]},
        {"id": 3, "prompt": "Hi", "completions": ["a"]},
    ]
    source = jsonl(tmp_path / "in.jsonl", rows)
    done = score(LONGEST, source, tmp_path / "o.jsonl", best=tmp_path / "b.jsonl.gz", limit=3)
    pair = {"chosen": [ASSISTANT], "rejected": "x", "score_chosen": 5.0, "score_rejected": 1.0}
    assert lines(tmp_path / "b.jsonl.gz") == [{"id": 1, "prompt": [USER], "n": 1, **pair}]
    assert (done.pairs, done.left_out, done.best) == (1, 2, tmp_path / "b.jsonl.gz")


def test_best_needs_completions(tmp_path: Path) -> None:
    source, best = jsonl(tmp_path / "in.jsonl", [{"messages": [USER, ASSISTANT]}]), tmp_path / "b.jsonl"
    assert "--best needs rows with" in refused(UsageError, LONGEST, source, tmp_path / "o.jsonl", best=best)
    jsonl(tmp_path / "in.jsonl", [{"prompt": "a", "completions": ["b"], "chosen": "b"}])
    assert "column 'chosen' already" in refused(DataError, LONGEST, source, tmp_path / "o.jsonl", best=best)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]

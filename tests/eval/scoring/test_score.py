from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rmeval
from rmeval.data_prep.text.audit import finding
from rmeval.errors import DataError, RmevalError, RunError, UsageError
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.scoring import chunks
from rmeval.eval.scoring.score import score
from rmeval.types import Conversation, Progress, Score
from tests.support.scoring import ASSISTANT, USER, Fake, forty_rows, jsonl, lines, refused, scored

# --- rows in, rows out ----------------------------------------------------------------------------------------------


def test_messages(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": n, "messages": [USER, {**ASSISTANT, "content": "x" * n}], "meta": {"a": [n]}} for n in (3, 1, 2)
    ]
    found = scored(tmp_path, rows)
    assert found == [{**row, "score": float(row["id"])} for row in rows]
    assert list(found[0]) == ["id", "messages", "meta", "score"]


def test_completions(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "Hi", "completions": ["xxx", "x"]},
        {"prompt": [USER], "completions": [[ASSISTANT]], "n": None},
    ]
    assert scored(tmp_path, rows) == [{**rows[0], "scores": [3.0, 1.0]}, {**rows[1], "scores": [5.0]}]


def test_pairs(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "Hi", "chosen": "xxx", "rejected": "x"},
        {"prompt": "Hi", "chosen": ["x"], "rejected": "xx"},
    ]
    assert scored(tmp_path, rows) == [
        {**rows[0], "score_chosen": 3.0, "score_rejected": 1.0},
        {**rows[1], "score_chosen": [1.0], "score_rejected": 2.0},
    ]


def test_scores_that_are_no_number(tmp_path: Path) -> None:
    source = jsonl(
        tmp_path / "in.jsonl",
        [{"prompt": "Hi", "completions": list("abcd")}, {"prompt": "Hi", "completions": []}],
    )
    model = Fake({"b": math.nan, "c": math.inf, "d": 4})
    done = score(model, source, tmp_path / "o.jsonl", best=tmp_path / "best.jsonl")
    assert lines(tmp_path / "o.jsonl")[0]["scores"] == [1.0, None, None, 4.0]
    assert finding("non-finite-score", 2, ("line 1",)) in done.findings
    pair = {"prompt": "Hi", "chosen": "d", "rejected": "a", "score_chosen": 4.0, "score_rejected": 1.0}
    assert lines(tmp_path / "best.jsonl") == [{**pair, "index_chosen": 3, "index_rejected": 0}]
    assert (done.pairs, done.left_out) == (1, 1)
    score(model, source, tmp_path / "o.parquet")
    found = pq.read_table(tmp_path / "o.parquet").to_pylist()[0]["scores"]
    assert found[::3] == [1.0, 4.0]
    assert math.isnan(found[1])
    assert found[2] == math.inf


def test_the_scores_are_those_of_evaluate(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 50)  # Three chunks: not all with the neighbours they have in evaluate.
    options = ModelOptions(device="cpu", dtype="float32")
    run = rmeval.evaluate(str(tiny_model), "mini", limit=60, model_options=options)
    done = score(str(tiny_model), "mini", tmp_path / "o.jsonl", limit=60, model_options=options)
    rows = lines(tmp_path / "o.jsonl")
    found = [value for row in rows for value in (row["score_chosen"], row["score_rejected"])]
    assert found == pytest.approx(list(run.scores["score"]), abs=1e-5, rel=1e-5)
    assert len(set(found)) > 100
    assert (done.rows, done.completions) == (60, 120)
    codes = {each.code: each.count for each in done.findings}
    assert codes == {each.code: each.count for each in run.info.audit}


def test_a_scorer_that_gives_too_few_scores(source: str, tmp_path: Path) -> None:
    class Short(Fake):
        def score_conversations(
            self, conversations: Sequence[Conversation], progress: Progress | None = None
        ) -> list[Score]:
            return super().score_conversations(conversations[1:])

    assert "gave 79 scores for 80" in refused(UsageError, Short(), source, tmp_path / "o.jsonl")


def test_progress_is_told_in_rows(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 20)
    told: list[tuple[int, int]] = []
    score(Fake(), source, tmp_path / "o.jsonl", progress=lambda done, total: told.append((done, total)))
    assert told == [(5, 40), (15, 40), (25, 40), (35, 40)]


# --- before the model is loaded ---------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path: Path) -> str:
    return forty_rows(tmp_path)


def test_what_is_wrong_is_said_before_the_model_is_loaded(source: str, tmp_path: Path) -> None:
    def words(error: type[RmevalError], output: str, dataset: str = source, **options: Any) -> str:
        return refused(error, "/no/model", dataset, tmp_path / output, **options)

    assert "ends in .jsonl, .jsonl.gz, .parquet" in words(UsageError, "o.csv")
    assert "--best takes a file" in words(UsageError, "o.jsonl", best="b.txt")
    assert "the same file" in words(UsageError, "o.jsonl", best=tmp_path / "o.jsonl")
    assert "--limit" in words(UsageError, "o.jsonl", limit=0)
    assert "no splits" in words(UsageError, "o.jsonl", split="train")
    assert "exists already" in words(RunError, "in.jsonl")
    assert "cannot be a file of the data set" in words(UsageError, "in.jsonl", overwrite=True)
    assert "no such file" in words(DataError, "o.jsonl", dataset=str(tmp_path / "x.jsonl"))
    (tmp_path / "empty.jsonl").touch()
    assert "has no rows" in words(DataError, "o.jsonl", dataset=str(tmp_path / "empty.jsonl"))
    (tmp_path / "folder.jsonl").mkdir()
    assert "is a folder" in words(RunError, "folder.jsonl", overwrite=True)
    assert "cannot write" in words(RunError, "in.jsonl/o.jsonl")
    assert "no such folder" in words(RmevalError, "o.jsonl")  # Only now the model.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.jsonl", "folder.jsonl", "in.jsonl"]


def test_overwrite_replaces_the_whole_file_at_the_end(source: str, tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    old = json.dumps({"messages": [], "score": 0.5}) + "\n"
    output.write_text(old)
    with pytest.raises(KeyboardInterrupt):
        score(Fake(stop="40"), source, output, overwrite=True)
    assert output.read_text() == old
    score(Fake(), source, output, overwrite=True)
    assert len(lines(output)) == 40


@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.gz", "o.parquet"])
def test_overwrite_replaces_no_file_of_somebody_elses(name: str, source: str, tmp_path: Path) -> None:
    output = tmp_path / name
    if name == "o.parquet":  # Such as the scores of a run.
        table = {"example_id": ["a"], "role": ["chosen"], "score": [0.5]}
        pq.write_table(pa.table(table), output)
    else:
        output.write_text('{"prompt": "mine"}\n')
    before = output.read_bytes()
    assert "did not write it" in refused(RunError, "/no/model", source, output, overwrite=True)
    assert output.read_bytes() == before
    output.unlink()
    score(Fake(), source, output)
    written = output.read_bytes()
    score(Fake(), source, output, overwrite=True)  # Its own is replaced.
    assert output.read_bytes() == written


# --- rows without end -------------------------------------------------------------------------------------------


MEASURE = """
import json, sys, time
from pathlib import Path
from rmeval.eval.scoring.score import score
start = time.perf_counter()
done = score("baseline:longest", sys.argv[1], sys.argv[2])
rate = done.rows / (time.perf_counter() - start)
# Not ru_maxrss: it remembers the memory of the process that this one was forked from.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps([int(peak.split()[1]) / 1024, rate]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_memory_is_bounded_by_the_chunk(tmp_path: Path, suffix: str) -> None:
    peaks = []
    for count in (15_000, 100_000):
        source, output = tmp_path / f"{count}.jsonl", tmp_path / f"{count}-scored.{suffix}"
        with source.open("w") as stream:
            for number in range(count):
                answer = {"role": "assistant", "content": f"{number} " + "x" * 1500}
                stream.write(json.dumps({"messages": [USER, answer]}) + "\n")
        command = [sys.executable, "-c", MEASURE, str(source), str(output)]
        peak, rate = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        print(f"{suffix}: {count:,} rows, {peak:.0f} MiB, {rate:,.0f} rows/s")
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 60  # The rows alone are 150 MiB more.

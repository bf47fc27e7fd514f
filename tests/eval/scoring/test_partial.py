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
from typing import Any

import pyarrow.parquet as pq
import pytest

from rmeval.errors import DataError, RunError
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.scorers.base import Scorer
from rmeval.eval.scorers.baseline import BaselineScorer
from rmeval.eval.scoring import chunks
from rmeval.eval.scoring import score as module
from rmeval.eval.scoring.score import ScoreSummary, score
from rmeval.eval.scoring.sinks import JsonLines, Parquet
from rmeval.types import Conversation, Progress, Score
from tests.support.scoring import LONGEST, Fake, forty_rows, jsonl, lines, refused


@pytest.fixture
def source(tmp_path: Path) -> str:
    return forty_rows(tmp_path)


def interrupted(source: str, output: Path, stop: str = "25", **options: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        score(Fake(stop=stop), source, output, **options)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 20)


def same(first: ScoreSummary, second: ScoreSummary) -> bool:
    names = ("rows", "completions", "pairs", "left_out")
    counts = [[(each.code, each.count) for each in summary.findings] for summary in (first, second)]
    return counts[0] == counts[1] and all(getattr(first, name) == getattr(second, name) for name in names)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "parquet"])
def test_it_goes_on_and_ends_the_same(source: str, tmp_path: Path, suffix: str) -> None:
    whole = score(Fake(), source, tmp_path / f"whole.{suffix}", best=tmp_path / f"best.{suffix}")
    output, best = tmp_path / f"o.{suffix}", tmp_path / f"b.{suffix}"
    interrupted(source, output, best=best)
    assert not output.exists()
    with (tmp_path / f"o.{suffix}.partial").open("ab") as stream:
        stream.write(b"half a chu")  # What a kill leaves behind.
    model = Fake()
    done = score(model, source, output, best=best)
    assert output.read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()
    assert best.read_bytes() == (tmp_path / f"best.{suffix}").read_bytes()
    assert (done.resumed, model.seen) == (20, 40)
    assert same(done, whole)
    counts = {each.code: each.count for each in done.findings}
    assert counts == {"pad-is-eos": 1, "missing-bos": 80}  # What loading notices is counted once.
    assert list(tmp_path.glob("*.partial*")) == []


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_killed_between_the_last_chunk_and_the_name(
    source: str, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / f"o.{suffix}"
    whole = score(Fake(), source, tmp_path / f"whole.{suffix}")
    for victim in ("seal", "publish"):  # Before all is in its last form, and before it has its name.
        with monkeypatch.context() as patch:
            patch.setattr(Parquet if suffix == "parquet" else JsonLines, victim, lambda self: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                score(Fake(), source, output)
        assert not output.exists()
    model = Fake(stop="1")
    assert same(score(model, source, output), whole)
    assert model.seen == 0
    assert output.read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()
    assert list(tmp_path.glob("*.partial*")) == []


def test_a_finished_file_that_was_taken_away_is_written_again(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "o.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda self, **options: 1 / 0)  # Killed when only the note was left to remove.
        with pytest.raises(ZeroDivisionError):
            score(Fake(), source, output)
    content = output.read_bytes()
    output.unlink()
    assert score(Fake(), source, output).resumed == 0
    assert output.read_bytes() == content


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_finished_note_of_other_rows_or_another_model_is_not_trusted(
    source: str, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the output's name and the note's end; then the data, or the model, was changed."""
    output = tmp_path / f"o.{suffix}"

    def kill() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", lambda self, **options: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                score(Fake(), source, output, overwrite=True)
        assert output.exists()

    kill()
    rows = Path(source).read_text(encoding="utf-8").splitlines()
    jsonl(Path(source), [json.loads(row) for row in reversed(rows)])
    assert "the data set has changed" in refused(RunError, Fake(), source, output)
    score(Fake(), source, output, overwrite=True)
    score(Fake(), source, tmp_path / f"new.{suffix}")
    assert output.read_bytes() == (tmp_path / f"new.{suffix}").read_bytes()

    kill()
    assert "the model fake is not the same as then" in refused(RunError, Fake(fingerprint="other"), source, output)
    done = score(Fake({"1": 99.0}, fingerprint="other"), source, output, overwrite=True)
    assert (done.resumed, done.rows) == (0, 40)
    if suffix == "jsonl":
        assert lines(output)[-1]["scores"][0] == 99.0

    kill()
    output.write_bytes(b"somebody else's")
    assert "exists already" in refused(RunError, Fake(), source, output)
    assert output.read_bytes() == b"somebody else's"


@pytest.mark.usefixtures("_small")
def test_another_command_is_refused(source: str, tmp_path: Path) -> None:
    output = tmp_path / "o.jsonl"
    interrupted(source, output)
    left = (tmp_path / "o.jsonl.partial").read_bytes()

    def words(model: str | Scorer, **options: Any) -> str:
        return refused(RunError, model, source, output, **options)

    assert "(other data): run that one again" in words(Fake(), limit=39)
    assert "other model" in words(LONGEST)
    assert "other best" in words(Fake(), best=tmp_path / "b.jsonl")
    assert "other options" in words(Fake(), model_options=ModelOptions(max_length=7))
    assert "the model fake is not the same as then" in words(Fake(fingerprint="other"))
    assert (tmp_path / "o.jsonl.partial").read_bytes() == left
    done = score(Fake(fingerprint="other"), source, output, overwrite=True)
    assert (done.resumed, done.rows) == (0, 40)


@pytest.mark.usefixtures("_small")
def test_a_broken_row_is_mended_and_the_rest_goes_on(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, output = Path(source), tmp_path / "o.jsonl"
    good = path.read_bytes()
    score(Fake(), source, tmp_path / "whole.jsonl")
    rows = good.split(b"\n")
    monkeypatch.setattr(module, "LOOK", 5)
    path.write_bytes(b"\n".join([*rows[:30], b'{"prompt": 3}', *rows[31:]]))
    assert "in.jsonl line 31: nothing to score" in refused(DataError, Fake(), source, output)
    model = Fake()
    path.write_bytes(good)
    assert score(model, source, output).resumed == 30
    assert model.seen == 20
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("change", ["other", "shorter"])
def test_rows_that_are_scored_and_then_change_are_noticed(source: str, tmp_path: Path, change: str) -> None:
    output = tmp_path / "o.parquet"
    interrupted(source, output)
    rows = Path(source).read_bytes().split(b"\n")
    rows = [rows[0].replace(b"Hi", b"Ho"), *rows[1:]] if change == "other" else [*rows[:15], b""]
    Path(source).write_bytes(b"\n".join(rows))
    assert "has changed: its first 20 rows" in refused(RunError, Fake(), source, output)
    done = score(Fake(), source, output, overwrite=True)
    assert (done.resumed, pq.read_table(output).num_rows, done.rows) == (0, len(rows) - 1, len(rows) - 1)


@pytest.mark.usefixtures("_small")
def test_a_damaged_note_or_file_is_never_trusted(source: str, tmp_path: Path) -> None:
    output, partial = tmp_path / "o.jsonl", tmp_path / "o.jsonl.partial"
    note = tmp_path / "o.jsonl.partial.json"
    for damage, words in (
        (lambda: partial.write_bytes(b"x"), "shorter"),
        (lambda: note.write_text("{"), "cannot be read"),
    ):
        interrupted(source, output)
        damage()
        for _ in range(2):  # The refusal mends nothing.
            assert words in refused(RunError, Fake(), source, output)
        assert score(Fake(), source, output, overwrite=True).resumed == 0
        output.unlink()


@pytest.mark.usefixtures("_small")
def test_two_at_once(source: str, tmp_path: Path) -> None:
    """In one process and in two; outputs beside one another are no matter."""

    class Second(Fake):
        def score_conversations(
            self, conversations: Sequence[Conversation], progress: Progress | None = None
        ) -> list[Score]:
            if not told:
                assert "another rmeval is writing" in refused(RunError, Fake(), source, output)
                command = [sys.executable, "-c", SLOW, source]
                for name in ("o.jsonl", "other.jsonl"):
                    paths = [str(tmp_path / name), str(tmp_path / f"{name}-best.jsonl")]
                    told.append(subprocess.run([*command, *paths], capture_output=True, text=True, check=False).stderr)
            return super().score_conversations(conversations)

    told: list[str] = []
    output = tmp_path / "o.jsonl"
    assert score(Second(), source, output).rows == 40
    assert f"another rmeval is writing to {output} (process {os.getpid()} on " in told[0]
    assert told[1] == ""
    names = {path.name for path in tmp_path.iterdir()} - {Path(source).name}
    assert names == {"o.jsonl", "other.jsonl", "other.jsonl-best.jsonl"}


def test_a_partial_file_of_somebody_else_is_not_cut_off(source: str, tmp_path: Path) -> None:
    output, partial = tmp_path / "o.jsonl", tmp_path / "o.jsonl.partial"
    partial.write_text("mine")
    assert "no note says that rmeval wrote it" in refused(RunError, Fake(), source, output)
    assert partial.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([Path(source).name, "o.jsonl.partial"])
    (tmp_path / "o.jsonl.partial.lock").touch()  # Killed before it could take note of anything.
    assert score(Fake(), source, output).rows == 40


def test_a_full_disk_is_one_line(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "(No space left on device)" in refused(RunError, Fake(), source, tmp_path / "o.jsonl")
    assert score(Fake(), source, tmp_path / "o.jsonl").rows == 40


SLOW = """
import sys, time
from pathlib import Path
from rmeval.eval.scoring import chunks
from rmeval.eval.scoring import score as module
from rmeval.eval.scorers.baseline import BaselineScorer

class Slow(BaselineScorer):
    def score_conversations(self, conversations, progress=None):
        time.sleep(0.01)
        return super().score_conversations(conversations, progress)

chunks.CHUNK = 20
source, output, best = sys.argv[1:]
module.score(Slow("random"), source, output, best=best)
"""


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "parquet"])
def test_killed_at_any_moment_it_ends_the_same(tmp_path: Path, suffix: str) -> None:
    source = jsonl(tmp_path / "in.jsonl", [{"prompt": f"{n}", "completions": ["a", "b" * 300]} for n in range(600)])
    whole = [tmp_path / f"{name}.{suffix}" for name in ("whole", "whole-best")]
    again = [tmp_path / f"{name}.{suffix}" for name in ("again", "again-best")]
    summary = score(BaselineScorer("random"), source, whole[0], best=whole[1])
    dice = random.Random(suffix)
    note, rows = tmp_path / f"again.{suffix}.partial.json", 0
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", SLOW, source, *map(str, again)])
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            if note.exists() and json.loads(note.read_text())["rows"] > rows:
                break  # It has written a chunk of its own.
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        rows = json.loads(note.read_text())["rows"]
        assert 0 < rows < 600
        assert not any(path.exists() for path in again)
    done = score(BaselineScorer("random"), source, again[0], best=again[1])
    assert done.resumed == rows
    assert same(done, summary)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in whole]

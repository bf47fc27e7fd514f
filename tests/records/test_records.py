"""A run on disk: it comes back as it was, or one line says what is wrong with it."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rmeval import evaluate, load_run
from rmeval.errors import RunError
from rmeval.eval.scorers.base import Pointwise
from rmeval.files import LOCK
from rmeval.records import (
    EXAMPLES,
    REPORT,
    RUN,
    SCORES,
    RunRecord,
    output_folder,
    write_run,
)
from rmeval.run_info import ModelInfo
from rmeval.run_tables import parse_messages, prompt_hash
from rmeval.types import Conversation, Finding, Message, Progress, Score

NAN, INF = math.nan, math.inf
MARKER = "Zaubernuss"


class Lookup(Pointwise):
    """Scores a completion by its text; what it has no number for gets its length."""

    def __init__(self, values: Mapping[str, float] | None = None) -> None:
        self.values = values or {}

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(name="lookup", kind="lookup", fingerprint="lookup:1")

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        texts = [item.completion[0].content for item in conversations]
        return [Score(self.values.get(text, float(len(text))), len(text)) for text in texts]

    def findings(self) -> Sequence[Finding]:
        return [Finding("special-token-in-text", "warning", 1, ("e1",))]


class NeverCalled(Lookup):
    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        pytest.fail("scored before the output folder was looked at")


def pairs(folder: Path, *answers: tuple[str, str]) -> str:
    """Write a data set of these (chosen, rejected) answers; return its path."""
    rows = [{"prompt": f"{MARKER} {i}?", "chosen": c, "rejected": r} for i, (c, r) in enumerate(answers)]
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


@pytest.fixture
def run(tmp_path: Path) -> RunRecord:
    """A finished run of two examples."""
    data = pairs(tmp_path, (f"good {MARKER}", "bad"), ("é 漢字 \U0001f600", f"{MARKER} is longer"))
    return evaluate(Lookup(), "pairs", dataset=data, output_dir=tmp_path / "run", command=("rmeval", "a b"))


def folder_of(run: RunRecord) -> Path:
    assert run.path is not None
    return run.path


def broken(folder: Path) -> str:
    """The one line that load_run says of a folder."""
    with pytest.raises(RunError) as caught:
        load_run(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def edit(folder: Path, **changes: object) -> None:
    file = folder / RUN
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


# --- whole runs -------------------------------------------------------------------------------------------------


def test_round_trip(run: RunRecord) -> None:
    folder = folder_of(run)
    for path in (folder, str(folder), folder / RUN):
        assert load_run(path) == run
    assert run.info.command == ("rmeval", "a b")
    assert run.info.audit[-1] == Finding("special-token-in-text", "warning", 1, ("e1",))


def test_the_tables_hold_what_was_scored(run: RunRecord) -> None:
    loaded = load_run(folder_of(run))
    assert loaded.scores["role"].tolist() == ["chosen", "rejected"] * 2
    assert loaded.scores["completion"].tolist() == [0, 1, 0, 1]
    assert loaded.scores["score"].tolist() == [15.0, 3.0, 6.0, 20.0]  # The lengths of the texts.
    assert loaded.scores["example_id"].tolist() == [name for name in loaded.examples["example_id"] for _ in "cr"]
    assert loaded.examples["row"].tolist() == [0, 1]
    assert [list(chars) for chars in loaded.examples["completion_chars"]] == [[15, 3], [6, 20]]
    prompt = (Message("user", f"{MARKER} 1?"),)
    assert parse_messages(loaded.examples["prompt"][1]) == prompt
    assert loaded.examples["prompt_hash"][1] == prompt_hash(prompt)
    completions = json.loads(loaded.examples["completions"][1])
    assert completions[0] == [{"role": "assistant", "content": "é 漢字 \U0001f600"}]


def test_run_json_holds_the_hashes_and_nothing_else_is_there(run: RunRecord) -> None:
    folder = folder_of(run)
    assert sorted(file.name for file in folder.iterdir()) == [EXAMPLES, RUN, SCORES]
    files = json.loads((folder / RUN).read_text())["files"]
    assert files == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (SCORES, EXAMPLES)}


def test_scores_that_are_no_numbers_survive(tmp_path: Path) -> None:
    data = pairs(tmp_path, ("a", "b"), ("c", "d"))
    scorer = Lookup({"a": NAN, "b": INF, "c": -INF, "d": -0.1})
    run = evaluate(scorer, "pairs", dataset=data, output_dir=tmp_path / "run")
    loaded = load_run(tmp_path / "run")
    assert loaded.scores_table["score"].to_pylist() == pytest.approx([NAN, INF, -INF, -0.1], abs=0, nan_ok=True)
    assert loaded.info == run.info


@pytest.mark.parametrize("keep_text", [True, False])
def test_no_text_keeps_hashes_and_lengths_alone(tmp_path: Path, keep_text: bool) -> None:
    data = pairs(tmp_path, (f"good {MARKER}", f"a bad {MARKER}"))
    evaluate(Lookup(), "pairs", dataset=data, output_dir=tmp_path / "run", keep_text=keep_text)
    found = False
    for file in (tmp_path / "run").iterdir():
        content = file.read_bytes()
        if file.suffix == ".parquet":
            plain = io.BytesIO()
            pq.write_table(pq.read_table(file), plain, compression="none", use_dictionary=False)
            content += plain.getvalue()
        found = found or MARKER.encode() in content
    assert found == keep_text
    row = load_run(tmp_path / "run").examples_table.to_pylist()[0]
    assert row["completion_chars"] == [15, 16]
    assert row["prompt_hash"] == prompt_hash((Message("user", f"{MARKER} 0?"),))
    assert row["completion_hashes"] == [
        prompt_hash((Message("assistant", text),)) for text in (f"good {MARKER}", f"a bad {MARKER}")
    ]
    assert ("prompt" in row) == ("completions" in row) == keep_text


# --- damaged runs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [SCORES, EXAMPLES])
def test_a_truncated_table(run: RunRecord, name: str) -> None:
    file = folder_of(run) / name
    file.write_bytes(file.read_bytes()[:-9])
    assert f"{name} is damaged" in broken(folder_of(run))


@pytest.mark.parametrize("name", [SCORES, EXAMPLES])
def test_a_table_of_another_run(run: RunRecord, tmp_path: Path, name: str) -> None:
    other = evaluate(Lookup(), "pairs", dataset=pairs(tmp_path, ("x", "yy")), output_dir=tmp_path / "other")
    shutil.copy(folder_of(other) / name, folder_of(run) / name)
    assert "belongs to another run" in broken(folder_of(run))


@pytest.mark.parametrize("name", [SCORES, EXAMPLES])
def test_a_missing_table(run: RunRecord, name: str) -> None:
    (folder_of(run) / name).unlink()
    assert f"{name} is missing" in broken(folder_of(run))


def test_no_run_at_all(run: RunRecord, tmp_path: Path) -> None:
    (folder_of(run) / RUN).unlink()
    assert "unfinished" in broken(folder_of(run))
    assert "not a folder" in broken(tmp_path / "absent")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_schema_version(run: RunRecord, version: object) -> None:
    edit(folder_of(run), schema_version=version)
    assert f"schema version {version}" in broken(folder_of(run))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"text"', "{}", "\0", "nan"])
def test_damaged_json(run: RunRecord, text: str) -> None:
    (folder_of(run) / RUN).write_text(text)
    assert "not a run of rmeval, or is damaged" in broken(folder_of(run))


def test_json_that_is_not_utf8(run: RunRecord) -> None:
    (folder_of(run) / RUN).write_bytes(b'{"schema_version": 1, "suite": "\xff"}')
    assert "damaged" in broken(folder_of(run))


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("partial", "perhaps", "partial"),
        ("suite", 3, "suite"),
        ("model", {"name": "x"}, "model"),
        ("results", {"overall": {"accuracy": "high", "low": 0, "high": 1}}, "results"),
        ("files", ["scores.parquet"], "files"),
        ("audit", [{"code": "x", "severity": "fatal", "count": 1}], "audit"),
    ],
)
def test_a_field_of_the_wrong_type(run: RunRecord, field: str, value: object, place: str) -> None:
    edit(folder_of(run), **{field: value})
    assert f"is not a valid run: {place}" in broken(folder_of(run))


def test_a_missing_field(run: RunRecord) -> None:
    file = folder_of(run) / RUN
    raw = json.loads(file.read_text())
    del raw["data"]
    file.write_text(json.dumps(raw))
    assert "data: Field required" in broken(folder_of(run))


def test_a_table_that_is_a_folder(run: RunRecord) -> None:
    file = folder_of(run) / SCORES
    file.unlink()
    file.mkdir()
    assert SCORES in broken(folder_of(run))


# --- output folders ---------------------------------------------------------------------------------------------


def unusable(folder: Path, data: str, **options: bool) -> str:
    with pytest.raises(RunError) as caught:
        evaluate(NeverCalled(), "pairs", dataset=data, output_dir=folder, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_that_cannot_be_written_is_found_before_scoring(tmp_path: Path) -> None:
    data = pairs(tmp_path, ("a", "bb"))
    (tmp_path / "file").touch()
    assert "cannot write to the output folder" in unusable(tmp_path / "file" / "run", data)
    assert "cannot write to the output folder" in unusable(tmp_path / "file", data)


def test_a_folder_whose_name_is_too_long_is_found_before_scoring(tmp_path: Path) -> None:
    assert "cannot write to the output folder" in unusable(tmp_path / ("x" * 300), pairs(tmp_path, ("a", "bb")))


def test_a_finished_run_is_kept_unless_told_otherwise(run: RunRecord, tmp_path: Path) -> None:
    folder, data = folder_of(run), pairs(tmp_path, ("a", "bb"))
    assert "--overwrite" in unusable(folder, data)
    assert load_run(folder) == run
    again = evaluate(Lookup(), "pairs", dataset=data, output_dir=folder, overwrite=True)
    assert load_run(folder) == again
    assert again.info.data.rows == 1
    assert sorted(file.name for file in folder.iterdir()) == [EXAMPLES, RUN, SCORES]


def test_a_run_that_a_kill_left_half_written_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, data = tmp_path / "run", pairs(tmp_path, ("a", "bb"))
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if target.name == RUN:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        evaluate(Lookup(), "pairs", dataset=data, output_dir=folder)
    monkeypatch.undo()
    assert sorted(file.name for file in folder.iterdir()) == [LOCK, EXAMPLES, SCORES]
    again = evaluate(Lookup(), "pairs", dataset=data, output_dir=folder)
    assert load_run(folder) == again
    assert sorted(file.name for file in folder.iterdir()) == [EXAMPLES, RUN, SCORES]


@pytest.mark.parametrize("name", [EXAMPLES, SCORES, REPORT])
def test_a_file_of_the_users_is_not_replaced(tmp_path: Path, name: str) -> None:
    data = pairs(tmp_path, ("a", "bb"))
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_text("mine")
    (folder / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        assert f"holds {name}, which rmeval did not write" in unusable(folder, data, overwrite=overwrite)
    assert {file.name: file.read_text() for file in folder.iterdir()} == {name: "mine", "notes.txt": "mine"}


def test_a_folder_that_another_process_writes_to_is_refused(tmp_path: Path) -> None:
    folder, data = tmp_path / "run", pairs(tmp_path, ("a", "bb"))
    with output_folder(folder, overwrite=False):
        assert f"another rmeval is writing to {folder}" in unusable(folder, data)
    evaluate(Lookup(), "pairs", dataset=data, output_dir=folder)


def test_run_json_comes_last_and_a_failed_write_leaves_nothing_temporary(run: RunRecord, tmp_path: Path) -> None:
    folder = tmp_path / "obstructed"
    (folder / EXAMPLES / "in the way").mkdir(parents=True)
    with pytest.raises(RunError, match="cannot write the run to") as caught:
        write_run(run, folder)
    assert "\n" not in str(caught.value)
    assert sorted(file.name for file in folder.iterdir()) == [EXAMPLES, SCORES]


def test_a_run_that_cannot_be_written_leaves_its_scores(
    run: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    with pytest.raises(RunError, match="Out of range float values") as caught:
        write_run(run.with_info(drift=math.inf), folder)
    (file,) = folder.iterdir()
    assert f"its scores are in {file}" in str(caught.value)
    assert pq.read_table(file) == run.scores_table
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(RunError) as caught:
        write_run(run, tmp_path / "absent")
    (rescued,) = tmp_path.glob("scores-of-unwritten-run-*.parquet")
    assert f"its scores are in {rescued}" in str(caught.value)
    assert pq.read_table(rescued) == run.scores_table


def test_a_failed_overwrite_leaves_no_run_that_looks_whole(run: RunRecord, tmp_path: Path) -> None:
    folder = folder_of(run)
    other = evaluate(Lookup(), "pairs", dataset=pairs(tmp_path, ("a", "bb")))
    (folder / EXAMPLES).unlink()
    (folder / EXAMPLES).mkdir()
    with pytest.raises(RunError, match="cannot write the run to"):
        write_run(other, folder)
    assert "damaged or belongs to another run" in broken(folder)

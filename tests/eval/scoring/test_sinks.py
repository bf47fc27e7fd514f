from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.data_prep.rows.reader import mend
from rmeval.errors import DataError
from rmeval.eval.scoring import chunks
from rmeval.eval.scoring.score import score
from tests.support.scoring import ASSISTANT, LONGEST, USER, jsonl, refused, scored


@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.gz", "o.JSONL"])
def test_json_keeps_every_text_as_it_was(tmp_path: Path, name: str) -> None:
    texts = ["é\u2028\x00\\ud800", "\ud800", "\udc00 ü\ud83d", "😀"]
    score(LONGEST, jsonl(tmp_path / "in.jsonl", [{"prompt": "Hi", "completions": texts}]), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    content = gzip.decompress(content) if name.endswith("gz") else content
    assert "é\u2028".encode() in content  # As itself, not as an escape.
    assert json.loads(content)["completions"] == texts


TEXT = st.characters() | st.characters(categories=["Cs"])
"""Any character, and more often than by chance half a surrogate pair."""


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(TEXT, min_size=1), min_size=1, max_size=5), st.text(TEXT))
def test_any_text_makes_the_round_trip(tmp_path_factory: pytest.TempPathFactory, texts: list[str], other: str) -> None:
    folder = tmp_path_factory.mktemp("text")
    texts, other = json.loads(json.dumps([texts, other]))  # Two halves that are a pair become one character.
    row = {"prompt": "Hi", "completions": texts, "other": {"deep": [other]}}
    scores = [float(len(text)) for text in texts]
    assert scored(folder, [row]) == [{**row, "scores": scores}]
    score(LONGEST, str(folder / "in.jsonl"), folder / "o.parquet")
    whole = {"prompt": "Hi", "completions": [mend(text) for text in texts], "other": {"deep": [mend(other)]}}
    assert pq.read_table(folder / "o.parquet").to_pylist() == [{**whole, "scores": scores}]


def test_nan_in_other_columns_is_null_in_json(tmp_path: Path) -> None:
    assert scored(tmp_path, [{"chosen": [USER, ASSISTANT], "rejected": [USER, ASSISTANT], "n": [math.nan]}])[0][
        "n"
    ] == [None]


def test_parquet_keeps_the_types_that_parquet_declares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 2)
    kinds = {"n": pa.int16(), "when": pa.timestamp("ms", "UTC"), "raw": pa.binary(), "none": pa.string()}
    data: dict[str, list[Any]] = {"n": [1, 2, None], "when": [0, 1, 2], "raw": [b"\xff"] * 3, "none": [None] * 3}
    columns = {name: pa.array(data[name], kind) for name, kind in kinds.items()}
    table = pa.table({"prompt": ["Hi"] * 3, "completions": [["a", "bb"]] * 3, **columns})
    pq.write_table(table.replace_schema_metadata({"pandas": "{}"}), tmp_path / "in.parquet")
    score(LONGEST, str(tmp_path / "in.parquet"), tmp_path / "o.parquet")
    found = pq.read_table(tmp_path / "o.parquet")
    assert found.select(table.column_names).equals(table)
    assert found.schema.field("scores").type == pa.list_(pa.float64())
    assert found.schema.metadata is None
    assert "(bytes): write .parquet instead" in refused(
        DataError, LONGEST, str(tmp_path / "in.parquet"), tmp_path / "o.jsonl"
    )


def test_parquet_finds_the_types_of_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 1)
    others: list[dict[str, Any]] = [
        {"a": None, "b": {}},
        {"a": [], "b": {"x": 1}},
        {"a": ["t"], "c": 1},
        {"c": 1.5, "b": {"y": "z"}},
    ]
    rows = [{"messages": [USER, ASSISTANT], **each} for each in others]
    source = jsonl(tmp_path / "in.jsonl", rows)
    score(LONGEST, source, tmp_path / "o.parquet")
    found = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert [row["a"] for row in found] == [None, [], ["t"], None]
    assert [row["b"] for row in found] == [None, {"x": 1, "y": None}, None, {"x": None, "y": "z"}]
    assert [row["c"] for row in found] == [None, None, 1.0, 1.5]
    source = jsonl(tmp_path / "in.jsonl", [*rows, {**rows[0], "c": "text"}])
    assert "write .jsonl instead" in refused(DataError, LONGEST, source, tmp_path / "p.parquet")

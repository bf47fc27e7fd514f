from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from rmeval.bench import storage
from rmeval.bench_info import COLUMNS
from rmeval.errors import RunError
from tests.support.benching import document, measured


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = document(measured(), measured(batch_size=2))
    storage.write(tmp_path, content)
    assert storage.read(tmp_path) == storage.read(tmp_path / "bench.json") == content
    rows = list(csv.DictReader(io.StringIO((tmp_path / "bench.csv").read_text())))
    assert [row["name"] for row in rows] == ["float32-1x64", "float32-2x64"]
    assert float(rows[0]["p50"]) == 0.5
    assert rows[0]["device_peak_bytes"] == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.csv", "bench.json"]


def test_a_spreadsheet_computes_nothing() -> None:
    text = storage.to_csv([measured(reason='=HYPERLINK("http://x")', p50=-1.0)])
    row = next(csv.DictReader(io.StringIO(text)))
    assert row["reason"] == '\'=HYPERLINK("http://x")'
    assert row["p50"] == "-1.0"


def test_numbers_that_are_none_cannot_be_stored(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        storage.write(tmp_path, document(measured(p50=float("nan"))))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "was not written by rmeval bench"),
        ('{"benchmarks": []}', "was not written by rmeval bench"),
        ('{"benchmarks": [], "rmeval": {"schema_version": 99}}', "has schema 99"),
        ('{"benchmarks": [], "rmeval": {"schema_version": 1, "cells": [{}]}}', "is damaged"),
        ("\udcff", "cannot read"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bench.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RunError) as caught:
        storage.read(tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot read the bench .*nothing\.json: No such file"):
        storage.read(tmp_path / "nothing.json")


def test_the_docs_explain_every_column() -> None:
    page = (Path(__file__).parents[2] / "docs" / "bench.md").read_text(encoding="utf-8")
    missing = [name for name in COLUMNS if f"`{name}`" not in page]
    assert missing == []
    assert json.dumps(list(COLUMNS))  # Plain names.

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.data_prep.output import shards
from rmeval.data_prep.output.shards import OUTPUT, ShardWriter
from tests.support.preparing import contents


def table(start: int, rows: int) -> pa.Table:
    message = [{"role": "user", "content": "x"}]
    return pa.Table.from_pylist(
        [{"id": f"{place}", "chosen": message, "subset": "s"} for place in range(start, start + rows)], OUTPUT
    )


def write(folder: Path, parts: list[int]) -> dict[str, bytes]:
    folder.mkdir()
    with ShardWriter(folder, "train", sum(parts)) as writer:
        start = 0
        for rows in parts:
            writer.write(table(start, rows))
            start += rows
    return contents(folder)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "ROW_GROUP", 4)
    monkeypatch.setattr(shards, "SHARD_ROWS", 12)


def test_files_and_row_groups_are_cut_by_rows_alone(tmp_path: Path) -> None:
    whole = write(tmp_path / "a", [30])
    assert list(whole) == [f"train-{number:05}-of-00003.parquet" for number in range(3)]
    groups = [
        [pq.read_metadata(tmp_path / "a" / name).row_group(g).num_rows for g in range(count)]
        for name, count in zip(whole, (3, 3, 2), strict=True)
    ]
    assert groups == [[4, 4, 4], [4, 4, 4], [4, 2]]
    ids = [row["id"] for name in whole for row in pq.read_table(tmp_path / "a" / name).to_pylist()]
    assert ids == [f"{place}" for place in range(30)]
    assert write(tmp_path / "b", [1, 0, 9, 5, 15]) == whole
    assert write(tmp_path / "c", [1] * 30) == whole


@pytest.mark.parametrize(("rows", "files"), [(0, 0), (1, 1), (12, 1), (13, 2), (24, 2)])
def test_no_file_is_empty_and_none_is_missing(tmp_path: Path, rows: int, files: int) -> None:
    found = write(tmp_path / "a", [rows])
    assert list(found) == [f"train-{number:05}-of-{files:05}.parquet" for number in range(files)]


def test_an_error_leaves_no_file_open(tmp_path: Path) -> None:
    def fail() -> None:
        with ShardWriter(tmp_path, "train", 3) as writer:
            writer.write(table(0, 5))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert len(pq.read_table(tmp_path / "train-00000-of-00001.parquet")) == 4

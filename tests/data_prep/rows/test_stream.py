from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.data_prep.rows.files import PlacedRow
from rmeval.data_prep.rows.in_memory import load_rows
from rmeval.data_prep.rows.stream import open_source
from rmeval.errors import DataError, UsageError

ROWS: list[dict[str, object]] = [{"prompt": f"p{n}", "chosen": "yes", "rejected": "no\nnever"} for n in range(5)]


def jsonl(path: Path, rows: list[dict[str, object]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def read(source: str, split: str | None = None) -> list[PlacedRow]:
    return list(open_source(source, split=split).rows())


def every_kind(folder: Path) -> dict[str, str]:
    lines = "".join(f"{json.dumps(row)}\n" for row in ROWS).encode()
    (folder / "a.jsonl").write_bytes(b"\xef\xbb\xbf\n" + lines)
    (folder / "a.ndjson.gz").write_bytes(gzip.compress(lines))
    (folder / "list.json").write_text(json.dumps(ROWS, indent=1))
    (folder / "lines.json").write_bytes(lines)
    cells = "".join(f'{row["prompt"]},yes,"no\nnever"\n' for row in ROWS)
    (folder / "a.csv").write_text(f"prompt,chosen,rejected\n{cells}")
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "a.parquet", row_group_size=2)
    return {path.name: str(path) for path in folder.iterdir()}


def test_every_kind_of_file_gives_the_rows_and_places_of_load_rows(tmp_path: Path) -> None:
    for source in every_kind(tmp_path).values():
        whole = load_rows(source)
        found = read(source)
        assert [row for _, row in found] == list(whole.rows) == ROWS
        assert [place for place, _ in found] == [whole.locate(n) for n in range(len(ROWS))]


def test_a_folder_is_read_file_after_file_of_one_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for part in range(2):
            rows = [{**row, "from": f"{split}{part}"} for row in ROWS]
            jsonl(tmp_path / f"d/{split}-{part:05}-of-00002.jsonl", rows)
    source = str(tmp_path / "d")
    assert [row for _, row in read(source, "train")] == list(load_rows(source, split="train").rows)
    assert read(source, "train")[7][0] == f"{source}/train-00001-of-00002.jsonl line 3"
    jsonl(tmp_path / "e/train.txt", ROWS)
    with pytest.raises(DataError, match=r"e/train\.txt: not a kind of file that can be read"):
        read(str(tmp_path / "e"))
    with pytest.raises(DataError, match="several splits"):
        open_source(source)
    with pytest.raises(DataError, match="did you mean 'train'"):
        open_source(source, split="trian")


def test_a_folder_of_save_to_disk(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "d")
    datasets.DatasetDict({"test": datasets.Dataset.from_list(ROWS)}).save_to_disk(tmp_path / "e")
    for source, split in ((str(tmp_path / "d"), None), (str(tmp_path / "e"), "test")):
        found = open_source(source, split=split)
        assert list(found.rows()) == [(f"{source} split {split or 'train'!r} row {n + 1}", ROWS[n]) for n in range(5)]
        assert found.estimate() == 5
        schema = found.schema()
        assert schema is not None
        assert schema.names == list(ROWS[0])
        assert schema.metadata is None
    (tmp_path / "d" / "state.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        open_source(str(tmp_path / "d"))


def test_nothing_is_read_ahead_of_need(tmp_path: Path) -> None:
    source = Path(jsonl(tmp_path / "a.jsonl", ROWS))
    source.write_bytes(source.read_bytes() + b"{broken\n")
    assert len(list(islice(open_source(str(source)).rows(), 5))) == 5
    with pytest.raises(DataError, match=r"a\.jsonl line 6: not JSON"):
        read(str(source))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"a,a\n", "line 1: two columns of the header have the same name"),
        ("a.csv", b"chosen,rejected\nx\n", "line 2: 1 cells, but the header names 2 columns"),
        ("a.csv", b'chosen,rejected\n"x', "line 2: not CSV"),
        ("a.parquet", b"PAR1", "a damaged or unreadable Parquet file"),
        ("a.jsonl.gz", b"\x1f\x8b", "a damaged .gz file"),
        ("a.jsonl", b"[1]\n", "line 1: expected a JSON object"),
        ("a.jsonl", b"\xff\n", "line 1: not UTF-8"),
        ("a.txt", b"", "not a kind of file that can be read"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_its_place(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(str(tmp_path / name))
    assert words in str(caught.value)
    assert name in str(caught.value)


def test_names_that_are_none(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(UsageError, match="no splits"):
        open_source(source, split="train")
    for name in (str(tmp_path / "b.jsonl"), "./nothing", "nothing.parquet", "a b c"):
        with pytest.raises(DataError, match="no such file or folder"):
            open_source(name)


def test_the_estimate_counts_lines_and_rows(tmp_path: Path) -> None:
    kinds = every_kind(tmp_path)
    assert open_source(kinds["a.parquet"]).estimate() == 5
    assert open_source(kinds["a.ndjson.gz"]).estimate() == 5
    assert open_source(kinds["a.jsonl"]).estimate() == 6  # One line is blank.


def test_patterns_say_which_files_of_a_folder_are_read(tmp_path: Path) -> None:
    for folder in ("helpful-base", "helpful-online", "harmless-base"):
        for split in ("train", "test"):
            jsonl(tmp_path / f"d/{folder}/{split}.jsonl", [{"from": f"{folder} {split}"}])
    source = str(tmp_path / "d")
    found = open_source(source, split="train", files=["helpful-*/*"])
    assert [row["from"] for _, row in found.rows()] == ["helpful-base train", "helpful-online train"]
    found = open_source(source, split="test", files=["*-online/*", "harmless-base/*"])
    assert [row["from"] for _, row in found.rows()] == ["harmless-base test", "helpful-online test"]
    with pytest.raises(DataError, match=r"d has no file in split 'train' whose path matches x/\* or y/\*"):
        open_source(source, split="train", files=["x/*", "y/*"])
    file = jsonl(tmp_path / "a.jsonl", ROWS)
    assert len(list(open_source(file, files=["helpful-*/*"]).rows())) == 5

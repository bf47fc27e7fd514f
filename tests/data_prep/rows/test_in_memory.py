from __future__ import annotations

import gzip
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import datasets
import huggingface_hub.constants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.data_prep.rows.in_memory import Rows, load_rows
from rmeval.errors import DataError, RmevalError, UsageError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TWO = [{"prompt": "a", "n": 1}, {"prompt": "b\u2028c", "n": 2}]
"""U+2028 ends a line for ``str.splitlines``, but not in JSON lines."""


def jsonl(rows: Iterable[object]) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def write(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def write_parquet(path: Path, rows: list[dict[str, object]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def refused(source: object, error: type[RmevalError] = DataError, **options: str) -> str:
    """Return the one line with which ``source`` is refused."""
    with pytest.raises(error) as caught:
        load_rows(str(source), **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


# --- files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.JSONL", "a.json"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n \n"])
def test_json_lines(tmp_path: Path, name: str, start: bytes) -> None:
    source = write(tmp_path / name, start + jsonl(TWO).replace(b"\n", b"\r\n").rstrip())
    rows = load_rows(source)
    assert rows.rows == TWO
    assert (rows.name, rows.split, rows.revision, rows.columns) == (source, None, None, ("prompt", "n"))
    blank = start.count(b"\n")
    assert rows.locate(1) == f"{source} line {blank + 2}"


def test_json_lists(tmp_path: Path) -> None:
    source = write(tmp_path / "a.json", b"\n" + json.dumps(TWO, indent=2).encode())
    rows = load_rows(source)
    assert rows.rows == TWO
    assert rows.locate(1) == f"{source} row 2"


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.ndjson.gz", "a.json.gz"])
def test_gzip(tmp_path: Path, name: str) -> None:
    assert load_rows(write(tmp_path / name, gzip.compress(jsonl(TWO)))).rows == TWO
    name = name.lower().replace(".gz", ".xz")
    assert load_rows(write(tmp_path / name, lzma.compress(jsonl(TWO)))).rows == TWO
    packed = b"".join(pa.compress(line, codec="zstd", asbytes=True) for line in (jsonl(TWO[:1]), jsonl(TWO[1:])))
    if not name.startswith("a.json."):  # Two frames, as some writers append them; a list is one.
        assert load_rows(write(tmp_path / name.replace(".xz", ".zst"), packed)).rows == TWO


def test_csv(tmp_path: Path) -> None:
    long = "x" * 200_000  # more than the csv module takes unless told otherwise
    text = f'prompt,n\r\n"two\r\nlines, ""quoted""",1\r\n\r\n{long},\r\n'
    source = write(tmp_path / "a.csv", b"\xef\xbb\xbf" + text.encode())
    rows = load_rows(source)
    assert rows.rows == [{"prompt": 'two\r\nlines, "quoted"', "n": "1"}, {"prompt": long, "n": ""}]
    assert [rows.locate(0), rows.locate(1)] == [f"{source} line 2", f"{source} line 5"]
    assert load_rows(write(tmp_path / "a.csv.gz", gzip.compress(text.encode()))).rows == rows.rows


def test_parquet(tmp_path: Path) -> None:
    given: list[dict[str, object]] = [
        {"chosen": [{"role": "user", "content": "a"}], "id": 7},
        {"chosen": None, "id": 8},
    ]
    source = write_parquet(tmp_path / "lang=en" / "a.parquet", given)
    rows = load_rows(source)
    assert rows.rows == given
    assert rows.locate(1) == f"{source} row 2"


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "a.jsonl", jsonl(TWO))
    assert load_rows("~/a.jsonl").rows == TWO


def test_columns_are_those_of_all_rows() -> None:
    rows = Rows("made", [{"a": 1}, {"b": 2, "a": 3}])
    assert rows.columns == ("a", "b")
    assert rows.locate(1) == "made row 2"


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", b'{}\n\n{"a": }\n', "a.jsonl line 3: not JSON (Expecting value at column 7)"),
        ("a.jsonl", b"{}\n[1]\n", "a.jsonl line 2: expected a JSON object with the row's columns, found list"),
        ("a.jsonl", b'{}\n{"a": "\xff"}\n', "a.jsonl line 2: not UTF-8 (invalid start byte); save the file as UTF-8"),
        ("a.jsonl", '{"a": 1}\n'.encode("utf-16"), "a.jsonl line 1: not UTF-8"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl line 1: JSON that cannot be read"),
        ("a.jsonl", b'{"a": ' + b"1" * 5000 + b"}", "a.jsonl line 1: JSON that cannot be read"),
        ("a.jsonl", b"", "a.jsonl has no rows"),
        ("a.jsonl", b" \n\n", "a.jsonl has no rows"),
        ("a.jsonl.gz", b"no gzip", "a.jsonl.gz: a damaged .gz file"),
        ("a.jsonl.gz", gzip.compress(b"{}\n" * 9999, mtime=0)[:-20], "a.jsonl.gz: a damaged .gz file"),
        ("a.jsonl.xz", b"no xz", "a.jsonl.xz: a damaged .xz file"),
        ("a.jsonl.xz", lzma.compress(b"{}\n" * 9999)[:-20], "a.jsonl.xz: a damaged .xz file"),
        ("a.jsonl.zst", b"no zst", "a.jsonl.zst: a damaged .zst file"),
        (
            "a.jsonl.zst",
            pa.compress(b'{"n": 1}\n' * 9999, codec="zstd", asbytes=True)[:-9],
            "a.jsonl.zst: a damaged .zst",
        ),
        ("a.json", b"", "a.json has no rows"),
        ("a.json", b"[]", "a.json has no rows"),
        ("a.json", b"[{},\n{},\n3 4]", "a.json line 3: not JSON (Expecting ',' delimiter at column 3)"),
        ("a.json", b"[{},\n{},\n3]", "a.json row 3: expected a JSON object with the row's columns, found int"),
        ("a.json", b'{\n"a": 1', "a.json line 1: not JSON"),
        ("a.jsonl", b'{\n"a": 1}', "a.jsonl: one JSON object over several lines, where a row a line is expected"),
        (
            "a.jsonl",
            b'{"n": 1,\n"data": [{}]}',
            "a.jsonl: one JSON object over several lines (its 'data' may be the rows)",
        ),
        ("a.jsonl", b"[\n{},\n{}\n]", "a.jsonl: a JSON list over several lines, where each line must be a row: name"),
        ("a.csv", b"", "a.csv has no rows"),
        ("a.csv", b"a,b\n", "a.csv has no rows"),
        ("a.csv", b"a,a\n1,2\n", "a.csv line 1: two columns of the header have the same name"),
        ("a.csv", b'a,b\n"1\n2",3\n1,2,3\n', "a.csv line 4: 3 cells, but the header names 2 columns"),
        ("a.csv", b'a,b\n1,2\n"3,\n4\n', "a.csv line 3: not CSV (unexpected end of data)"),
        ("a.csv", b"a\n1\n\xff\n", "a.csv line 3: not UTF-8"),
        ("a.parquet", b"", "a.parquet: a damaged or unreadable Parquet file"),
        ("a.parquet", b"PAR1 nothing PAR1", "a.parquet: a damaged or unreadable Parquet file"),
        ("a.txt", b"x", "a.txt: not a kind of file that can be read (supported: .jsonl, .ndjson, .json, .csv, "),
        ("a.gz", b"x", "a.gz: not a kind of file that can be read"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, line: str) -> None:
    assert line in refused(write(tmp_path / name, content))


def test_a_parquet_file_cut_short(tmp_path: Path) -> None:
    path = Path(write_parquet(tmp_path / "a.parquet", [{"a": "x" * 1000}]))
    path.write_bytes(path.read_bytes()[:-30])
    assert "a damaged or unreadable Parquet file" in refused(path)


@pytest.mark.skipif(os.name == "nt" or (hasattr(os, "geteuid") and os.geteuid() == 0), reason="root reads everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", jsonl(TWO))
    os.chmod(source, 0)
    assert "cannot read" in refused(source)


NEARLY_JSON = st.text(alphabet='{}[]",:\n\r 1a\\ud8', max_size=60).map(str.encode)


@settings(max_examples=200)
@given(
    content=st.binary(max_size=200) | NEARLY_JSON,
    name=st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.jsonl.gz", "a.parquet"]),
)
def test_any_bytes_are_rows_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    source = write(tmp_path_factory.getbasetemp() / "any" / name, content)
    try:
        rows = load_rows(source)
    except RmevalError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is fine
    else:
        assert all(isinstance(row, Mapping) and rows.locate(index) for index, row in enumerate(rows.rows))


# --- where it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["./x", "../x/y", "/x/y", "~/x", "~nobody-at-all/x", "x.jsonl", "org/x.parquet", "x.CSV"]
)
def test_what_looks_local_is_not_sought_on_the_hub(name: str) -> None:
    assert refused(name) == f"no such file or folder: {name}"


@pytest.mark.parametrize("name", ["", "a/b/c", "a b", "a\\b", "x" * 5000, "a\0b"])
def test_neither_a_path_nor_a_hub_id(name: str) -> None:
    assert "no such file or folder, and not the name of a Hub data set" in refused(name)


def test_options_that_a_local_path_does_not_take(tmp_path: Path) -> None:
    source = write(tmp_path / "d" / "a.jsonl", jsonl(TWO))
    assert "is a file, which has no splits" in refused(source, UsageError, split="train")
    assert "is a local path, which has no revision" in refused(source, UsageError, revision="main")
    assert "is a local path, which has no revision" in refused(tmp_path / "d", UsageError, revision="main")
    assert load_rows(source, default_split="test").split is None


# --- folders ----------------------------------------------------------------------------------------------------


def test_splits_of_a_folder(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "train-00000-of-00002.parquet", [{"a": 1}, {"a": 2}])
    write_parquet(tmp_path / "data" / "train-00001-of-00002.parquet", [{"a": 3}])
    write_parquet(tmp_path / "data" / "filtered-00000-of-00001.parquet", [{"a": 4}])
    train = load_rows(f"{tmp_path}/", split="train")
    assert (train.rows, train.split) == ([{"a": 1}, {"a": 2}, {"a": 3}], "train")
    assert train.locate(2) == f"{tmp_path}/data/train-00001-of-00002.parquet row 1"
    assert load_rows(str(tmp_path), default_split="filtered").rows == [{"a": 4}]
    assert load_rows(str(tmp_path), split="train", default_split="filtered").split == "train"
    several = (
        f"{tmp_path} has several splits (train, filtered): choose one with --split, or with 'split' in a mixture, "
        "'dataset_train_split' in a recipe"
    )
    assert refused(tmp_path) == several
    assert refused(tmp_path, default_split="test") == several
    assert refused(tmp_path, split="filterd") == (
        f"{tmp_path} has no split 'filterd'; did you mean 'filtered'? (splits: train, filtered)"
    )


def test_a_folder_of_json_lines(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl", jsonl([{"a": 3}]))
    write(tmp_path / "a.jsonl", b"\n" + jsonl([{"a": 1}, {"b": 2}]))
    rows = load_rows(str(tmp_path), default_split="test")
    assert rows.rows == [{"a": 1}, {"b": 2}, {"a": 3}]
    assert rows.split == "train"  # so the datasets library calls the only split of files without one
    assert rows.locate(1) == f"{tmp_path}/a.jsonl line 3"
    write(tmp_path / "b.jsonl", b'{"a": 3}\n{')
    assert refused(tmp_path).startswith(f"{tmp_path}/b.jsonl line 2: not JSON")


def test_splits_named_by_a_readme(tmp_path: Path) -> None:
    configs = "configs:\n- config_name: default\n  data_files:\n  - split: hard\n    path: x/h.jsonl\n"
    write(tmp_path / "README.md", f"---\n{configs}---\n# Data\n".encode())
    write(tmp_path / "x" / "h.jsonl", jsonl(TWO))
    write(tmp_path / "x" / "other.jsonl", jsonl([{}]))
    rows = load_rows(str(tmp_path))
    assert (rows.rows, rows.split) == (TWO, "hard")


@pytest.mark.parametrize("target", ["../secret.jsonl", "{tmp}/secret.jsonl"])
def test_a_readme_that_names_files_outside(tmp_path: Path, target: str) -> None:
    write(tmp_path / "secret.jsonl", jsonl(TWO))
    write(tmp_path / "d" / "a.jsonl", jsonl(TWO))
    files = target.format(tmp=tmp_path)
    write(tmp_path / "d" / "README.md", f"---\nconfigs:\n- config_name: default\n  data_files: {files}\n---\n".encode())
    assert "its README names data outside its own folder" in refused(tmp_path / "d")


def test_several_configurations(tmp_path: Path) -> None:
    configs = "".join(f"- config_name: {name}\n  data_files: {name}.jsonl\n" for name in ("one", "two"))
    write(tmp_path / "README.md", f"---\nconfigs:\n{configs}---\n".encode())
    for name in ("one", "two"):
        write(tmp_path / f"{name}.jsonl", jsonl(TWO))
    line = refused(tmp_path)
    assert "cannot tell its data files" in line
    assert "'one', 'two'" in line
    assert line.endswith(": give the path of one file")


def test_folders_without_data(tmp_path: Path) -> None:
    assert "has no data files" in refused(tmp_path)
    write(tmp_path / "README.md", b"# nothing")
    assert "has no data files" in refused(tmp_path)
    write(tmp_path / "train.txt", b"text")
    assert "train.txt: not a kind of file that can be read" in refused(tmp_path)
    write(tmp_path / "empty" / "test.jsonl", b"")
    assert refused(tmp_path / "empty") == f"{tmp_path}/empty has no rows in split 'test'"


def test_a_readme_that_is_not_yaml(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", jsonl(TWO))
    write(tmp_path / "README.md", b"---\nconfigs: [\n---\n")
    assert "cannot tell its data files" in refused(tmp_path)


def test_a_folder_named_like_a_builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "json" / "a.jsonl", jsonl(TWO))
    monkeypatch.chdir(tmp_path)
    assert load_rows("json").rows == TWO


def test_a_link_to_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "real" / "data" / "a.jsonl", jsonl(TWO))
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    rows = load_rows(str(tmp_path / "link"))
    assert rows.rows == TWO
    assert rows.locate(0) == f"{tmp_path}/link/data/a.jsonl line 1"


def test_saved_data_sets(tmp_path: Path) -> None:
    train, test = datasets.Dataset.from_list([{"a": 1}, {"a": 2}]), datasets.Dataset.from_list([{"a": 3}])
    datasets.DatasetDict(train=train, test=test).save_to_disk(tmp_path / "both")
    train.select([1]).save_to_disk(tmp_path / "one")
    rows = load_rows(str(tmp_path / "both"), default_split="test")
    assert (rows.rows, rows.split, rows.locate(0)) == ([{"a": 3}], "test", f"{tmp_path}/both split 'test' row 1")
    assert "has several splits (train, test)" in refused(tmp_path / "both")
    assert "has no split 'tset'; did you mean 'test'?" in refused(tmp_path / "both", split="tset")
    assert load_rows(str(tmp_path / "one")).rows == [{"a": 2}]
    next((tmp_path / "one").glob("*.arrow")).write_bytes(b"broken")
    assert "was written by save_to_disk but cannot be read" in refused(tmp_path / "one")


def test_a_changed_folder_is_read_again_and_leaves_no_cache(tmp_path: Path) -> None:
    """In a process of its own, with its cache in an empty folder and every connection refused."""
    write(tmp_path / "data" / "a.jsonl", jsonl([{"a": 1}]))
    code = (
        "import pathlib, socket, sys\n"
        "def refuse(*a): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from rmeval.data_prep.rows.in_memory import load_rows\n"
        "first = load_rows('data').rows\n"
        "pathlib.Path('data/a.jsonl').write_text('{\"a\": 2}')\n"
        "print(first, load_rows('data').rows)\n"
    )
    env = {**os.environ, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": os.pathsep.join(sys.path)}
    env.pop("HF_DATASETS_CACHE", None)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[{'a': 1}] [{'a': 2}]\n", 0), done.stderr
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, rmeval.data_prep.rows.examples\n"
        "print({'datasets', 'pandas', 'pyarrow', 'huggingface_hub', 'torch'} & sys.modules.keys())"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# --- the Hub ----------------------------------------------------------------------------------------------------


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cached ``org/name`` with splits ``raw`` and ``filtered``: links to blobs, as the Hub's library lays it out."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    repo = tmp_path / "datasets--org--name"
    write(repo / "refs" / "main", COMMIT.encode())
    data = repo / "snapshots" / COMMIT / "data"
    data.mkdir(parents=True)
    for number, split in enumerate(["raw", "filtered"]):
        write_parquet(repo / "blobs" / f"{number}", [{"prompt": split}])
        (data / f"{split}-00000-of-00001.parquet").symlink_to(f"../../../blobs/{number}")
    return repo


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_a_hub_data_set(cached: Path, revision: str | None) -> None:
    rows = load_rows("org/name", revision=revision, default_split="filtered")
    assert rows.rows == [{"prompt": "filtered"}]
    assert (rows.name, rows.split, rows.revision) == ("org/name", "filtered", COMMIT)
    assert rows.locate(0) == "org/name/data/filtered-00000-of-00001.parquet row 1"
    assert load_rows("org/name", split="raw").rows == [{"prompt": "raw"}]


def test_a_hub_data_set_that_cannot_be_had(cached: Path) -> None:
    assert refused("org/name").startswith("org/name has several splits (")
    assert "'org/other' is not (wholly) in the local cache and HF_HUB_OFFLINE is set" in refused("org/other")
    assert "'org/name' at revision 'v9' is not (wholly) in the local cache" in refused("org/name", revision="v9")


def test_a_local_path_goes_before_the_hub(
    cached: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path_factory.mktemp("here")
    write(here / "org" / "name" / "a.jsonl", jsonl(TWO))
    monkeypatch.chdir(here)
    assert load_rows("org/name").rows == TWO


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("preferences/hh-rlhf-harmless-base-test.jsonl", 2312),
        ("preferences/ultrafeedback-binarized-train.jsonl", 1000),
        ("preferences/ultrafeedback-binarized-eval.jsonl", 200),
        ("rewardbench/filtered-partial.jsonl", 1616),
    ],
)
def test_real_files(shared_data: Path, name: str, count: int) -> None:
    rows = load_rows(str(shared_data / name))
    assert len(rows.rows) == count
    assert rows.locate(count - 1) == f"{shared_data / name} line {count}"

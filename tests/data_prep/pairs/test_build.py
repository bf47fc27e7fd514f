from __future__ import annotations

import datetime
import json
import random
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.data_prep.mixture import SourceEntry
from rmeval.data_prep.pairs import build
from rmeval.data_prep.pairs.build import Built, build_source
from rmeval.data_prep.pairs.columns import PAIRS, Tally
from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.sources import get_source
from rmeval.errors import DataError, RmevalError, UsageError
from tests.support.preparing import HH, hh_row, hh_rows, write_rows


def built_of(path: str, folder: Path, name: str = HH, workers: int = 1, **keys: Any) -> Built:
    return build_source(SourceEntry(name=name, path=path, **keys), folder, workers)


def pairs_of(built: Built) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(built.pairs).to_pylist()
    return found


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_rows_become_pairs_and_every_drop_is_counted(tmp_path: Path) -> None:
    turns = "\n\nHuman: Soup?\n\nAssistant: Which?\n\nHuman: Leek.\n\nAssistant: "
    rows: list[Row] = [
        {"chosen": f"{turns}Chop it.", "rejected": f"{turns}No."},
        hh_row("Same?", "Yes.", "Yes."),
        {"chosen": 3, "rejected": None},
        hh_row("Bread?", "Knead it.", "Buy it."),
    ]
    built = built_of(write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "built")
    first, second = pairs_of(built)
    prompt = [message("user", "Soup?"), message("assistant", "Which?"), message("user", "Leek.")]
    assert first["chosen"] == [*prompt, message("assistant", "Chop it.")]
    assert first["rejected"] == [*prompt, message("assistant", "No.")]
    assert (first["prompt_messages"], first["opening"]) == (3, "soup")
    assert (first["prompt_chars"], first["chosen_chars"], first["rejected_chars"]) == (5 + 6 + 5, 8, 3)
    assert (first["chosen_score"], first["rejected_score"]) == (None, None)
    assert second["chosen"] == [message("user", "Bread?"), message("assistant", "Knead it.")]
    assert first["digest"] != second["digest"]
    tally = built.tally
    assert tally.rows == 4
    assert tally.rows == tally.used_rows + sum(tally.dropped_rows.values())
    assert tally.candidates == 2 + sum(tally.dropped_pairs.values())
    assert sum(tally.dropped_rows.values()) + sum(tally.dropped_pairs.values()) == 2
    assert (built.data, built.revision, list(built.files), built.kept) == ("rows.jsonl", None, ["rows.jsonl"], False)


def by_key(built: Built) -> dict[tuple[str, str], object]:
    return {(row["group"], row["key"]): (row["chosen"], row["rejected"]) for row in pairs_of(built)}


def test_rows_of_a_key_are_one_unit_wherever_they_stand_and_a_batch_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(prompt: str, response: str, score: int) -> dict[str, object]:
        names = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
        return {"prompt": prompt, "response": response, **dict.fromkeys(names, score)}

    rows = [row(f"p{unit}", f"r{unit}{place}", place) for unit in range(20) for place in range(2 + unit % 3)]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    # 2, 3 and 4 answers make 1, 3 and 6 pairs; 20 units are 7, 7 and 6 of these.
    whole = built_of(path, tmp_path / "whole", "helpsteer")
    assert (whole.tally.rows, whole.tally.candidates, len(pairs_of(whole))) == (len(rows), 7 + 21 + 36, 64)
    monkeypatch.setattr(build, "_BATCH_ROWS", 3)
    monkeypatch.setattr(build, "_SLAB_BYTES", 700)
    for workers in (1, 3):
        cut = built_of(path, tmp_path / f"cut{workers}", "helpsteer", workers)
        assert pairs_of(cut) == pairs_of(whole)
        assert cut.tally == whole.tally
    random.Random(1).shuffle(rows)
    shuffled = built_of(write_rows(tmp_path / "shuffled.jsonl", rows), tmp_path / "shuffled", "helpsteer")
    assert shuffled.tally == whole.tally
    assert by_key(shuffled) == by_key(whole)


def test_what_json_cannot_hold_is_no_crash(tmp_path: Path) -> None:
    """Half a surrogate pair in JSON; dates, bytes and NaN in Parquet."""
    lines = (
        '{"chosen": "\\n\\nHuman: a\\ud800\\n\\nAssistant: b", "rejected": "\\n\\nHuman: a\\ud800\\n\\nAssistant: c"}\n'
    )
    (tmp_path / "a.jsonl").write_text(lines)
    [pair] = pairs_of(built_of(str(tmp_path / "a.jsonl"), tmp_path / "a"))
    assert pair["chosen"] == [message("user", "a\ufffd"), message("assistant", "b")]
    rows = [{**hh_row("a"), "at": datetime.datetime(2024, 1, 1), "raw": b"\xff", "x": float("nan")}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "b.parquet")
    assert len(pairs_of(built_of(str(tmp_path / "b.parquet"), tmp_path / "b"))) == 1


def test_what_was_built_from_the_same_is_kept(tmp_path: Path) -> None:
    path = Path(write_rows(tmp_path / "rows.jsonl", hh_rows(3)))
    folder = tmp_path / "built"
    first = built_of(str(path), folder)
    again = built_of(str(path), folder)
    assert (first.kept, again.kept) == (False, True)
    assert again.tally == first.tally
    assert built_of(str(path), folder, max_pairs=1).kept  # Chosen later, from what is built.
    (folder / "built.json").write_text("{")
    assert not built_of(str(path), folder).kept
    (folder / "pairs.parquet").unlink()
    assert not built_of(str(path), folder).kept
    write_rows(path, hh_rows(4))
    changed = built_of(str(path), folder)
    assert (changed.kept, changed.tally.rows) == (False, 4)
    path.rename(tmp_path / "other.jsonl")
    assert built_of(str(tmp_path / "other.jsonl"), folder).data == "other.jsonl"


def test_every_kind_of_place(tmp_path: Path) -> None:
    rows = hh_rows(5)
    file = write_rows(tmp_path / "one.jsonl", rows)
    for part in range(2):
        write_rows(tmp_path / "f" / f"helpful-{part}" / "train.jsonl", rows[part * 3 : part * 3 + 3])
        write_rows(tmp_path / "f" / "harmless-base" / "train.jsonl", hh_rows(2, "knife"))
    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "saved")
    expected = pairs_of(built_of(file, tmp_path / "a"))
    folder = built_of(str(tmp_path / "f"), tmp_path / "b")
    saved = built_of(str(tmp_path / "saved"), tmp_path / "c")
    assert pairs_of(folder) == pairs_of(saved) == expected
    assert list(folder.files) == ["helpful-0/train.jsonl", "helpful-1/train.jsonl"]
    assert (folder.data, saved.data) == ("f", "saved")
    assert len(saved.files) == 1


def test_nothing_goes_to_the_libraries_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "f").mkdir()
    write_rows(tmp_path / "f" / "helpful-base" / "train.jsonl", hh_rows(300))
    bars = datasets.are_progress_bars_disabled()
    built_of(str(tmp_path / "f"), tmp_path / "built", workers=2)
    assert not (tmp_path / "cache").exists()
    assert datasets.are_progress_bars_disabled() == bars


@pytest.mark.parametrize(
    ("entry", "kind", "words"),
    [
        ({"name": HH, "path": "absent.jsonl"}, DataError, "no such file or folder: absent.jsonl"),
        ({"name": HH, "path": "nobody/nothing"}, DataError, "data set 'nobody/nothing' is not (wholly) in the local"),
        ({"name": "shp"}, DataError, "data set 'stanfordnlp/SHP' is not (wholly) in the local cache"),
        ({"name": "pairs"}, UsageError, "pairs has no data set of its own: give a path"),
        ({"name": HH, "path": "empty.jsonl"}, DataError, "empty.jsonl has no rows"),
        ({"name": "shp", "path": "hh.jsonl"}, DataError, "(it has: 'chosen', 'rejected')"),
        ({"name": HH, "path": "broken.jsonl"}, DataError, "broken.jsonl line 2: not JSON"),
        ({"name": HH, "path": "hh.jsonl", "split": "test"}, UsageError, "is a file, which has no splits"),
        ({"name": HH, "path": "hh.jsonl", "revision": "a"}, UsageError, "is a local path, which has no revision"),
    ],
)
def test_rows_that_cannot_be_had_are_one_line_with_the_source(
    entry: dict[str, str], kind: type[RmevalError], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "hh.jsonl", hh_rows(2))
    write_rows(tmp_path / "empty.jsonl", [])
    (tmp_path / "broken.jsonl").write_text(json.dumps(hh_row("a")) + "\n{broken\n")
    with pytest.raises(kind) as caught:
        build_source(SourceEntry.model_validate({"label": "mine", **entry}), tmp_path / "built")
    message = str(caught.value)
    assert message.startswith("source mine: ")
    assert words in message
    assert "\n" not in message
    assert not (tmp_path / "built" / "built.json").exists()


def test_another_schema_names_what_it_lacks_but_a_few_bad_rows_do_not_make_one(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"chosen": "x"}] * 99
    with pytest.raises(DataError, match=r"it lacks 'rejected' \(it has: 'chosen'\)"):
        built_of(write_rows(tmp_path / "a.jsonl", [*rows, {"chosen": "x"}, hh_row("late")]), tmp_path / "a")
    built = built_of(write_rows(tmp_path / "b.jsonl", [*rows, hh_row("p")]), tmp_path / "b")
    assert (built.tally.rows, built.tally.used_rows) == (100, 1)
    split = [{"chosen": "x"}, {"rejected": "x"}]
    with pytest.raises(DataError, match="it lacks one row that has all of its columns"):
        built_of(write_rows(tmp_path / "c.jsonl", split), tmp_path / "c")


def test_no_pair_is_no_error_yet(tmp_path: Path) -> None:
    built = built_of(write_rows(tmp_path / "a.jsonl", [hh_row("p", "a", "a")]), tmp_path / "a")
    assert pairs_of(built) == []
    assert pq.read_schema(built.pairs).equals(PAIRS)
    assert built.tally != Tally()


def test_what_other_code_built_is_built_again_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change to the reader of rows, to the rules or to the source's own file; not to another's, or to the card."""
    root = Path(build.__file__).parents[1]
    read, changed = Path.read_bytes, ""
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path == root / changed))
    hashes = {}
    names = ("", "rows/reader.py", "pairs/columns.py", "text/tools.py", "sources/common.py", "sources/shp.py",
             "sources/orca.py", "output/card.py", "output/statistics.py", "prepare.py")  # fmt: skip
    for changed in names:
        assert (root / changed).exists()
        hashes[changed] = build.code_hash(get_source("shp"))
    assert [name for name in names if hashes[name] != hashes[""]] == [
        "rows/reader.py", "pairs/columns.py", "text/tools.py", "sources/common.py", "sources/shp.py",
    ]  # fmt: skip

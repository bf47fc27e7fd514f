from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.data_prep.overlap import search as contamination
from rmeval.data_prep.overlap.contamination import find_overlap
from rmeval.data_prep.overlap.search import PairsFile, find_contamination
from rmeval.data_prep.pairs.columns import PAIRS, make_pairs
from rmeval.data_prep.sources import SOURCES
from rmeval.data_prep.sources.base import Pair
from rmeval.types import Example, Message
from tests.support.preparing import hh_row

LONG = "one two three four five six seven eight nine ten eleven twelve {}"


def example(place: int, prompt: str, subset: str = "s") -> Example:
    user, answer = Message("user", prompt), Message("assistant", f"nothing like it {place}")
    return Example(f"e{place}", place, subset, (user,), ((answer,),), ((Message("assistant", "no"),),))


BENCHMARKS = {
    "first": [example(place, f"Question {place}?", f"s{place % 2}") for place in range(6)] + [example(9, "unheard of")],
    "second": [example(n, LONG.format(end), "long") for n, end in enumerate("x4")]
    + [example(9, "Question 3!", "short")],
}


def training(folder: Path) -> list[PairsFile]:
    """Two files of fifteen rows, in row groups of two; every third row is not in the training split."""
    files = []
    for number in range(2):
        prompts = [LONG.format(place) if place % 5 == 4 else f"question {place}" for place in range(15)]
        made, _ = make_pairs([[hh_row(prompt, f"a{number}{place}")] for place, prompt in enumerate(prompts)], HH)
        pq.write_table(made.slice(0, 15).select(PAIRS.names), folder / f"{number}.parquet", row_group_size=2)
        ids = pa.array([f"{number}-{place}" if place % 3 else None for place in range(15)])
        files.append(PairsFile(folder / f"{number}.parquet", ids))
    return files


HH = SOURCES["hh-rlhf"]


def rows(files: Sequence[PairsFile]) -> list[tuple[str, Pair]]:
    """The same pairs, read row by row."""
    found = []
    for each in files:
        for name, row in zip(each.ids.to_pylist(), pq.read_table(each.file).to_pylist(), strict=True):
            chosen, rejected = (tuple(Message(**m) for m in row[side]) for side in ("chosen", "rejected"))
            if name is not None:
                found.append((name, Pair(chosen[:1], chosen[1:], rejected[1:], "")))
    return found


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("task", [1, 5, 100])
def test_it_is_find_overlap_however_it_is_dealt_out(
    workers: int, task: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contamination, "_TASK_ROWS", task)
    files = training(tmp_path)
    seen: list[tuple[int, int]] = []
    found = find_contamination(BENCHMARKS, files, workers, lambda done, total: seen.append((done, total)))
    assert found == find_overlap(BENCHMARKS, rows(files))
    assert {hit.kind for hit in found.hits} == {"exact", "ngram"}
    assert len(found.contaminated) > 4
    [both] = [each for each in found.subsets if each.subset == "long"]
    assert (both.exact, both.ngram) == (1, 1)  # The other example of it has hits of both kinds.
    assert seen[-1] == (30, 30)


def test_nothing_to_look_at(tmp_path: Path) -> None:
    assert find_contamination(BENCHMARKS, []) == find_overlap(BENCHMARKS, [])
    assert find_contamination({}, training(tmp_path)) == find_overlap({}, rows(training(tmp_path)))

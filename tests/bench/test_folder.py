"""The folder of a bench: nobody's files are lost in it, and one bench at a time writes there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rmeval.bench import storage
from rmeval.bench.plan import Sweep
from rmeval.bench.run import bench
from rmeval.bench.subjects.rows import RequestRow
from rmeval.bench_info import BenchDocument
from rmeval.errors import RunError
from tests.support.benching import Sleeper

SWEEP = Sweep("sleeper", batch_sizes=(1, 4), dtypes=("float32",), lengths=(8,), max_time=0.1)
ANOTHER = """
import os, sys
from pathlib import Path
from rmeval.bench.plan import Sweep
from rmeval.bench.run import bench
from tests.support.benching import Sleeper
stop = (lambda _, rows: os._exit(9) if len(rows) == 4 else None) if sys.argv[2:] else None
sweep = Sweep("sleeper", batch_sizes=(1, 4), dtypes=("float32",), lengths=(8,), max_time=0.1)
bench(sweep, Path(sys.argv[1]), source=Sleeper(0.001, stop), overwrite=True)
"""


def another(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Bench in a process of its own; with an argument it dies in its second cell."""
    command = [sys.executable, "-c", ANOTHER, str(folder), *arguments]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_page(document: BenchDocument, folder: Path) -> None:
    (folder / storage.PAGE).write_text(f"complete: {document['rmeval']['complete']}")


@pytest.mark.parametrize("name", storage.FILES)
@pytest.mark.parametrize("content", ["mine", json.dumps({"benchmarks": [], "machine_info": {}})])
def test_a_file_of_the_user_is_never_replaced(tmp_path: Path, name: str, content: str) -> None:
    """Whatever is in it: the second is a file of pytest-benchmark's own, as `bench.json` would be."""
    (tmp_path / name).write_text(content)
    for overwrite in (False, True):
        with pytest.raises(RunError, match=rf"{name}.* (did not write|was not written by)"):
            bench(SWEEP, tmp_path, source=Sleeper(0.001), overwrite=overwrite, page=write_page)
        assert names(tmp_path) == [name]
        assert (tmp_path / name).read_text() == content


def test_what_else_is_in_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    bench(SWEEP, tmp_path, source=Sleeper(0.001))
    assert names(tmp_path) == ["bench.csv", "bench.json", "notes.txt"]
    (tmp_path / storage.PAGE).write_text("mine")  # This bench wrote none.
    with pytest.raises(RunError, match=r"holds bench\.html, which rmeval did not write"):
        bench(SWEEP, tmp_path, source=Sleeper(0.001), overwrite=True, page=write_page)
    assert (tmp_path / storage.PAGE).read_text() == "mine"
    (tmp_path / storage.PAGE).unlink()
    bench(SWEEP, tmp_path, source=Sleeper(0.001), overwrite=True, page=write_page)
    assert (tmp_path / storage.PAGE).read_text() == "complete: True"
    assert names(tmp_path) == ["bench.csv", "bench.html", "bench.json", "notes.txt"]


def test_a_bench_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """It lists no files: all that rmeval writes are its own."""
    stop = Sleeper(0.001, lambda _, rows: KeyboardInterrupt() if len(rows) == 4 else None)
    with pytest.raises(KeyboardInterrupt):
        bench(SWEEP, tmp_path, source=stop, page=write_page)
    assert (tmp_path / storage.PAGE).read_text() == "complete: False"
    document = json.loads((tmp_path / storage.JSON).read_text())
    del document["rmeval"]["files"]
    (tmp_path / storage.JSON).write_text(json.dumps(document))
    assert bench(SWEEP, tmp_path, source=Sleeper(0.001), page=write_page)["rmeval"]["complete"]
    assert (tmp_path / storage.PAGE).read_text() == "complete: True"


def test_a_second_process_is_told_who_writes(tmp_path: Path) -> None:
    told: list[str] = []

    def ask(_: int, rows: Sequence[RequestRow]) -> None:
        if len(rows) == 4 and not told:
            told.append(another(tmp_path / "b").stderr)

    found = bench(SWEEP, tmp_path / "b", source=Sleeper(0.001, ask))
    assert f"another rmeval is writing to {tmp_path / 'b'} (process {os.getpid()} on " in told[0]
    assert storage.read(tmp_path / "b")["rmeval"]["cells"] == found["rmeval"]["cells"]
    assert names(tmp_path / "b") == ["bench.csv", "bench.json"]


def test_after_a_kill_it_goes_on_and_the_lock_is_free(tmp_path: Path) -> None:
    assert another(tmp_path / "b", "die").returncode == 9
    assert ".rmeval.lock" in names(tmp_path / "b")
    again = Sleeper(0.001)
    assert bench(SWEEP, tmp_path / "b", source=again)["rmeval"]["complete"]
    assert 1 not in again.calls  # What was finished is not measured again.
    assert names(tmp_path / "b") == ["bench.csv", "bench.json"]

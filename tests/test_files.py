from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import RunError
from rmeval.files import LOCK, OutputFolder, output_folder, replacing, replacing_all, write_own, write_text

HOLD = """
import os, sys, time
from pathlib import Path
from rmeval.files import output_folder
with output_folder(Path(sys.argv[1]), what=sys.argv[3], mark="done", overwrite=False, written=list) as folder:
    folder.claim(["half"])
    (folder.path / "half").write_text("x")
    for _ in range(int(sys.argv[2])):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        print("child", child, flush=True)
    print("held", flush=True)
    time.sleep(60)
"""


def opened(path: Path, **options: Any) -> AbstractContextManager[OutputFolder]:
    return output_folder(
        path, **{"what": "thing", "mark": "done", "overwrite": False, "written": lambda: ["old"], **options}
    )


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@contextmanager
def holder(path: Path, children: int = 0, what: str = "thing") -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Another process that holds the folder, with forked children."""
    command = [sys.executable, "-c", HOLD, str(path), str(children), what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        own: list[int] = []
        held = False
        while not held or len(own) < children:
            line = process.stdout.readline().split()
            held |= line == ["held"]
            own += [int(line[1])] if line[0] == "child" else []
        try:
            yield process, own
        finally:
            process.kill()
            for child in own:
                os.kill(child, signal.SIGKILL)


# --- files ------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file.txt"
    write_text(file, "one ü")
    assert file.read_bytes() == "one ü".encode()

    def fail() -> None:
        with replacing(file) as temporary:
            temporary.write_text("two")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert file.read_text() == "one ü"
    assert names(tmp_path) == ["new/file.txt"]
    with pytest.raises(RunError, match=r"cannot write .*file\.txt/x: File exists"):
        write_text(file / "x", "")


def test_files_that_belong_together_take_their_places_when_all_are_written(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths:
        path.write_text("old")

    def write(texts: str) -> None:
        with replacing_all(paths) as temporary:
            for path, text in zip(temporary, texts, strict=False):
                path.write_text(text)
                assert [each.read_text() for each in paths] == ["old"] * 3
            if len(texts) < len(paths):
                raise KeyError

    with pytest.raises(KeyError):
        write("12")
    assert [path.read_text() for path in paths] == ["old"] * 3
    write("123")
    assert [path.read_text() for path in paths] == ["1", "2", "3"]
    assert names(tmp_path) == ["a", "b", "c"]


# --- folders: what may be written where ---------------------------------------------------------------------------


def test_an_empty_or_absent_folder_is_taken_and_leaves_no_trace(tmp_path: Path) -> None:
    with opened(tmp_path / "a" / "b") as folder:
        assert folder.owned == set()
    assert not (tmp_path / "a" / "b").exists()
    with opened(tmp_path / "a"):
        assert names(tmp_path) == [f"a/{LOCK}"]
    assert names(tmp_path) == []
    assert (tmp_path / "a").exists()


def test_a_finished_output_is_replaced_only_when_asked(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        folder.claim(["old", "done"])
        (tmp_path / "old").touch()
        (tmp_path / "done").touch()
    assert names(tmp_path) == ["done", "old"]
    with (
        pytest.raises(RunError, match="holds a finished thing; choose another --output-dir or pass --overwrite"),
        opened(tmp_path),
    ):
        pass
    with opened(tmp_path, overwrite=True) as folder:
        assert folder.owned == {"old", "done"}
        folder.claim(["old"])


def test_a_file_that_rmeval_did_not_write_is_neither_replaced_nor_deleted(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("README.md", "sub/mine", "done"):
        (tmp_path / name).write_text("mine")
    with opened(tmp_path, overwrite=True) as folder:
        for call in (folder.check, folder.claim):
            with pytest.raises(RunError, match=r"holds README.md, which rmeval did not write and would replace"):
                call(["new", "README.md"])
        assert not folder.owned & {"new", "README.md"}
        folder.claim(["sub/ours"])
        (tmp_path / "sub" / "ours").touch()
        folder.remove(["README.md", "sub/mine", "sub/ours"])
    assert names(tmp_path) == ["README.md", "done", "sub/mine"]


def test_a_link_that_leads_nowhere_is_a_file_of_the_user_too(tmp_path: Path) -> None:
    (tmp_path / "README.md").symlink_to("elsewhere")
    with opened(tmp_path) as folder, pytest.raises(RunError, match="did not write"):
        folder.claim(["README.md"])


def test_what_is_removed_leaves_no_empty_folder(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        folder.claim(["a/b/one", "a/two"])
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "one").touch()
        folder.remove(["a/b/one", "a/two"])
    assert list(tmp_path.iterdir()) == []


def test_a_list_that_leads_out_of_the_folder_deletes_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "done").touch()
    names_of = ["../mine", str(tmp_path / "mine"), "sub/../../mine"]
    with opened(tmp_path / "out", overwrite=True, written=lambda: names_of) as folder:
        folder.remove([*names_of, "done"])
    assert names(tmp_path) == ["mine"]


def test_one_that_is_used_as_a_whole_holds_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RunError, match=r"holds other files and no thing \(notes.txt\)"), opened(tmp_path, alone=True):
        pass
    assert names(tmp_path) == ["notes.txt"]
    (tmp_path / "begun").touch()
    with opened(tmp_path, alone=True, unfinished="begun"):
        pass
    (tmp_path / "notes.txt").rename(tmp_path / ".gitattributes")
    (tmp_path / "begun").unlink()
    with opened(tmp_path, alone=True):
        pass


def test_a_file_and_what_cannot_be_written_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, message in (
        ("file", "it is a file; --output-dir takes a folder"),
        ("file/out", "Not a directory"),
        ("x" * 300, "File name too long"),
    ):
        with pytest.raises(RunError, match=f"cannot write to the output folder .*: {message}"), opened(tmp_path / path):
            pass


# --- folders: one at a time ---------------------------------------------------------------------------------------


def test_a_second_process_is_told_who_writes(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, _):
        with pytest.raises(RunError) as caught, opened(tmp_path):
            pass
        assert str(caught.value).startswith(f"another rmeval is writing to {tmp_path} (process {process.pid} on ")
        assert str(caught.value).endswith("UTC): wait for it, or stop it")
        with pytest.raises(RunError), opened(tmp_path):  # To have asked changes nothing.
            pass
        assert names(tmp_path) == [LOCK, "half"]


def test_the_lock_dies_with_its_process_though_forked_workers_outlive_it(tmp_path: Path) -> None:
    with holder(tmp_path, children=2) as (process, children):
        process.kill()
        process.wait()
        for child in children:
            os.kill(child, 0)  # Still there.
        with opened(tmp_path) as folder:
            assert folder.owned == {"half"}  # What the killed one had begun is ours to replace.
            folder.claim(["half"])


def test_a_process_keeps_itself_off_and_the_lock_stays(tmp_path: Path) -> None:
    with opened(tmp_path):
        with pytest.raises(RunError, match="this process itself"), opened(tmp_path / ".", alone=True):
            pass
        code = (
            "import sys; from pathlib import Path; from rmeval.files import output_folder\n"
            "with output_folder(Path(sys.argv[1]), what='thing', mark='done', overwrite=True, written=list): pass"
        )
        other = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
        assert f"another rmeval is writing to {tmp_path} (process {os.getpid()} on" in other.stderr
    with opened(tmp_path):
        pass


def _count(path: str, queue: Any) -> None:
    """Write a number that only one process at a time may have."""
    taken = 0
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        try:
            with opened(Path(path)):
                os.mkdir(Path(path) / "inside")  # Fails where another one is inside.
                os.rmdir(Path(path) / "inside")
                taken += 1
        except RunError:
            pass
        except OSError:
            taken = -1
            break
    queue.put(taken)


def test_only_one_of_many_is_ever_inside(tmp_path: Path) -> None:
    """The lock's file is deleted each time: a process that opened the old one has no lock."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=_count, args=(str(tmp_path), queue)) for _ in range(3)]
    for process in processes:
        process.start()
    taken = [queue.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert min(taken) > 0


def test_a_note_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    lines = [{"what": "thing", "files": ["half"]}, {"what": "other", "files": ["theirs"]}]
    (tmp_path / LOCK).write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"what": "thing", "fi')
    (tmp_path / "half").touch()
    with opened(tmp_path) as folder:
        assert folder.owned == {"half"}
        folder.claim(["more"])
        assert json.loads((tmp_path / LOCK).read_bytes().splitlines()[-1]) == {"what": "thing", "files": ["more"]}


def test_a_file_by_itself_replaces_only_its_like(tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    write_own(path, "mark one", "mark ")
    write_own(path, "mark two", "mark ")
    assert path.read_text() == "mark two"
    path.write_text("")  # Such as of mktemp.
    write_own(path, "mark three", "mark ")
    path.write_text("my notes")
    with pytest.raises(RunError, match=r"page\.txt is there and rmeval did not write it"):
        write_own(path, "mark four", "mark ")
    path.write_text("x" * 10_000 + "mark ")  # Too far down.
    with pytest.raises(RunError, match="did not write it"):
        write_own(path, "mark five", "mark ")


@pytest.mark.parametrize("name", [".", "..", "there", "there/.."])
def test_a_folder_is_no_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"cannot write .*: it is a folder"):
        write_text(Path(name), "x")
    assert names(tmp_path) == []


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(RunError, match="it is no file"):
        write_text(pipe, "x")
    assert pipe.is_fifo()

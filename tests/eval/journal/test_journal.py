from __future__ import annotations

import math
import os
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.errors import RunError
from rmeval.eval.journal import file as journal_file
from rmeval.eval.journal import key as module
from rmeval.eval.journal.journal import Journal, journal_path
from rmeval.eval.journal.key import key

PACK = 50
WRITER = """
import sys, hashlib
from pathlib import Path
from rmeval.eval.journal.journal import Journal
path, value, packs = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
with Journal.open(path) as journal:
    assert not journal.warnings, journal.warnings
    for pack in range(packs):
        keys = [hashlib.sha256(f"{pack} {place}".encode()).digest() for place in range(50)]
        journal.put(keys, [value + pack] * 50)
        print(pack, flush=True)
"""


def names(count: int, salt: str = "") -> list[bytes]:
    return [key(salt, np.array([number], np.int32), 0) for number in range(count)]


def writer(path: Path, value: float, packs: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(path), str(value), str(packs)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def pack_names(pack: int) -> list[bytes]:
    import hashlib

    return [hashlib.sha256(f"{pack} {place}".encode()).digest() for place in range(PACK)]


def bits(value: float | None) -> bytes:
    return b"" if value is None else struct.pack("<d", value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "scores.sqlite"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk cannot be mounted here (that takes root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


# --- where it is, and what a key is --------------------------------------------------------------------------------


def test_the_place_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RMEVAL_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert journal_path() == tmp_path / ".cache" / "rmeval" / "scores.sqlite"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert journal_path() == tmp_path / ".cache" / "rmeval" / "scores.sqlite"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert journal_path() == Path("/xdg/rmeval/scores.sqlite")
    monkeypatch.setenv("RMEVAL_CACHE", "~/mine.sqlite")
    assert journal_path() == tmp_path / "mine.sqlite" / "scores.sqlite"
    with Journal.open() as journal:
        assert journal.path == journal_path()
    assert stat.S_IMODE((tmp_path / "mine.sqlite").stat().st_mode) == 0o700


def test_everything_that_decides_a_score_is_in_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.array([1, 2, 3], np.int32)
    first = key("model", ids, 2)
    assert len(first) == 32
    assert first == key("model", np.array([1, 2, 3], np.int32), 2) == key("model", np.arange(7, dtype=np.int32)[1:4], 2)
    assert first == key("model", np.array([1, 0, 2, 0, 3], np.int32)[::2], 2)  # The ids count, not their memory.
    others = [
        key("model2", ids, 2),
        key("model", ids, 1),
        key("model", ids[:2], 2),
        key("model", ids[::-1], 2),
        key("model", np.array([1, 2, 4], np.int32), 2),
        key("", ids, 2),
    ]
    monkeypatch.setattr(module, "SCORING_VERSION", module.SCORING_VERSION + 1)
    others.append(key("model", ids, 2))
    assert len({first, *others}) == len(others) + 1


@given(st.text(), st.text(), st.integers(0, 300), st.integers(0, 300), st.lists(st.integers(0, 2**31 - 1), max_size=4))
def test_keys_meet_only_where_all_parts_do(left: str, right: str, one: int, two: int, ids: list[int]) -> None:
    tokens = np.array(ids, np.int32)
    assert (key(left, tokens, one) == key(right, tokens, two)) == ((left, one) == (right, two))
    assert key(left + "\0", tokens, one) != key(left, tokens, one)


# --- scores in, scores out -----------------------------------------------------------------------------------------


def test_scores_survive_closing(path: Path) -> None:
    keys = names(3)
    with Journal.open(path) as journal:
        assert journal.get(keys) == [None, None, None]
        journal.put(keys[:2], [1.5, -2.0])
        assert journal.get([keys[1], keys[2], keys[0], keys[1]]) == [-2.0, None, 1.5, -2.0]
        assert journal.persistent
    with Journal.open(path) as journal:
        assert journal.get(keys) == [1.5, -2.0, None]
        assert journal.get([]) == []
        journal.put([], [])
        assert journal.warnings == []


def test_the_first_score_of_a_key_stays(path: Path) -> None:
    keys = names(3)
    with Journal.open(path) as journal:
        journal.put(keys[:2], [1.0, 2.0])
        journal.put([keys[1], keys[2], keys[2]], [20.0, 3.0, 30.0])
        assert journal.get(keys) == [1.0, 2.0, 3.0]


def test_a_length_that_does_not_fit_writes_nothing(path: Path) -> None:
    with Journal.open(path) as journal:
        with pytest.raises(ValueError, match="zip"):
            journal.put(names(2), [1.0])
        assert journal.info().scores == 0


def test_an_interruption_in_the_middle_of_a_pack_leaves_none_of_it(path: Path) -> None:
    keys = names(3)

    class Interrupting(float):
        pass

    with Journal.open(path) as journal:
        journal._file.connection.execute(
            "CREATE TEMP TRIGGER stop BEFORE INSERT ON main.scores WHEN hex(NEW.key) = "
            f"'{keys[2].hex().upper()}' BEGIN SELECT RAISE(ABORT, 'stopped'); END"
        )
        with pytest.raises(RunError, match="stopped"):
            journal.put(keys, [1.0, 2.0, 3.0])
        assert journal.get(keys) == [None, None, None]
        journal.put(keys[:2], [1.0, 2.0])  # And goes on.
        assert journal.get(keys) == [1.0, 2.0, None]


NAN_WITH_PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_0000_1234))[0]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True), min_size=1, max_size=50))
def test_every_float_comes_back_bit_for_bit(values: list[float]) -> None:
    values += [math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 1.7976931348623157e308, NAN_WITH_PAYLOAD]
    keys = names(len(values))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.sqlite"
        with Journal.open(path) as journal:
            journal.put(keys, np.array(values).tolist())
        with Journal.open(path) as journal:
            assert [bits(value) for value in journal.get(keys)] == [bits(value) for value in values]


@pytest.mark.alone
def test_two_hundred_thousand_hits_are_fast(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count = 200_000
    keys = names(count)
    with Journal.open(path) as journal:
        start = time.perf_counter()
        journal.put(keys, np.arange(count, dtype=np.float64).tolist())
        put = time.perf_counter() - start
        order = np.random.default_rng(0).permutation(count).tolist()
        start = time.perf_counter()
        found = journal.get([keys[place] for place in order])
        get = time.perf_counter() - start
        assert found == order
        size = journal.info().bytes
    start = time.perf_counter()
    with Journal.open(path):
        opened = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n{count:,} scores: put {put:.2f} s, get {get:.2f} s, open {opened:.2f} s, {size / 1e6:.1f} MB")
    assert get < 10  # 1 s on an idle core; the machines of CI are slow and shared.
    assert put < 30


# --- kills and company ---------------------------------------------------------------------------------------------


def test_a_kill_at_any_moment_leaves_whole_packs(path: Path) -> None:
    moments = np.random.default_rng(3).uniform(0, 0.03, 20)
    reached = 0
    for moment in moments:
        child = writer(path, 0.5, 1_000_000)
        assert child.stdout is not None
        seen = [int(child.stdout.readline())]  # It has begun.
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
        seen += [int(line) for line in child.stdout.read().splitlines() if line]
        child.communicate()
        assert child.returncode == -signal.SIGKILL
        with Journal.open(path) as journal:
            assert journal.warnings == []
            reached = max(reached, seen[-1])
            for pack in range(reached + 2):
                found = journal.get(pack_names(pack))
                assert found in ([0.5 + pack] * PACK, [None] * PACK)
                assert found[0] is not None or pack > reached  # What was reported as kept is there.
            assert journal.info().scores % PACK == 0
    assert [file.name for file in path.parent.iterdir()] == ["scores.sqlite"]


def test_two_processes_write_at_once(path: Path) -> None:
    children = [writer(path, value, 40) for value in (0.25, 0.75)]
    for child in children:
        _, errors = child.communicate(timeout=120)
        assert (child.returncode, errors) == (0, "")
    with Journal.open(path) as journal:
        assert journal.warnings == []
        assert journal.info().scores == 40 * PACK
        for pack in range(40):
            assert journal.get(pack_names(pack)) in ([0.25 + pack] * PACK, [0.75 + pack] * PACK)


def test_processes_that_meet_a_damaged_journal_set_it_aside_once(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"nonsense" * 1000)
    script = WRITER.replace("assert not journal.warnings", "assert True")
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(path), "0.5", "5"], stdout=subprocess.DEVNULL)
        for _ in range(4)
    ]
    assert [child.wait(timeout=120) for child in children] == [0] * 4
    with Journal.open(path) as journal:
        assert journal.info().scores == 5 * PACK
        assert len(journal.info().set_aside) == 1


def test_a_held_journal_is_said_in_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_file, "_BUSY_SECONDS", 0.1)
    with Journal.open(path) as holder, Journal.open(path) as journal:
        holder._file.connection.execute("BEGIN IMMEDIATE")
        assert journal.get(names(1)) == [None]  # Reading waits for nobody.
        with pytest.raises(RunError, match="another process has held the journal"):
            journal.put(names(1), [1.0])
        holder._file.connection.execute("ROLLBACK")
        journal.put(names(1), [1.0])


# --- damage --------------------------------------------------------------------------------------------------------


def filled(path: Path, count: int = 500) -> dict[bytes, float]:
    kept = {name: float(number) for number, name in enumerate(names(count))}
    with Journal.open(path) as journal:
        journal.put(list(kept), list(kept.values()))
    return kept


def set_aside(journal: Journal) -> bytes:
    """Return what is in the one file that was set aside, after checks of the new journal."""
    assert journal.persistent
    (warning,) = journal.warnings
    (file,) = journal.info().set_aside
    assert str(journal.path) in warning
    assert file.name in warning
    assert "\n" not in warning
    key_ = names(1, "after")
    journal.put(key_, [7.0])
    assert journal.get(key_) == [7.0]
    return file.read_bytes()


@pytest.mark.parametrize("keep", [1, 50, 100, 4096, 10_000, -4096])
def test_a_truncated_file_is_set_aside(path: Path, keep: int) -> None:
    kept = filled(path)
    short = path.read_bytes()[:keep]
    path.write_bytes(short)
    with Journal.open(path) as journal:
        assert set_aside(journal) == short
        assert journal.get(list(kept)) == [None] * len(kept)
    with Journal.open(path) as journal:
        assert journal.warnings == []


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=1, max_size=9000))
def test_random_bytes_are_set_aside(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.sqlite"
        path.write_bytes(content)
        with Journal.open(path) as journal:
            assert set_aside(journal) == content


OURS = f"PRAGMA application_id = {journal_file._APPLICATION}"


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (["CREATE TABLE recipes (name TEXT)", "INSERT INTO recipes VALUES ('bread')"], "not a journal"),
        (["CREATE TABLE scores (key BLOB, value BLOB)"], "not a journal"),
        (["PRAGMA application_id = 77"], "not a journal"),
        ([OURS], "version 0"),
        ([OURS, "PRAGMA user_version = 2"], "version 2"),
        ([OURS, "PRAGMA user_version = 1"], "no such table"),
    ],
)
def test_a_foreign_database_is_set_aside_untouched(path: Path, statements: list[str], reason: str) -> None:
    path.parent.mkdir()
    foreign = sqlite3.connect(path)
    for statement in statements:
        foreign.execute(statement)
    foreign.commit()
    foreign.close()
    content = path.read_bytes()
    with Journal.open(path) as journal:
        assert reason in journal.warnings[0]
        found = set_aside(journal)
    assert found == content or reason == "no such table"  # That one is ours by its header.


@pytest.mark.parametrize("place", [18, 19])
def test_a_file_that_sqlite_would_only_read_is_set_aside(path: Path, place: int) -> None:
    """Bytes 18 and 19 say which version of the file format may write it and read it; there are 1 and 2."""
    filled(path)
    content = bytearray(path.read_bytes())
    content[place] = 3
    path.write_bytes(content)
    with Journal.open(path) as journal:
        assert journal.persistent
        assert set_aside(journal) == content


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_never_changes_a_score(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.sqlite"
        kept = filled(path, 300)
        if data.draw(st.booleans()):  # Leave a log behind, as a kill does.
            with Journal.open(path) as journal:
                kept |= dict.fromkeys(names(100, "log"), 0.25)
                journal.put(names(100, "log"), [0.25] * 100)
                left = {file: file.read_bytes() for file in Path(folder).iterdir() if file.suffix != ".sqlite-shm"}
            for file, content in left.items():
                file.write_bytes(content)
        for file in sorted(Path(folder).iterdir()):
            broken = bytearray(file.read_bytes())
            place = st.one_of(st.integers(0, 150), st.integers(0, len(broken) - 1))
            for _ in range(data.draw(st.integers(0, 4))):
                broken[data.draw(place)] = data.draw(st.integers(0, 255))
            file.write_bytes(broken[: data.draw(st.one_of(st.just(len(broken)), st.integers(0, len(broken))))])
        with Journal.open(path) as journal:
            for name, value in zip(kept, journal.get(list(kept)), strict=True):
                assert value in (None, kept[name])
            extra = names(50, "more")
            journal.put(extra, [0.5] * 50)
            assert journal.get(extra) == [0.5] * 50
            assert journal.persistent


def test_damage_that_cannot_be_told_in_text_is_damage(path: Path) -> None:
    """A byte that is no UTF-8 in the name of a table: SQLite says the name in its error, and Python cannot read it."""
    filled(path)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"answersanswers")] = 0x80
    path.write_bytes(raw)
    with Journal.open(path) as journal:
        assert journal.persistent
        assert "was set aside as" in journal.warnings[0]
        journal.put(names(2), [0.5] * 2)
        assert journal.get(names(2)) == [0.5] * 2


@pytest.mark.parametrize("checked", [0, 1 << 30])
def test_a_changed_value_is_noticed(path: Path, checked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_file, "_CHECKED_BYTES", checked)
    kept = filled(path)
    raw = sqlite3.connect(path)
    raw.execute("UPDATE scores SET value = ? WHERE key = ?", (struct.pack("<d", 9.0) + b"\0\0\0\0", names(3)[2]))
    raw.commit()
    raw.close()
    with Journal.open(path) as journal:
        assert journal.get(names(2)) == [0.0, 1.0]
        assert journal.get(list(kept)) == [None] * len(kept)
        assert "checksum" in journal.warnings[0]
        set_aside(journal)


@pytest.mark.parametrize("action", ["get", "put", "fingerprint"])
def test_damage_that_shows_later_is_set_aside(path: Path, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_file, "_CHECKED_BYTES", 0)  # As for a file too large to be checked whole.
    kept = filled(path)
    file = path.parent / "weights"
    file.write_bytes(b"1")
    os.utime(file, (1e9, 1e9))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    monkeypatch.setattr(journal_file, "_FIRST", ())  # Nor may a glance at the first row find it.
    with Journal.open(path) as journal:
        assert journal.warnings == []
        monkeypatch.undo()
        if action == "get":
            assert journal.get(list(kept)) == [None] * len(kept)
        elif action == "put":
            journal.put(list(kept), list(kept.values()))
            assert journal.get(list(kept)) == list(kept.values())
        else:
            assert journal.fingerprint([file], lambda: "digest") == "digest"
            assert journal.fingerprint([file], lambda: "other") == "digest"
        set_aside(journal)


def test_a_file_that_another_process_replaced_is_not_set_aside_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path)
    with Journal.open(path) as first:
        path.rename(path.with_name("scores.sqlite.damaged-before"))
        with Journal.open(path) as second:
            second.put(names(1, "second"), [2.0])
            first._file.connection.close()
            first._file.connection = first._file._connect("damage")
            assert first.warnings == []
            assert first.get(names(1, "second")) == [2.0]


# --- disks that take no more ---------------------------------------------------------------------------------------


def fill(journal: Journal) -> int:
    """Put packs of 500 until one does not fit; return how many did."""
    for pack in range(1000):
        try:
            journal.put(names(500, str(pack)), [float(pack)] * 500)
        except RunError:
            return pack
    raise AssertionError("the disk does not fill")


def test_a_full_disk_is_one_line_and_the_journal_still_opens(small_disk: Path) -> None:
    path = small_disk / "scores.sqlite"
    with Journal.open(path) as journal:
        packs = fill(journal)
        with pytest.raises(RunError) as caught:
            journal.put(names(500, str(packs)), [float(packs)] * 500)
        assert "the disk is full" in str(caught.value)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert journal.get(names(500, str(packs))) == [None] * 500
        assert journal.get(names(500, str(packs - 1))) == [packs - 1.0] * 500
    for _ in range(2):
        with Journal.open(path) as journal:  # Still full.
            assert journal.warnings == []
            assert packs > 2
            for pack in range(packs):
                assert journal.get(names(500, str(pack))) == [float(pack)] * 500
            assert journal.get(names(500, str(packs))) == [None] * 500
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    with Journal.open(path) as journal:  # Space was freed: the same command goes on.
        journal.put(names(500, str(packs)), [float(packs)] * 500)
        assert journal.info().scores == 500 * (packs + 1)


def test_a_kill_on_a_full_disk_loses_nothing(small_disk: Path) -> None:
    path = small_disk / "scores.sqlite"
    child = writer(path, 0.5, 1_000_000)
    out, errors = child.communicate(timeout=60)
    assert "the disk is full" in errors.splitlines()[-1]
    with Journal.open(path) as journal:
        assert journal.warnings == []
        for pack in map(int, out.split()):
            assert journal.get(pack_names(pack)) == [0.5 + pack] * PACK


def test_a_file_that_may_not_grow_is_a_full_disk(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.put(names(5), [1.0] * 5)
        journal._file.connection.execute("PRAGMA max_page_count = 6")
        with pytest.raises(RunError, match=r"the disk is full; the scores so far are kept in .*; free space and run"):
            journal.put(names(1000, "many"), [1.0] * 1000)
        assert journal.get(names(5)) == [1.0] * 5
        assert journal.get(names(1000, "many")) == [None] * 1000


def test_a_place_that_became_read_only(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.put(names(1), [1.0])
        journal._file.connection.execute("PRAGMA query_only = ON")
        with pytest.raises(RunError, match="readonly"):
            journal.put(names(2), [1.0, 2.0])
        assert journal.get(names(2)) == [1.0, None]


def test_a_read_only_disk_keeps_scores_in_memory(small_disk: Path) -> None:
    path = small_disk / "scores.sqlite"
    filled(path, 5)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with Journal.open(path) as journal:
        check_in_memory(journal)
    with Journal.open(small_disk / "deeper" / "scores.sqlite") as journal:
        check_in_memory(journal)


def test_a_place_that_cannot_be_keeps_scores_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path / "file"))
    with Journal.open() as journal:
        check_in_memory(journal)
        assert journal.path == tmp_path / "file" / "scores.sqlite"
    (tmp_path / "folder" / "scores.sqlite").mkdir(parents=True)
    with Journal.open(tmp_path / "folder" / "scores.sqlite") as journal:
        check_in_memory(journal)
    with Journal.open(Path("~nobody-of-this-name") / "scores.sqlite") as journal:
        check_in_memory(journal)


def check_in_memory(journal: Journal) -> None:
    assert not journal.persistent
    assert len(journal.warnings) == 1
    assert "no scores will be kept for later runs" in journal.warnings[0]
    journal.put(names(2), [1.0, math.inf])
    assert journal.get(names(3)) == [1.0, math.inf, None]
    assert journal.info().scores == 2
    assert journal.info().bytes == 0
    journal.clear()
    assert journal.get(names(1)) == [None]


# --- fingerprints, info, clear -------------------------------------------------------------------------------------


class Digest:
    """Counts how often it is computed."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        return f"digest {self.calls}"


def settled(file: Path, content: bytes, seconds: float = 1e9) -> Path:
    file.write_bytes(content)
    os.utime(file, (seconds, seconds))
    return file


def test_a_fingerprint_is_remembered_until_a_file_changes(path: Path, tmp_path: Path) -> None:
    one, two = settled(tmp_path / "one", b"1"), settled(tmp_path / "two", b"22")
    digest = Digest()
    with Journal.open(path) as journal:
        assert journal.fingerprint([one, two], digest) == "digest 1"
        assert journal.fingerprint([two, one], digest) == "digest 1"
    with Journal.open(path) as journal:
        assert journal.fingerprint([tmp_path / "." / "one", two], digest) == "digest 1"
        link = tmp_path / "link"
        link.symlink_to(one)
        assert journal.fingerprint([link, two], digest) == "digest 1"
        assert digest.calls == 1
        assert journal.fingerprint([one], digest) == "digest 2"  # Another set.
        settled(two, b"333")
        assert journal.fingerprint([one, two], digest) == "digest 3"  # Another size.
        settled(two, b"444", 1e9 + 1)
        assert journal.fingerprint([one, two], digest) == "digest 4"  # Another time.
        os.utime(two, ns=(10**18, 10**18 + 10**9 + 1))
        assert journal.fingerprint([one, two], digest) == "digest 5"  # By a nanosecond.
        time.sleep(0.02)
        settled(two, b"555", (10**18 + 10**9 + 1) / 1e9)
        os.utime(two, ns=(10**18, 10**18 + 10**9 + 1))
        assert journal.fingerprint([one, two], digest) == "digest 6"  # With its old time put back.
        assert journal.fingerprint([one, two], digest) == "digest 6"


def test_young_changing_and_missing_files_are_not_remembered(path: Path, tmp_path: Path) -> None:
    digest = Digest()
    file = tmp_path / "file"
    with Journal.open(path) as journal:
        for seconds in (time.time() - 0.5, time.time(), time.time() + 3600):
            settled(file, b"1", seconds)
            before = digest.calls
            journal.fingerprint([file], digest)
            journal.fingerprint([file], digest)
            assert digest.calls == before + 2
        settled(file, b"1")

        def changing() -> str:
            settled(file, b"12", 1e9 + digest.calls)
            return digest()

        before = digest.calls
        journal.fingerprint([file], changing)
        assert journal.fingerprint([file], digest) == f"digest {before + 2}"
        for missing in ([tmp_path / "none"], []):
            before = digest.calls
            journal.fingerprint(missing, digest)
            journal.fingerprint(missing, digest)
            assert digest.calls == before + 2


def test_what_compute_raises_passes(path: Path, tmp_path: Path) -> None:
    file = settled(tmp_path / "file", b"1")

    def fail() -> str:
        raise OSError("unreadable")

    with Journal.open(path) as journal:
        with pytest.raises(OSError, match="unreadable"):
            journal.fingerprint([file], fail)
        assert journal.fingerprint([file], Digest()) == "digest 1"


def test_clear_empties_it_and_gives_the_space_back(path: Path, tmp_path: Path) -> None:
    file = settled(tmp_path / "file", b"1")
    filled(path, 20_000)
    with Journal.open(path) as journal:
        journal.fingerprint([file], lambda: "old")
        before = journal.info()
        assert (before.path, before.scores, before.set_aside) == (path, 20_000, ())
        assert before.bytes > 1_000_000
        journal.clear()
        after = journal.info()
        assert after.scores == 0
        assert after.bytes < 100_000
        assert journal.fingerprint([file], lambda: "new") == "new"
        journal.put(names(1), [1.0])
    assert path.stat().st_size < 50_000
    with Journal.open(path) as journal:
        assert journal.warnings == []
        assert journal.get(names(2)) == [1.0, None]


def test_clearing_beside_a_process_that_uses_it(path: Path) -> None:
    kept = filled(path)
    with Journal.open(path) as other, Journal.open(path) as journal:
        assert other.get(list(kept)) == list(kept.values())
        journal.clear()
        assert other.get(list(kept)) == [None] * len(kept)
        other.put(names(1), [3.0])
        assert journal.get(names(1)) == [3.0]

"""``benchmarks/device.py`` in small: every row of the large form has a value or a reason; what breaks, breaks alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from benchmarks.device_parts import correct, fast, lengths, scoring, sweep, train, two
from benchmarks.device_parts.report import OutOfTimeError, Part, Report, Row, table
from tests.conftest import REPOSITORY
from tests.support.models.tiny import save_tiny_model

ABSENT = ("datasets", "pydantic", "pydantic_core", "trl", "rmeval")
"""What the machine that this is made for does not have."""
EMPTY_ON_A_CPU = {
    "fast": {"peak memory on the device", "compiling a kernel"},
    "train": {
        "LoRA of 7b, plain loop: peak memory on the device",
        "all weights of 1b, plain loop: peak memory on the device",
        "rmeval train of a tiny model: loss, last step / first",
    },
}


def device(folder: Path, *arguments: str, path: str = "") -> tuple[int, dict[str, Any], str]:
    """Run the script; return its status, its JSON and what it printed."""
    output = folder / "device.json"
    command = [sys.executable, *(["-S"] if path else []), "-m", "benchmarks.device", "--output", str(output)]
    places = os.pathsep.join([*([path] if path else []), str(REPOSITORY / "src"), str(REPOSITORY)])
    surroundings = {**os.environ, "PYTHONPATH": places, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*command, *arguments], check=False, capture_output=True, text=True, env=surroundings, cwd=folder
    )
    assert output.exists(), done.stderr
    return done.returncode, json.loads(output.read_text()), done.stdout + done.stderr


def without(folder: Path) -> str:
    """Link all that is installed here, but for what is absent there."""
    for site in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(site).iterdir():
            name = entry.name.partition("-")[0].partition(".")[0]
            if name not in ABSENT and entry.suffix != ".pth" and not (folder / entry.name).exists():
                (folder / entry.name).symlink_to(entry)
    return str(folder)


def test_the_small_form_fills_every_row_without_the_packages_that_are_missing_there(tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    code, found, printed = device(tmp_path, "--small", "--minutes", "30", path=without(links))
    assert code == 0, printed
    assert found["complete"]
    for name, module in {"correct": correct, "fast": fast, "bench": sweep, "train": train, "two": two}.items():
        part = found["parts"][name]
        assert part["status"] == "done", part
        assert [row["name"] for row in part["rows"]] == [row.name for row in module.ROWS]
        empty = {row["name"] for row in part["rows"] if row["value"] is None}
        assert empty == EMPTY_ON_A_CPU.get(name, set()), part
        assert all(row["reason"] for row in part["rows"] if row["value"] is None)
    by_name = {row["name"]: row for part in found["parts"].values() for row in part["rows"]}
    reason = by_name["rmeval train of a tiny model: loss, last step / first"]["reason"]
    assert reason == "not run: it needs datasets, pydantic, trl"
    llama = by_name["llama, float32: furthest from its own forward"]
    assert set(llama["detail"]) == {"loop", "flex", "flex compiled", "plain"}
    assert None not in llama["detail"].values()
    assert by_name["kernels compiled"]["value"] is not None
    assert by_name["engine / pipeline"]["holds"] is None  # Tiny shapes prove nothing.
    assert "engine / pipeline" in printed


def test_a_part_that_fails_leaves_its_traceback_and_the_rest_goes_on(tmp_path: Path) -> None:
    damaged = tmp_path / "lengths.json"
    damaged.write_text('{"pairs": [[5, 5, 9]]}')
    code, found, printed = device(tmp_path, "--small", "--only", "fast,bench", "--apart", "--lengths", str(damaged))
    assert code == 1
    fast_part, bench_part = found["parts"]["fast"], found["parts"]["bench"]
    assert fast_part["status"] == "failed"
    assert fast_part["traceback"].startswith("Traceback")
    assert "shares more tokens than it has" in fast_part["traceback"]
    assert fast_part["rows"][0]["value"] > 0  # What was measured before is kept.
    assert "the part failed" in fast_part["rows"][-1]["reason"]
    assert bench_part["status"] == "done"
    assert found["parts"]["two"]["status"] == "skipped"
    assert "not asked for" in found["parts"]["two"]["rows"][0]["reason"]
    assert "shares more tokens" in printed


def test_it_says_what_it_cannot_do_here(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.device", "--output", str(tmp_path / "device.json")]
    surroundings = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY}"}
    for arguments, message in ((["--device", "cpu"], "add --small"), (["--small", "--only", "fats"], "no part is")):
        done = subprocess.run([*command, *arguments], check=False, capture_output=True, text=True, env=surroundings)
        assert done.returncode == 2
        assert message in done.stderr
        assert not (tmp_path / "device.json").exists()


# --- its pieces -------------------------------------------------------------------------------------------------


def part(tmp_path: Path, *rows: Row, small: bool = False, seconds: float = 60) -> Part:
    blank = {"status": "running", "reason": None, "seconds": 0.0, "traceback": None}
    document = {"small": small, "environment": {"gpu": "a card", "torch": "2", "transformers": "5"}}
    report = Report(
        tmp_path / "device.json", {**document, "parts": {"one": {**blank, "rows": [row.blank() for row in rows]}}}
    )
    return Part(report, "one", small=small, device="cpu", seconds=seconds, lengths=lengths.SHIPPED)


def test_rows_are_judged_by_what_they_must_reach(tmp_path: Path) -> None:
    rows = [Row("high", must=3.0), Row("low", must=0.5, less=True), Row("fast", must=9.0, speed=True), Row("told")]
    made = part(tmp_path, *rows)
    for name, value in (("high", 3.0), ("low", 0.6), ("fast", 1.0), ("told", 7.0)):
        made.put(name, value)
    written = json.loads((tmp_path / "device.json").read_text())["parts"]["one"]["rows"]
    assert [row["holds"] for row in written] == [True, False, False, None]
    assert made.report.failed
    small = part(tmp_path, *rows, small=True)
    small.put("fast", 1.0)
    assert not small.report.failed
    small.put("high", float("nan"))
    assert small.report.part("one")["rows"][0] | {"detail": {}} == {
        **Row("high", must=3.0).blank(),
        "reason": "it is nan",
        "holds": False,
    }
    assert small.report.failed


def test_a_part_stops_where_its_time_is_up(tmp_path: Path) -> None:
    made = part(tmp_path, Row("first"), Row("second"), seconds=5)
    made.need(1)
    with pytest.raises(OutOfTimeError, match="5 s of the part's minutes are left"):
        made.need(100)
    made.put("first", 1.0)
    made.report.end("one", "cut", reason="out of time")
    assert [row["reason"] for row in made.report.part("one")["rows"]] == [None, "out of time"]
    assert not made.report.failed
    console = Console(width=120, record=True, file=(tmp_path / "printed").open("w"))
    table(made.report.document, console)
    assert "out of time" in console.export_text()


def test_a_piece_that_breaks_leaves_the_other_pieces(tmp_path: Path) -> None:
    made = part(tmp_path, Row("first"), Row("second"))
    assert made.attempt(int, "no number") is None
    assert made.attempt(int, "7") == 7
    made.put("second", 2.0)
    made.report.end("one", "failed", reason="1 of its pieces failed")
    written = json.loads((tmp_path / "device.json").read_text())["parts"]["one"]
    assert "ValueError: invalid literal" in written["traceback"]
    assert [(row["value"], row["reason"]) for row in written["rows"]] == [(None, "1 of its pieces failed"), (2.0, None)]
    with pytest.raises(OutOfTimeError):
        made.attempt(made.need, 1000)


def test_lengths_are_those_of_the_pairs(tmp_path: Path) -> None:
    """The tokens of the tiny tokenizer are bytes, but for the marks of its template."""
    rows = tmp_path / "rows.jsonl"
    pairs = [("why", "because", "be"), ("a", "same", "same"), ("long" * 9, "x", "yy")]
    rows.write_text(
        "".join(
            json.dumps({"prompt": ask, "chosen": one, "rejected": other, "subset": "all"}) + "\n"
            for ask, one, other in pairs
        )
    )
    found = lengths.measure(str(rows), str(save_tiny_model(tmp_path / "model")), None)
    # <|im_start|> and <|im_end|> are one token each: "user\n" and "\n" make 8, "assistant\n" and "\n" 13.
    outside = (1 + 5 + 1 + 1) + (1 + 10 + 1 + 1)
    expected = [[outside + len(ask) + len(each) for each in (one, other)] for ask, one, other in pairs]
    assert found[:, :2].tolist() == expected
    # What stands before an answer, and of the answers what is alike.
    before = [outside - 2 + len(ask) for ask, _, _ in pairs]
    assert found[:, 2].tolist() == [before[0] + 2, expected[1][0], before[2]]
    file = tmp_path / "lengths.json"
    file.write_text(json.dumps({"pairs": found.tolist()}))
    assert lengths.read(file, 5).tolist() == found[[0, 0, 1, 1, 2]].tolist()


def test_drawn_pairs_have_these_lengths_and_share_no_more(tmp_path: Path) -> None:
    rows = lengths.read(lengths.SHIPPED, 200)
    drawn = [each.ids for each in lengths.draw(rows, vocabulary=20, longest=10_000)]
    for place, (chosen, rejected, shared) in enumerate(rows.tolist()):
        one, other = drawn[2 * place : 2 * place + 2]
        assert (len(one), len(other)) == (chosen, rejected)
        assert (one[:shared] == other[:shared]).all()
        assert shared in (chosen, rejected) or one[shared] != other[shared]
        assert min(one.min(), other.min()) >= 3
        assert max(one.max(), other.max()) < 20
    assert max(len(each.ids) for each in lengths.draw(rows, vocabulary=20, longest=30)) == 30


@pytest.mark.parametrize("pairs", ["[]", "[[1, 2]]", "[[5, 5, 6]]", "[[0, 1, 0]]"])
def test_a_file_that_has_no_lengths_is_refused(pairs: str, tmp_path: Path) -> None:
    file = tmp_path / "lengths.json"
    file.write_text(f'{{"pairs": {pairs}}}')
    with pytest.raises(ValueError, match=r"lengths\.json has"):
        lengths.read(file, 4)


def test_decisions_that_moved_by_hand() -> None:
    exact = np.array([1.0, 0.0, 0.0, 1.0, 0.5, 0.5 + 1e-7, 2.0, 3.0])
    assert scoring.decided(exact) == [True, False, False, False]
    assert scoring.moved(np.array([1.0, 2.0, 0.0, 1.0, 1.0, 0.5, 4.0, 3.0]), exact) == 2  # Not the third: it is close.

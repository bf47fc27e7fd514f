"""What is printed, where stdout is full, closed, no UTF-8, or read by nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MINI = "mini --model baseline:longest --limit 3 --output-dir run"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("PYTHONUTF8", "PYTHONIOENCODING", "LANG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["bash", "-c", line.replace("rmeval", f"{sys.executable} -m rmeval")],
        env={**os.environ, **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done


def test_a_reader_that_goes_away_takes_no_file_away_and_is_no_regression(here: Path) -> None:
    """Exit code 1 is the gate's no; a CI with ``pipefail`` must not read it off ``| head -1``."""
    done = shell(f"rmeval {MINI} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("141\n", "")
    assert {path.name for path in (here / "run").iterdir()} > {"run.json", "report.html"}
    done = shell("set -o pipefail; rmeval list findings | head -1; echo $?")
    first, code = done.stdout.splitlines()
    assert first.startswith("identical-completions")
    assert code in ("0", "141")  # Whether the rest was taken before head went away.


def test_a_full_disk_behind_stdout_is_one_line(here: Path) -> None:
    for command in ("list suites", "--help", "--version", f"{MINI} --json"):
        done = shell(f"rmeval {command} > /dev/full")
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1] == "rmeval: error: cannot write what is printed: No space left on device"
    assert (here / "run" / "report.html").exists()


def test_streams_that_are_closed(here: Path) -> None:
    assert shell("rmeval list suites >&-").returncode == 0
    assert shell(f"rmeval {MINI} >&- 2>&- <&-").returncode == 0
    assert (here / "run" / "report.html").exists()
    done = shell("rmeval score --model baseline:longest --dataset - --output - <&-")
    assert (done.returncode, done.stderr) == (2, "rmeval: error: --dataset - reads stdin, which is closed\n")
    assert shell("rmeval cache clear <&-").returncode == 2


def test_a_locale_that_is_not_utf8(here: Path) -> None:
    rows = [{"prompt": f"é{i}", "chosen": "aa", "rejected": "b", "subset": "größe"} for i in range(5)]
    (here / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run = "rmeval pairs --model baseline:longest --dataset rows.jsonl --output-dir run"
    done = shell(run, **ASCII)
    assert done.returncode == 0, done.stderr
    assert "größe" in done.stdout
    assert "–" in done.stdout  # Of an interval.
    done = shell(f"{run} --overwrite --json", **ASCII)
    assert list(json.loads(done.stdout)["subsets"]) == ["größe"]
    assert shell("rmeval check --baseline run --candidate run", **ASCII).returncode == 0


def test_a_terminal_that_knows_less_is_given_a_question_mark(here: Path) -> None:
    done = shell('script --quiet --return --command "rmeval train --explain seed" /dev/null', **ASCII)
    assert done.returncode == 0
    assert "whole number ? 0, < 2^32" in done.stdout


def test_a_blank_value_is_an_empty_one(here: Path) -> None:
    for command in ('report " "', 'mini --model baseline:longest --output-dir " "', "report x --output='\t'"):
        done = shell(f"rmeval {command}")
        assert done.returncode == 2
        assert "is empty: is a variable not set?" in done.stderr
    assert list(here.iterdir()) == []


def test_a_name_from_data_steers_no_terminal(here: Path) -> None:
    """Escape sequences and bells in a message, which a terminal would obey."""
    row = {"prompt": "p", "chosen": "aa", "rejected": "b", "subset": "a\x1b[31mred\x07"}
    (here / "rows.jsonl").write_text(json.dumps(row))
    for command in ("pairs --model baseline:longest --dataset rows.jsonl --subset zz", "report $'x\\x1b[2J'"):
        done = shell(f"rmeval {command}")
        assert done.returncode == 2
        assert "\N{REPLACEMENT CHARACTER}[" in done.stderr
        assert not {"\x1b", "\x07"} & set(done.stderr)

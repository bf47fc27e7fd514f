"""``rmeval leaderboard`` as it is typed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rmeval.cli import main
from tests.support.comparing import write_rows
from tests.support.ranking import decisions, whole_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    data = write_rows(folder / "rows.jsonl", ["a", "b"] * 50)
    for seed, name in enumerate(("strong [bold]", "weak")):
        whole_run(folder / f"run-{seed}", data, decisions(0.95 - 0.3 * seed, 100, seed), name)
    (folder / "stopped").mkdir()
    return folder


def typed(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["leaderboard", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_tables_and_where_they_are(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(str(runs), "--output-dir", str(tmp_path / "site")) == 0
    found = capsys.readouterr()
    lines = [" ".join(line.split()) for line in found.out.splitlines()]
    assert lines[0] == "Preference pairs"
    assert lines[1] == "rank group model overall 95% interval origin"
    assert lines[2].startswith("1 A strong [bold] ")
    assert lines[3].startswith("2 B weak ")
    assert re.fullmatch(r"random \d+\.\d – reference line", lines[6])
    assert any(line.startswith("not ranked: stopped: no finished run") for line in lines)
    assert lines[-1].endswith("site/index.html")
    assert (tmp_path / "site" / "index.html").exists()


def test_json(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(str(runs), "--output-dir", str(tmp_path / "site"), "--json") == 0
    out = capsys.readouterr().out
    assert json.loads(out)["tables"][0]["rows"][0]["rank"] == [1, 1]
    assert out == (tmp_path / "site" / "leaderboard.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing option '--output-dir'"),
        (["--output-dir", "site"], "nothing to show"),
        (["none", "--output-dir", "site"], "no run in none"),
        (["--import", "none.csv", "--output-dir", "site"], "cannot import none.csv"),
        (["{runs}", "--weights", "2024", "--output-dir", "site"], "no suite has weights '2024'"),
        (["{runs}", "--output-dir", "{runs}/rows.jsonl"], "it is a file; --output-dir takes a folder"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    said: str,
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed(*(each.replace("{runs}", str(runs)) for each in arguments)) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert said in found.err
    assert found.err.count("\n") == 1
    assert not (tmp_path / "site").exists()


def test_a_second_time(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(runs), "--output-dir", str(tmp_path / "site")]
    assert [typed(*arguments), typed(*arguments), typed(*arguments, "--overwrite")] == [0, 2, 0]
    assert "--overwrite" in capsys.readouterr().err


def test_it_loads_no_torch(runs: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "rmeval", "leaderboard", str(runs), "--output-dir", "site"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "numpy" in loaded
    assert not loaded & {"torch", "transformers", "datasets", "matplotlib"}

"""``rmeval rewardbench`` and its like, from the command line to what is printed and what is on disk."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rmeval import load_run
from rmeval.cli import _run
from rmeval.eval.suites import SUITES
from tests.support.models.tiny import save_tiny_model

MINI = list(SUITES["mini"].expected)
SUMMARY = {"suite", "model", "partial", "overall", "sections", "subsets", "warnings"}


def environment(**changes: str) -> dict[str, str]:
    """The environment without what steers a terminal."""
    steering = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"}
    return {name: value for name, value in os.environ.items() if name not in steering} | changes


def rmeval(*arguments: str | Path, cwd: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the real command."""
    return subprocess.run(
        [sys.executable, "-m", "rmeval", *map(str, arguments)],
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_json_is_all_there_is_on_stdout(tmp_path: Path) -> None:
    done = rmeval("rewardbench", "--model", "baseline:longest", "--dataset", "mini", "--json", cwd=tmp_path)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert set(found) >= SUMMARY
    assert (found["suite"], found["model"], found["partial"], found["warnings"]) == (
        "mini",
        "baseline:longest",
        False,
        [],
    )
    assert set(found["overall"]) == {"accuracy", "low", "high"}
    assert list(found["subsets"]) == MINI
    for item in found["subsets"].values():
        assert set(item) == {
            "n", "accuracy", "low", "high", "ties", "partial", "invalid", "unparsed", "truncated", "reference_lines",
        }  # fmt: skip
        assert item["n"] == 32
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("mini-baseline-longest-")  # What it is of, whichever command scored it.
    assert done.stderr == f"run written to runs/{folder.name}\n"
    run = load_run(folder)
    assert run.info.command[:2] == ("rmeval", "rewardbench")
    assert run.info.results.overall is not None
    assert run.info.results.overall.accuracy == found["overall"]["accuracy"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The table of a partial run, through a pipe."""
    folder = tmp_path_factory.mktemp("table")
    rows = [
        {"prompt": f"{name} {i}", "chosen": "yes", "rejected": "no", "subset": name}
        for name in SUITES["rewardbench"].expected
        for i in range(2)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rmeval("rewardbench", "--model", "baseline:longest", "--dataset", "rows.jsonl", cwd=folder)


def test_the_table_names_every_subset(table: subprocess.CompletedProcess[str]) -> None:
    assert table.returncode == 0
    assert set(SUITES["rewardbench"].expected) <= set(table.stdout.split())


def test_the_table_cuts_no_number_short(table: subprocess.CompletedProcess[str]) -> None:
    assert "…" not in table.stdout


def test_partial_data_is_never_called_rewardbench(table: subprocess.CompletedProcess[str]) -> None:
    first, *rest = table.stdout.splitlines()
    assert first == "PARTIAL: not a RewardBench result"
    assert not [line for line in rest if re.match(r"\W*RewardBench", line)]
    # Each of the 23 subsets has 2 rows, in one line, which stands below the numbers.
    (said,) = [line for line in rest if line.startswith("partial: ")]
    assert said.startswith("partial: 23 of 23 subsets short, unverified local copy")
    assert rest.index(said) > max(place for place, line in enumerate(rest) if line.startswith("overall "))
    assert table.stderr == ""


def test_a_pipe_gets_no_escape_codes(table: subprocess.CompletedProcess[str]) -> None:
    assert "\x1b" not in table.stdout + table.stderr


@pytest.mark.parametrize("no_color", [True, False])
def test_no_color_is_honoured(tmp_path: Path, no_color: bool) -> None:
    """On what rich takes for a terminal; the partial reasons are yellow."""
    changes = {"TTY_COMPATIBLE": "1", "TERM": "xterm-256color", **({"NO_COLOR": "1"} if no_color else {})}
    done = rmeval("mini", "--model", "baseline:longest", "--limit", "2", cwd=tmp_path, **changes)
    assert done.returncode == 0
    assert bool(re.search(r"\x1b\[(\d+;)*[349]\d", done.stdout)) != no_color


def test_equal_texts_are_counted_warned_of_and_a_tie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("same", "same"), ("longer", "short")]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps({"prompt": "p", "chosen": c, "rejected": r}) + "\n" for c, r in rows))
    arguments = ["pairs", "--model", "baseline:longest", "--dataset", str(data), "--output-dir", str(tmp_path / "run")]
    assert _run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (warning,) = found["warnings"]
    assert warning.startswith("identical-completions × 1: ")
    assert found["subsets"]["all"]["ties"] == 1
    assert found["overall"]["accuracy"] == 0.5
    assert _run([*arguments, "--overwrite"]) == 0
    assert "identical-completions × 1" in capsys.readouterr().out


def test_the_flags_reach_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    arguments = "mini --model baseline:random --subset mini-code --subset mini-arithmetic --limit 40 --seed 7 --no-text"
    assert _run([*arguments.split(), "--output-dir", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["partial"] is True
    run = load_run(folder)
    assert run.info.data.subsets == ("mini-code", "mini-arithmetic")
    assert (run.info.data.limit, run.info.data.rows) == (40, 40)
    assert dict(run.info.settings) == {"seed": 7}  # A baseline has no options of a model.
    assert run.info.model.fingerprint == "baseline:random:7"
    assert "prompt" not in run.examples_table.column_names


def test_a_quick_look_at_every_subset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["mini", "--model", "baseline:longest", "--limit-per-subset", "3", "--seed", "5"]
    assert _run([*arguments, "--output-dir", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["warnings"] == ["partial: a quick look: only 3 examples of each subset asked for"]
    assert [item["n"] for item in found["subsets"].values()] == [3] * 8
    assert load_run(tmp_path / "run").info.data.limit_per_subset == 3


@pytest.fixture(scope="module")
def short_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that reads at most 256 tokens: fast, and most conversations lose their beginning."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "short", max_position_embeddings=256)


@pytest.mark.parametrize(
    "name",
    ["hh-rlhf-harmless-base-test.jsonl", "ultrafeedback-binarized-eval.jsonl", "ultrafeedback-binarized-train.jsonl"],
)
def test_real_preference_data_needs_no_special_flags(
    name: str, shared_data: Path, short_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shared_data / "preferences" / name
    folder = tmp_path / "run"
    arguments = ["pairs", "--model", str(short_model), "--dataset", str(file), "--limit", "20", "--json"]
    assert _run([*arguments, "--output-dir", str(folder)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(item["n"] + item["invalid"] for item in found["subsets"].values()) == 20
    assert sum(item["invalid"] for item in found["subsets"].values()) == 0
    run = load_run(folder)
    assert run.scores_table.num_rows == 40
    for example in run.examples_table.to_pylist():
        prompt = json.loads(example["prompt"])
        assert prompt[-1]["role"] == "user"
        assert all(json.loads(example["completions"])[place][-1]["role"] == "assistant" for place in (0, 1))


def test_ctrl_c_while_scoring(tmp_path: Path, tiny_model: Path) -> None:
    """The progress bar tells when scoring has begun; what follows is one line with the command that goes on."""
    with (tmp_path / "rows.jsonl").open("w") as file:
        for i in range(150):
            row = {"prompt": f"{i} ", "chosen": f"yes {i} " * 250, "rejected": f"no {i} " * 250}
            file.write(json.dumps(row) + "\n")
    command = ["pairs", "--model", str(tiny_model), "--dataset", "rows.jsonl", "--dtype", "float32", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "rmeval", *command, "--output-dir", "run"],
        cwd=tmp_path,
        env=environment(TTY_COMPATIBLE="1", TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "stderr").open("w"),
        text=True,
    )
    shown = tmp_path / "stderr"
    try:
        deadline = time.monotonic() + 40
        while "scoring" not in shown.read_text() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "scoring" in shown.read_text()
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == ""
    err = shown.read_text()
    assert "Traceback" not in err
    # The bar ends by erasing itself and showing the cursor again.
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err.rpartition("\x1b[2K")[2]).strip()
    assert last == f"interrupted: go on with rmeval {' '.join([*command, '--output-dir', 'run'])}"
    assert len(last.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_run_ends_with_its_page_and_says_what_came_from_the_journal(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path / "journal.sqlite"))
    command = ["mini", "--model", str(tiny_model), "--limit", "3", "--dtype", "float32", "--output-dir"]
    assert _run([*command, "a"]) == 0
    out = capsys.readouterr().out
    assert "came from the journal" not in out
    assert out.splitlines()[-1] == "open a/report.html, or beside another run: rmeval report OTHER_RUN a"
    assert Path("a/report.html").exists()
    assert _run([*command, "b"]) == 0
    assert "6 of 6 scores came from the journal" in capsys.readouterr().out


def test_no_overall_number_that_lacks_sections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first 40 rows of the mini set are of Chat alone."""
    command = ["mini", "--model", "baseline:longest", "--limit", "40", "--output-dir"]
    assert _run([*command, str(tmp_path / "a")]) == 0
    out = capsys.readouterr().out
    assert not re.search(r"^overall ", out, re.MULTILINE)
    assert "no overall number: no rows of Chat Hard, Safety, Reasoning\n" in out
    assert "No overall number: no rows of Chat Hard, Safety, Reasoning." in (tmp_path / "a" / "report.html").read_text()
    assert _run([*command, str(tmp_path / "b"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["overall"] is None
    assert list(found["sections"]) == ["Chat"]


def test_a_file_that_has_nothing_to_do_with_the_benchmark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.jsonl").write_text(json.dumps({"prompt": "p", "chosen": "c", "rejected": "r"}) + "\n")
    for suite in (name for name in SUITES if name != "pairs"):
        assert _run([suite, "--model", "baseline:longest", "--dataset", "mine.jsonl", "--output-dir", suite]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("rmeval: mine.jsonl") or "mine.jsonl" in err
        assert err.count("\n") == 1
        assert err.endswith("use `rmeval pairs` for pairs of your own\n"), suite
    assert not list(Path().rglob("run.json"))

"""``rmeval check`` from the command line: exit codes, files, and one clear line for every mistake."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from rmeval import evaluate
from rmeval.cli import _run
from tests.support.comparing import run_of, write_rows

BOTH = ["check", "--baseline", "before", "--candidate", "after"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with three runs: ``after`` is worse than ``before``, ``same`` is not."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    data = write_rows(tmp_path / "rows.jsonl", ["a"] * 60 + ["b"] * 20)
    before, after = "+" * 80, "-" * 20 + "+" * 40 + "-" + "+" * 19
    for name, decisions in (("before", before), ("after", after), ("same", before)):
        run_of(data, decisions, output=tmp_path / name)
    return tmp_path


def check(*arguments: str, code: int, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert _run(list(arguments)) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out, err


def refused(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    out, err = check(*arguments, code=2, capsys=capsys)
    assert out == ""
    assert err.startswith("rmeval: error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.usefixtures("here")
def test_worse_is_1_and_the_same_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = check(*BOTH, code=1, capsys=capsys)
    assert err == ""
    assert "regression: overall dropped by 26.25 points, significant (one-sided p below 0.001)" in out
    assert out.endswith("FAIL: 1 of 1 check\n")
    out, _ = check("check", "--baseline", "before", "--candidate", "same", code=0, capsys=capsys)
    assert out.endswith("PASS: 1 check\n")
    check("check", "--baseline", "after/run.json", "--candidate", "before", code=0, capsys=capsys)  # It is better.


@pytest.mark.usefixtures("here")
def test_json_is_all_there_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = check(*BOTH, "--json", "--report", "x.html", code=1, capsys=capsys)
    assert err == ""
    assert out.count("\n") == 1
    found = json.loads(out)
    assert (found["passed"], found["report"], found["baseline"]["path"]) == (False, "x.html", "before")
    assert found["lines"][0]["difference"] == pytest.approx(-21 / 80)


@pytest.mark.usefixtures("here")
def test_rules_alpha_and_mode(capsys: pytest.CaptureFixture[str]) -> None:
    check(*BOTH, "--fail-on", "overall:30%", "--fail-on", "subset:b:0", code=0, capsys=capsys)
    check(*BOTH, "--fail-on", "subset:*:0", code=1, capsys=capsys)
    out, _ = check(*BOTH, "--fail-on", "subset:b:0", "--alpha", "49%", "--json", code=0, capsys=capsys)
    assert (json.loads(out)["alpha"], json.loads(out)["lines"][0]["p"]) == (0.49, 0.5)
    same = ["check", "--baseline", "before", "--candidate", "same", "--mode", "noninferiority", "--margin"]
    check(*same, "20%", code=0, capsys=capsys)
    out, _ = check(*same, "1%", code=1, capsys=capsys)
    assert "cannot tell: overall not shown to have dropped by less than 1.00 points" in out


def test_settings_of_the_folder_and_of_the_command_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "pyproject.toml").write_text('[tool.rmeval.check]\nfail-on = ["overall:30%"]\n')
    check(*BOTH, code=0, capsys=capsys)
    check(*BOTH, "--fail-on", "overall:0", code=1, capsys=capsys)
    (here / "rmeval.toml").write_text('[check]\nfail-on = ["subset:b:0"]\nalpha = 0.49\n')
    out, _ = check(*BOTH, "--json", code=0, capsys=capsys)
    assert [line["rule"] for line in json.loads(out)["lines"]] == ["subset:b:0"]
    assert json.loads(out)["alpha"] == 0.49
    out, _ = check(*BOTH, "--json", "--alpha", "0.01", code=0, capsys=capsys)
    assert json.loads(out)["alpha"] == 0.01


def test_the_baseline_and_the_floors_may_stand_in_the_settings(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "rmeval.toml").write_text('[check]\nbaseline = "before"\nthresholds = "floors.yaml"\n')
    (here / "floors.yaml").write_text("overall: 70%\n")
    out, _ = check("check", "--candidate", "after", "--json", code=1, capsys=capsys)
    assert [line["verdict"] for line in json.loads(out)["lines"]] == ["regression", "pass"]
    check("check", "--candidate", "after", "--baseline", "after", code=0, capsys=capsys)
    (here / "rmeval.toml").write_text("[chekc]\nbaseline = 'before'\n")
    assert "did you mean 'check'" in refused("check", "--candidate", "after", "--baseline", "after", capsys=capsys)


def test_floors(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "floors.yaml").write_text("overall: 80%\nsubsets: {b: 0.9}\n")
    out, _ = check("check", "--candidate", "after", "--thresholds", "floors.yaml", code=1, capsys=capsys)
    assert "regression: overall 73.75% is below 80.00%" in out
    check("check", "--candidate", "before", "--thresholds", "floors.yaml", code=0, capsys=capsys)
    out, _ = check(*BOTH, "--thresholds", "floors.yaml", "--json", code=1, capsys=capsys)
    assert [line["verdict"] for line in json.loads(out)["lines"]] == ["regression", "regression", "pass"]


def test_files_and_github(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    check(*BOTH, "--junit", "out/check.xml", "--markdown", "out/check.md", code=1, capsys=capsys)
    assert (here / "summary.md").read_text() == "before\n"  # Not under GitHub Actions.
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    check(*BOTH, "--junit", "out/check.xml", "--markdown", "out/check.md", "--json", code=1, capsys=capsys)  # Again.
    (here / "summary.md").write_text("before\n")
    out, err = check(*BOTH, "--json", code=1, capsys=capsys)
    assert json.loads(out)["passed"] is False
    assert err == "::error title=rmeval check::overall dropped by 26.25 points, significant (one-sided p below 0.001)\n"
    written = (here / "out" / "check.md").read_text()
    assert written.startswith("### rmeval check: FAIL: 1 of 1 check\n")
    assert (here / "summary.md").read_text() == f"before\n{written}"
    assert ET.parse(here / "out" / "check.xml").getroot().get("failures") == "1"  # noqa: S314


@pytest.mark.parametrize(
    ("crash", "code", "words"),
    [(False, 2, "no finished run in absent: not a folder"), (True, 70, "internal error: ValueError: <broken>\x07")],
)
def test_an_error_takes_the_place_of_what_passed_before(
    here: Path, crash: bool, code: int, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of an earlier check, left in the workspace, must not say that this one passed."""
    files = ["--junit", "check.xml", "--markdown", "check.md"]
    check("check", "--baseline", "before", "--candidate", "same", *files, code=0, capsys=capsys)
    assert "PASS" in (here / "check.md").read_text()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    if crash:

        def broken(path: Path) -> None:
            raise ValueError("<broken>\x07")

        monkeypatch.setattr("rmeval.records.load_run", broken)
    assert _run(["check", "--baseline", "absent", "--candidate", "same", *files]) == code
    root = ET.parse(here / "check.xml").getroot()  # noqa: S314
    assert root.attrib == {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}
    (error,) = root.iter("error")
    assert error.get("message") == words.replace("\x07", "\N{REPLACEMENT CHARACTER}")
    written = (here / "check.md").read_text()
    assert written.startswith("### rmeval check: ERROR: nothing was compared\n")
    assert (here / "summary.md").read_text() == written
    (annotation,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("::")]
    assert annotation.startswith(f"::error title=rmeval check::{words.rstrip(chr(7))}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check"], "'--candidate'"),
        (["check", "--candidate", "after"], "pass --baseline RUN, --thresholds FILE, or both"),
        (["check", "--candidate", "after", "--thresholds", "x.yaml"], "cannot read the thresholds in x.yaml"),
        (["check", "--candidate", "after", "--thresholds", "rows.jsonl"], "rows.jsonl line 2 is not YAML"),
        (["check", "--candidate", "after", "--thresholds", "x", "--fail-on", "overall:0"], "pass --baseline"),
        (["check", "--baseline", "absent", "--candidate", "after"], "no finished run in absent"),
        (["check", "--baseline", "unfinished", "--candidate", "after"], "an unfinished run, or none at all"),
        (["check", "--baseline", "cut", "--candidate", "after"], "cut/scores.parquet is damaged"),
        (["check", "--baseline", "half", "--candidate", "after"], "examples.parquet is missing"),
        (
            ["check", "--baseline", "mini", "--candidate", "after"],
            "the baseline is of suite mini, the candidate of pairs",
        ),
        (["check", "--baseline", "other", "--candidate", "after"], "--common-only compares those in both"),
        ([*BOTH, "--fail-on", "overal:1%"], "did you mean 'overall'"),
        ([*BOTH, "--fail-on", "subset:aa:1%"], "no subset 'aa'; did you mean 'a'? (known: a, b)"),
        ([*BOTH, "--fail-on", "section:Safety:1%"], "no section 'Safety' (known: none)"),
        ([*BOTH, "--mode", "noninferior", "--margin", "1%"], "did you mean 'noninferiority'"),
        ([*BOTH, "--mode", "noninferiority"], "needs a margin"),
        ([*BOTH, "--alpha", "often"], "--alpha: 'often' is not a number"),
        ([*BOTH, "--alpha", "1"], "alpha must lie between 0 and 0.5"),
        ([*BOTH, "--junit", "rows.jsonl/x.xml"], "cannot write rows.jsonl/x.xml"),
        ([*BOTH, "--markdown", "."], "cannot write .: it is a folder"),
        ([*BOTH, "--markdown", "x.txt", "--junit", "./x.txt"], "--junit and --markdown are the same file"),
        ([*BOTH, "--markdown", "after/run.json"], "after/run.json is there and rmeval did not write it"),
        ([*BOTH, "--junit", "rows.jsonl"], "rows.jsonl is there and rmeval did not write it"),
        ([*BOTH, "--fail-over", "x"], "No such option"),
    ],
)
def test_mistakes_are_one_line(
    here: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "unfinished").mkdir()
    for name, file in (("cut", "scores.parquet"), ("half", "examples.parquet")):
        shutil.copytree(here / "before", here / name)
        content = (here / name / file).read_bytes()
        (here / name / file).write_bytes(content[: len(content) // 2])
    (here / "half" / "examples.parquet").unlink()
    evaluate("baseline:longest", "mini", output_dir=here / "mini")
    run_of(write_rows(here / "few.jsonl", ["a"] * 60), "+" * 60, output=here / "other")
    assert words in " ".join(refused(*arguments, capsys=capsys).split())


@pytest.mark.usefixtures("here")
def test_an_alpha_of_nothing_is_refused_wherever_it_stands(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    said = "alpha must lie between 0 and 0.5, not 0"
    assert said in refused(*BOTH, "--alpha", "0", capsys=capsys)
    (here / "rmeval.toml").write_text("[check]\nalpha = 0\n")
    assert said in refused(*BOTH, capsys=capsys)


@pytest.mark.usefixtures("here")
def test_p_and_its_bound_are_said_to_be_one_sided(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = check(*BOTH, "--alpha", "0.00005", code=1, capsys=capsys)  # 21 flips of 21: p is 2**-21.
    assert "one-sided 99.995% bound" in out
    assert "one-sided p" in out
    assert "95% interval" not in out
    (line,) = json.loads(check(*BOTH, "--json", code=1, capsys=capsys)[0])["lines"]
    assert line["p"] == pytest.approx(2**-21)
    assert line["low"] < line["difference"] < line["bound"] < line["high"] < 0


@pytest.mark.usefixtures("here")
def test_common_examples_alone(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    run_of(write_rows(here / "few.jsonl", ["a"] * 60), "+" * 60, output=here / "other")
    out, _ = check("check", "--baseline", "other", "--candidate", "same", "--common-only", code=0, capsys=capsys)
    assert "left out: 20 examples that only one of the runs has" in out


@pytest.mark.usefixtures("here")
def test_it_is_quick_and_loads_no_torch() -> None:
    """Processor time, which is the time it takes where nothing else runs; best of three."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "rmeval", *BOTH], capture_output=True, text=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 1
    assert min(times) < 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    # What action.yml installs is enough.
    assert not loaded & {
        "torch",
        "transformers",
        "datasets",
        "huggingface_hub",
        "jinja2",
        "matplotlib",
        "statsmodels",
    }

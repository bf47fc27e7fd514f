"""``rmeval field`` from the command line."""

from __future__ import annotations

import json
from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest

from rmeval.cli import main
from rmeval.cli.field import command
from rmeval.eval.model_options import ModelOptions


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"prompt": f"p{k}", "chosen": "a" * (k + 1), "rejected": "bb"}) + "\n" for k in range(9))
    )
    return str(path)


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(["field", *arguments])
    return ended.value.code


def test_the_table_and_the_page(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--model", "baseline:longest", "--suites", "pairs,rm-bench", "--dataset", f"pairs={rows}"]
    command += ["--dataset", "rm-bench=nowhere.json", "--output-dir", "f"]
    assert run(*command) == 0
    out = capsys.readouterr().out
    # Longer than "bb" are seven of nine, one is as long and counts as wrong.
    line = next(each for each in out.splitlines() if each.startswith("pairs"))
    assert line.split()[:2] == ["pairs", "77.8"]
    assert "longest 77.8" in line
    assert "rm-bench: left out: " in out
    assert "no mean: it takes all 7 whole" in out
    page = Path("f/index.html").read_text()
    assert 'data-suite="pairs"' in page
    assert 'href="pairs/report.html"' in page
    assert "not beaten" in page
    assert Path("f/pairs/report.html").exists()
    assert run(*command) == 2
    assert "holds a finished field" in capsys.readouterr().err


def test_json_alone_on_stdout(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "baseline:longest", "--suites", "pairs", "--dataset", f"pairs={rows}", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["suites"][0]["overall"]["accuracy"] == 7 / 9
    assert found["mean"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--suites", ","], "--suites is empty"),
        (["--suites", "pairs", "--dataset", "rows.jsonl"], "--dataset takes SUITE=PATH here, not 'rows.jsonl'"),
        (["--suites", "pairs", "--dataset", "pairs=a", "--dataset", "pairs=b"], "--dataset names pairs twice"),
        (["--suites", "rewardbench,pears"], "unknown suite 'pears'; did you mean 'pairs'"),
    ],
)
def test_a_mistake_is_one_line(rows: str, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "baseline:longest", *arguments) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not Path("runs").exists()


def test_names_from_data_are_text_in_the_page(rows: str) -> None:
    hostile = Path("<img src=x onerror=alert(1)>.jsonl")
    hostile.write_text(Path(rows).read_text())
    assert (
        run("--model", "baseline:longest", "--suites", "pairs", "--dataset", f"pairs={hostile}", "--output-dir", "f")
        == 0
    )
    page = Path("f/index.html").read_text()
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_it_has_every_option_of_a_model() -> None:
    """Else a kind that needs one, such as a policy its reference, could be scored by suite and not in the field."""
    names = {option.name for option in fields(ModelOptions)}
    assert names <= set(signature(command).parameters)

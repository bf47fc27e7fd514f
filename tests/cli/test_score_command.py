from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from rmeval.cli import score as cli
from rmeval.errors import RmevalError, UsageError
from rmeval.eval.scoring import chunks
from rmeval.eval.scoring.partial import Partial

ROWS = [{"prompt": "Hi", "completions": ["xx", "\ud800"]}, {"prompt": "Hi", "completions": ["a"]}]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """The command in a program of its own, in a folder that holds ``in.jsonl``."""
    app = typer.Typer(pretty_exceptions_enable=False)
    cli.register(app)
    app.command("other")(lambda: None)  # With one command alone, typer takes no name.
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))

    def call(*arguments: str) -> object:
        return app(["score", *arguments], standalone_mode=False)

    return call


ARGUMENTS = ("--model", "baseline:longest", "--dataset", "in.jsonl")


def test_it_says_on_stderr_what_it_did(command: Callable[..., object], capsys: pytest.CaptureFixture[str]) -> None:
    command(*ARGUMENTS, "--output", "an o.jsonl", "--best", "b.jsonl")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "warning  invalid-unicode × 1: the text holds a broken character (a lone surrogate); "
        "it was replaced by U+FFFD (such as line 1)",
        "1 pairs written to b.jsonl; skipped: 1 prompt without two distinct scores",
        "3 scores of 2 rows written to 'an o.jsonl'",
    ]
    assert [json.loads(line)["scores"] for line in Path("an o.jsonl").read_text().splitlines()] == [[2.0, 1.0], [1.0]]


def test_json_is_all_there_is_on_stdout(command: Callable[..., object], capsys: pytest.CaptureFixture[str]) -> None:
    command(*ARGUMENTS, "--output", "o.parquet", "--limit", "1", "--json")
    out, _ = capsys.readouterr()
    found = json.loads(out)
    assert out.count("\n") == 1
    assert found.pop("seconds") > 0
    assert found.pop("findings")[0]["code"] == "invalid-unicode"
    assert found == {
        "model": "baseline:longest",
        "dataset": "in.jsonl",
        "output": "o.parquet",
        "rows": 1,
        "completions": 2,
        "best": None,
        "pairs": 0,
        "left_out": 0,
        "resumed": 0,
    }


def test_overwrite(command: Callable[..., object]) -> None:
    command(*ARGUMENTS, "--output", "o.jsonl")
    with pytest.raises(RmevalError, match="--overwrite"):
        command(*ARGUMENTS, "--output", "o.jsonl")
    command(*ARGUMENTS, "--output", "o.jsonl", "--overwrite")


def test_model_options_reach_the_model(command: Callable[..., object], tiny_model: Path) -> None:
    with pytest.raises(RmevalError, match="--max-length must be at least 1"):
        command("--model", str(tiny_model), "--dataset", "in.jsonl", "--output", "o.jsonl", "--max-length", "0")
    with pytest.raises(UsageError, match="--batch-size"):
        command(*ARGUMENTS, "--output", "o.jsonl", "--batch-size", "many")


def test_it_goes_on_and_says_so(
    command: Callable[..., object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 1)
    with monkeypatch.context() as patch:
        write = Partial.write
        calls: list[int] = []

        def interrupt(*arguments: object) -> None:
            if calls:
                raise KeyboardInterrupt
            calls.append(1)
            write(*arguments)  # type: ignore[arg-type]

        patch.setattr(Partial, "write", interrupt)
        assert command(*ARGUMENTS, "--output", "o.jsonl") == 130  # typer's word for an interrupt that came through.
    assert Path("o.jsonl.partial").exists()
    capsys.readouterr()
    command(*ARGUMENTS, "--output", "o.jsonl")
    assert "went on after the 1 rows that were written before\n" in capsys.readouterr().err


def test_help_is_light() -> None:
    code = "import rmeval.cli.score, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "typer" in loaded
    assert not {"torch", "datasets", "pandas", "pyarrow", "transformers"} & set(loaded)


def test_from_stdin_to_stdout(tmp_path: Path) -> None:
    """As samplers pipe: nothing but rows on stdout, and no file is left."""
    rows = [{"prompt": "Hi", "response": "Hello"}, {"prompt": "Hi", "response": "é"}]
    command = [
        sys.executable,
        "-m",
        "rmeval",
        "score",
        "--model",
        "baseline:longest",
        "--dataset",
        "-",
        "--output",
        "-",
    ]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {**rows[0], "score": 5.0},
        {**rows[1], "score": 1.0},
    ]
    assert done.stderr == "2 scores of 2 rows written to stdout\n"
    assert list(tmp_path.iterdir()) == []
    broken = subprocess.run(command, input="{", capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (broken.returncode, broken.stdout) == (2, "")
    assert "stdin line 1: not JSON" in broken.stderr


def test_stdout_is_for_one_thing(command: Callable[..., object]) -> None:
    with pytest.raises(UsageError, match="both write to stdout"):
        command(*ARGUMENTS, "--output", "-", "--json")

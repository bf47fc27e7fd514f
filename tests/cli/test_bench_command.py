from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from rmeval.bench import storage
from rmeval.cli import bench as cli
from rmeval.errors import RmevalError, RunError, UsageError
from tests.support.benching import document, measured


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """The command in a program of its own, in an empty folder."""
    app = typer.Typer(pretty_exceptions_enable=False)
    cli.register(app)
    app.command("other")(lambda: None)  # With one command alone, typer takes no name.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> object:
        return app(["bench", *arguments], standalone_mode=False)

    return call


def files(**after: object) -> tuple[str, str]:
    storage.write(Path("old"), document(measured()))
    storage.write(Path("new"), document(measured(**after)))  # type: ignore[arg-type]
    return "old/bench.json", "new"


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((), UsageError, "which model?"),
        (("--model", "m", "--dtypes", "float23"), UsageError, "did you mean 'float32'?"),
        (("--model", "m", "--batch-sizes", "1,x"), UsageError, "--batch-sizes takes whole numbers such as 1,8,32, not"),
        (("--model", "m", "--lengths", ","), UsageError, "--lengths is empty"),
        (("--model", "m", "--lengths", "8", "--dataset", "d"), UsageError, "not both"),
        (("--model", "m", "--fail-on", "throughput:1%"), UsageError, "pass --compare OLD.json"),
        (("new.json",), UsageError, "pass --compare OLD.json"),
        (("--compare", "old.json", "new.json", "--model", "m"), UsageError, "leave --model out"),
        (("--compare", "old.json", "new.json"), RunError, "cannot read the bench old.json"),
        (("--compare", "old.json", "--fail-on", "speed:1%"), UsageError, "no kind 'speed'"),
        (("--model", "m", "--device", "tpu9"), UsageError, "device 'tpu9' cannot be used"),
        (("--model", "quickstart", "--template-date", "July"), UsageError, "--template-date takes a date such as"),
        (("--model", "./nowhere"), RmevalError, "no such folder: ./nowhere"),
        (("--model", "config:nowhere.json"), RmevalError, "no such configuration: nowhere.json"),
    ],
)
def test_a_mistake_is_one_line(
    command: Callable[..., object], arguments: tuple[str, ...], error: type[RmevalError], said: str
) -> None:
    with pytest.raises(error) as caught:
        command(*arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(Path().iterdir()) == []


def test_two_files_are_compared(command: Callable[..., object], capsys: pytest.CaptureFixture[str]) -> None:
    old, new = files(share_of_roof=0.15)
    assert command("--compare", old, new, "--fail-on", "throughput:10%") == 1
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["float32-1x64", "share", "of", "the", "roofline", "20.0%", "15.0%", "-25.0%", "4.0%", "worse", "(fails)"],
        ["FAIL:", "1", "of", "1", "comparisons"],
    ]
    assert command("--compare", old, new, "--fail-on", "throughput:30%", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["passed"] is True
    assert printed["lines"][0]["worse_by"] == pytest.approx(0.25)


def test_noise_larger_than_the_limit(command: Callable[..., object], capsys: pytest.CaptureFixture[str]) -> None:
    old, new = files(share_of_roof=0.15, noise=0.5)
    compared = ["--compare", old, new, "--fail-on", "throughput:10%"]
    assert command(*compared) == 0
    out = capsys.readouterr().out
    assert "cannot tell" in out
    assert out.splitlines()[-1].startswith("CANNOT TELL: 1 of 1 comparisons: the noise is larger than the limit")
    assert command(*compared, "--fail-on-noise") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "FAIL: 1 of 1 comparisons"


@pytest.fixture(scope="module")
def rmeval() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The whole command line with ``bench`` in it, as a program."""
    code = (
        "import sys\nfrom rmeval import cli\nfrom rmeval.cli import bench\n"
        "if 'bench' not in {each.name for each in cli.app.registered_commands}: bench.register(cli.app)\n"
        "cli.main()"
    )

    def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        command = [sys.executable, "-c", code, "bench", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)

    return run


@pytest.mark.alone
def test_a_bench_from_end_to_end(
    rmeval: Callable[..., subprocess.CompletedProcess[str]], tiny_model: Path, tmp_path: Path
) -> None:
    arguments = ["--model", str(tiny_model), "--batch-sizes", "1,2", "--dtypes", "float32", "--lengths", "16"]
    done = rmeval(*arguments, "--max-time", "0.2", "--output-dir", "b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["bench.csv", "bench.html", "bench.json"]
    assert "2 cells; at most about" in done.stderr
    assert "[2/2] float32-2x16: " in done.stderr
    assert "bench written to b; the page is b/bench.html" in done.stderr
    assert "float32-2x16" in done.stdout
    assert "fastest without a flipped decision at 16 tokens: float32-" in done.stdout

    # Without a model, the old sweep again; against itself, with a limit that any drop but a huge one passes.
    again = rmeval("--compare", "b", "--fail-on", "throughput:99%", "--output-dir", "c", "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    printed = json.loads(again.stdout)
    assert printed["rmeval"]["sweep"] == storage.read(tmp_path / "b")["rmeval"]["sweep"]
    assert [line["cell"] for line in printed["comparison"]["lines"]] == ["float32-1x16", "float32-2x16"]
    assert "Compared" in (tmp_path / "c" / "bench.html").read_text()


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, typer\nfrom rmeval.cli import bench\napp = typer.Typer(); bench.register(app)\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit(sorted({'torch', 'transformers', 'datasets', 'pandas', 'pytest', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "--batch-sizes" in done.stdout
    assert done.stderr.strip() == "[]"

"""Whole sweeps, through pytest-benchmark's own fixture."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from rmeval.bench import storage
from rmeval.bench.measure.ceiling import Ceiling
from rmeval.bench.plan import Sweep
from rmeval.bench.run import Announcement, bench, run_bench
from rmeval.bench.subjects.model import Subject
from rmeval.bench.subjects.rows import RequestRow
from rmeval.bench_info import COLUMNS, BenchDocument, Setting
from rmeval.errors import ModelError, RunError, UsageError
from tests.support.benching import Sleeper, too_large
from tests.support.models.tiny import save_tiny_model

SWEEP = Sweep("sleeper", batch_sizes=(1, 4), dtypes=("float32",), lengths=(8,), max_time=0.3)


def rows(document: BenchDocument) -> dict[str, dict[str, Any]]:
    return {row["name"]: cast("dict[str, Any]", row) for row in document["rmeval"]["cells"]}


@pytest.fixture(scope="module")
def swept(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of a real model: two dtypes, two batch sizes."""
    folder = tmp_path_factory.mktemp("bench") / "swept"
    sweep = Sweep(str(tiny_model), (1, 4), ("float32", "bfloat16"), (32, 4096), max_time=0.2)
    bench(sweep, folder)
    return folder


def test_from_python(tiny_model: Path, tmp_path: Path) -> None:
    sweep = Sweep(str(tiny_model), (1,), ("float32",), (8,), max_time=0.1)
    document = run_bench(sweep, str(tmp_path / "b"))
    assert list(rows(document)) == ["float32-1x8"]
    with pytest.raises(RunError, match="--overwrite"):
        run_bench(replace(sweep, lengths=(9,)), tmp_path / "b")


# --- the timer --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.03, 0.15])
def test_a_model_that_sleeps_a_known_time_is_measured(tmp_path: Path, seconds: float) -> None:
    """0.03 s is timed in calibrated rounds, 0.15 s is long for a cell of 0.6 s and timed as often as it fits."""
    source = Sleeper(seconds)
    found = rows(bench(replace(SWEEP, max_time=0.6), tmp_path / "b", source=source))
    for row in found.values():
        assert row["p50"] == pytest.approx(seconds, rel=0.05)
        assert row["first_call_seconds"] == pytest.approx(seconds, rel=0.2)
        assert row["completions_per_second"] == pytest.approx(row["batch_size"] / seconds, rel=0.05)
        assert row["rounds"] >= 3
    assert found["float32-4x8"]["rounds"] <= 25


def test_a_machine_that_slows_down_is_seen_in_the_cells_before(tmp_path: Path) -> None:
    def slow_down(_: int, given: Sequence[RequestRow]) -> None:
        if len(given) == 4:
            source.seconds = 0.01

    source = Sleeper(0.005, slow_down)
    found = rows(bench(SWEEP, tmp_path / "b", source=source))
    first, last = found["float32-1x8"], found["float32-4x8"]
    assert first["p50"] == pytest.approx(0.005, rel=0.2)
    assert first["again"] == pytest.approx(0.01, rel=0.2)
    assert last["again"] == pytest.approx(last["p50"], rel=0.2)
    assert first["noise"] > 0.6


def test_a_model_is_let_go_before_the_matrix_rate_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Loading(Sleeper):
        def load(self, setting: Setting) -> Subject:
            fresh = Sleeper(self.seconds)
            subjects.append(weakref.ref(fresh))
            return fresh

    def measure(self: Ceiling, dtype: str, device: torch.device) -> None:
        alive.append(sum(subject() is not None for subject in subjects))
        real(self, dtype, device)

    subjects: list[weakref.ref[Sleeper]] = []
    alive: list[int] = []
    real = Ceiling.measure
    monkeypatch.setattr(Ceiling, "measure", measure)
    bench(replace(SWEEP, dtypes=("float32", "bfloat16"), max_time=0.1), tmp_path / "b", source=Loading(0.005))
    assert len(subjects) == 2
    assert alive == [0] * 6  # Both dtypes: before the first cell, between the two settings, at the end.


def test_a_request_longer_than_its_time_has_one_round(tmp_path: Path) -> None:
    source = Sleeper(0.2)
    sweep = replace(SWEEP, batch_sizes=(1,), max_time=0.1)
    row = rows(bench(sweep, tmp_path / "b", source=source))["float32-1x8"]
    assert (row["rounds"], row["p95"], row["spread"], row["noise"]) == (1, row["p50"], None, None)
    # First, the look at the first again, the fidelity's sample (twice), one round.
    assert source.calls.count(1) == 3


# --- a real model -----------------------------------------------------------------------------------------------


def test_every_cell_has_its_numbers(swept: Path) -> None:
    document = storage.read(swept)
    found = rows(document)
    assert [name for name, row in found.items() if row["status"] == "measured"] == [
        "float32-1x32", "float32-4x32", "bfloat16-1x32", "bfloat16-4x32",
    ]  # fmt: skip
    for row in found.values():
        if row["status"] != "measured":
            assert row["reason"] == "the model takes 2,048 tokens, not 4,096"
            continue
        missing = {name for name in COLUMNS if row[name] is None}
        # One round, all that a busy machine has time for, has no spread.
        spread = {"spread", "noise"} if row["rounds"] == 1 else set()
        # Nor has such a machine always time for another look.
        assert missing <= {"reason", "p99", "device_peak_bytes", "again"} | spread
        assert row["path"] == "packed"
        assert row["tokens"] == row["batch_size"] * 32
        assert row["distinct_tokens"] <= row["tokens"]
        assert row["tokens_per_second"] == pytest.approx(row["tokens"] / row["p50"])
        assert row["share_of_roof"] > 0
        assert row["mfu"] <= row["share_of_roof"] * (1 + 1e-9)
        assert row["host_peak_bytes"] > 10**8
    assert found["float32-1x32"]["drift_max"] == 0.0
    assert 0 < found["bfloat16-1x32"]["drift_max"] < 1
    assert found["bfloat16-1x32"]["decisions"] >= 16
    assert document["rmeval"]["complete"] is True
    # Before the first cell, after float32's and after bfloat16's: whoever ran last saw the whole sweep's change.
    assert {dtype: len(rates) for dtype, rates in document["rmeval"]["ceiling"]["rates"].items()} == {
        "float32": 3,
        "bfloat16": 3,
    }


def test_pytest_benchmark_reads_the_file(swept: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest_benchmark",
        "compare",
        str(swept / "bench.json"),
        "--columns=median,rounds",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=swept)
    assert done.returncode == 0, done.stderr
    assert "benchmark '32 tokens': 4 tests" in done.stdout
    assert "score[bfloat16-4x32]" in done.stdout


def test_the_file_is_in_pytest_benchmarks_form(swept: Path) -> None:
    document = json.loads((swept / "bench.json").read_text())
    assert {"machine_info", "commit_info", "datetime", "version", "benchmarks"} <= set(document)
    first = document["benchmarks"][0]
    assert first["fullname"] == "rmeval/bench/timed.py::score[float32-1x32]"
    assert first["params"] == {
        "dtype": "float32", "attention": "auto", "compile": "off", "batch_size": 1, "length": 32,
    }  # fmt: skip
    row = rows(document)["float32-1x32"]
    assert first["extra_info"] == {name: value for name, value in row.items() if value is not None}
    assert first["stats"]["median"] == pytest.approx(row["p50"])
    assert len(first["stats"]["data"]) == row["rounds"]


def test_benchmark_compare_fail_reads_the_file(tmp_path: Path) -> None:
    sweep = replace(SWEEP, batch_sizes=(1,))
    bench(sweep, tmp_path / "old", source=Sleeper(0.005))
    arguments = [f"--benchmark-compare={tmp_path / 'old' / 'bench.json'}", "--benchmark-compare-fail=median:50%"]
    same = bench(sweep, tmp_path / "same", source=Sleeper(0.005), pytest_arguments=arguments)
    assert same["rmeval"]["regressions"] == []
    slower = bench(sweep, tmp_path / "slower", source=Sleeper(0.02), pytest_arguments=arguments)
    assert [name.partition(" ")[0] for name, _ in slower["rmeval"]["regressions"]] == ["score[float32-1x8]"]


def test_the_users_pytest_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    bench(replace(SWEEP, batch_sizes=(1,)), tmp_path / "b", source=Sleeper(0.001))
    assert os.environ["PYTEST_ADDOPTS"] == "--no-such-option"
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ


def test_random_weights_need_a_configuration_alone(tiny_model: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text((tiny_model / "config.json").read_text())
    for model, random_weights in ((f"config:{config}", False), (str(tmp_path), True)):
        sweep = Sweep(model, (2,), ("bfloat16",), (16,), max_time=0.1, random_weights=random_weights)
        row = rows(bench(sweep, tmp_path / f"b{random_weights}"))["bfloat16-2x16"]
        assert row["status"] == "measured"
        assert (row["decisions"], row["flips"]) == (None, None)
        assert 0 < row["drift_max"] < 0.1


def test_an_attention_that_is_not_there_is_a_skipped_cell(tiny_model: Path, tmp_path: Path) -> None:
    sweep = Sweep(str(tiny_model), (1,), ("float32",), (16,), attention=("sdpa", "flash_attention_9"), max_time=0.1)
    found = rows(bench(sweep, tmp_path / "b"))
    assert found["float32-sdpa-1x16"]["path"] == "plain"
    assert found["float32-sdpa-1x16"]["flips"] == 0
    assert found["float32-flash_attention_9-1x16"]["status"] == "skipped"
    assert "flash_attention_9" in found["float32-flash_attention_9-1x16"]["reason"]


def test_an_encoder_pads_and_what_its_dtype_cannot_do_is_a_skipped_cell(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "bert", model_type="bert")
    # Time enough for a processor that computes bfloat16 in software: a second a request has been seen.
    sweep = Sweep(str(model), (4,), ("float32", "bfloat16"), dataset="mini", max_time=2.0)
    found = rows(bench(sweep, tmp_path / "b"))
    assert found["float32-4xrows"]["path"] == "plain"
    assert 0 < found["float32-4xrows"]["padding_share"] < 1
    # Measured, or left out with torch's reason: either way the sweep ends well.
    low = found["bfloat16-4xrows"]
    assert low["status"] == "measured" or low["reason"].startswith("the model cannot run like this: ")


def test_rows_of_a_data_set_beside_the_pipeline(tiny_model: Path, tmp_path: Path) -> None:
    sweep = Sweep(str(tiny_model), (4,), ("float32",), dataset="mini", against="pipeline", max_time=0.2)
    document = bench(sweep, tmp_path / "b")
    row = rows(document)["float32-4xrows"]
    assert 0 < row["distinct_tokens"] < row["tokens"]  # Two sides of a pair share their prompt.
    (beside,) = document["rmeval"]["against"]
    assert beside["cell"] == "float32-4xrows"
    assert beside["low"] <= beside["median"] <= beside["high"]
    assert beside["verdict"] in ("faster", "slower", "none")


def test_int8_is_measured_or_says_what_it_needs(tiny_model: Path, tmp_path: Path) -> None:
    sweep = Sweep(str(tiny_model), (4,), ("float32", "int8"), (32,), max_time=0.2)
    row = rows(bench(sweep, tmp_path / "b"))["int8-4x32"]
    if find_spec("torchao") is None:
        assert (row["status"], row["reason"]) == ("skipped", "int8 needs torchao: pip install 'rmeval[quantize]'")
        return
    assert row["status"] == "measured"
    assert 0 < row["drift_max"] < 2
    assert row["rank_correlation"] > 0.9


# --- what ends early --------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_a_result_and_the_sweep_goes_on(tmp_path: Path) -> None:
    sweep = replace(SWEEP, batch_sizes=(1, 4, 5))
    found = rows(bench(sweep, tmp_path / "b", source=Sleeper(0.001, too_large(4))))
    assert [row["status"] for row in found.values()] == ["measured", "does not fit", "measured"]
    assert found["float32-4x8"]["reason"] == "4 conversations do not fit"


def test_memory_that_runs_out_for_real_is_a_result(tiny_model: Path, tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from rmeval.bench.run import bench;"
        "from rmeval.bench.plan import Sweep;"
        "mapped = lambda: 4096 * int(Path('/proc/self/statm').read_text().split()[0]);"
        "limit = lambda _: resource.setrlimit(resource.RLIMIT_AS, (mapped() + 200 * 2**20,) * 2);"
        "document = bench(Sweep(sys.argv[1], (1, 256), ('float32',), (512,), max_time=1.0), Path(sys.argv[2]),"
        " announce=limit);"
        "print([row['status'] for row in document['rmeval']['cells']])"
    )
    command = [sys.executable, "-c", code, f"config:{tiny_model}", str(tmp_path / "b")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.strip() == "['measured', 'does not fit']", done.stdout + done.stderr[-2000:]


def test_ctrl_c_keeps_what_is_finished_and_the_next_run_goes_on(tmp_path: Path) -> None:
    sweep = replace(SWEEP, batch_sizes=(1, 4, 5))
    stop = Sleeper(0.001, lambda _, given: KeyboardInterrupt() if len(given) == 4 else None)
    with pytest.raises(KeyboardInterrupt):
        bench(sweep, tmp_path / "b", source=stop)
    document = storage.read(tmp_path / "b")
    assert [row["status"] for row in rows(document).values()] == ["measured", "planned", "planned"]
    assert len(document["benchmarks"]) == 1
    assert document["rmeval"]["complete"] is False

    told: list[Announcement] = []
    again = Sleeper(0.001)
    document = bench(sweep, tmp_path / "b", source=again, announce=told.append)
    assert told[0].done == 1
    assert 1 not in again.calls
    assert [row["status"] for row in rows(document).values()] == ["measured"] * 3
    assert len(document["benchmarks"]) == 3
    with pytest.raises(RunError, match="holds this bench, finished"):
        bench(sweep, tmp_path / "b", source=again)
    with pytest.raises(RunError, match="holds another bench"):
        bench(SWEEP, tmp_path / "b", source=again)
    assert bench(SWEEP, tmp_path / "b", source=again, overwrite=True)["rmeval"]["complete"]


def test_an_unfinished_bench_is_found_again_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        bench(SWEEP, source=Sleeper(0.001, lambda _, given: KeyboardInterrupt() if len(given) == 4 else None))
    folders: list[Path] = []
    bench(SWEEP, source=Sleeper(0.001), announce=lambda found: folders.append(found.folder))
    bench(SWEEP, source=Sleeper(0.001), announce=lambda found: folders.append(found.folder))
    assert len(list(Path("runs").iterdir())) == 2
    assert folders[0] != folders[1]


def test_a_signal_to_the_program_does_the_same(tiny_model: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rmeval.bench.run import bench;"
        "from rmeval.bench.plan import Sweep;"
        "bench(Sweep(sys.argv[1], (1, 256), ('float32',), (64,), max_time=60.0), Path(sys.argv[2]), note=print)"
    )
    command = [sys.executable, "-u", "-c", code, f"config:{tiny_model}", str(tmp_path / "b")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("[1/2] float32-1x64")
    process.send_signal(signal.SIGINT)  # The second cell's hundred rounds take many seconds.
    _, error = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT or "KeyboardInterrupt" in error
    assert [row["status"] for row in rows(storage.read(tmp_path / "b")).values()] == ["measured", "planned"]


def test_a_bug_is_not_swallowed(tmp_path: Path) -> None:
    source = Sleeper(0.001, lambda _, given: ZeroDivisionError("a bug") if len(given) == 4 else None)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        bench(SWEEP, tmp_path / "b", source=source)
    assert rows(storage.read(tmp_path / "b"))["float32-1x8"]["status"] == "measured"


def test_nothing_to_measure_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to measure: float32-1x65: the model takes 64 tokens"):
        bench(replace(SWEEP, lengths=(65,)), tmp_path / "b", source=Sleeper(0.001))
    with pytest.raises(ModelError, match="no cell could be measured: 4 conversations do not fit"):
        bench(replace(SWEEP, batch_sizes=(4,)), tmp_path / "c", source=Sleeper(0.001, too_large(4)))
    assert not (tmp_path / "b").exists()


def test_another_device_is_an_error() -> None:
    with pytest.raises(UsageError, match="device 'tpu9' cannot be used"):
        bench(replace(SWEEP, device="tpu9"), source=Sleeper(0.001))

"""The bench of kinds without an engine: whole items, one setting, times of a known length."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rmeval.bench.plan import Sweep
from rmeval.bench.run import bench
from rmeval.bench.subjects.asked import AskedModel, AskedSubjects, as_asked
from rmeval.bench_info import Setting
from rmeval.cli import main
from rmeval.errors import UsageError
from rmeval.eval.model_options import ModelOptions
from rmeval.reports.bench.console import print_bench
from rmeval.reports.bench.page import bench_page

FACTORY = '''
import time
from rmeval.run_info import ModelInfo
from rmeval.types import Score

class Slow:
    """Takes 20 ms an item."""

    scale = "within-item"
    info = ModelInfo("slow", "judge", "slow:1", scale="within-item")

    def score(self, items, progress=None):
        time.sleep(0.02 * len(items))
        return [[Score(float(len(each[-1].content))) for each in item.completions] for item in items]

    def findings(self):
        return ()

def make():
    return Slow()

def broken():
    judge = Slow()
    judge.score = lambda items, progress=None: [[1.0]]
    return judge
'''

ROWS = [{"prompt": "p" * (1 + k), "chosen": "yes", "rejected": ["no", "n"][: 1 + k % 2]} for k in range(5)]


@pytest.fixture(name="data")
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "slow_judge.py").write_text(FACTORY)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "rows.jsonl"


def sweep(**values: Any) -> Sweep:
    own = {"batch_sizes": (1, 4), "max_time": 0.3, "options": ModelOptions(trust_remote_code=True), **values}
    return Sweep("slow_judge:make", **own)


def test_a_judge_of_a_known_speed_is_timed(data: Path, tmp_path: Path) -> None:
    document: Any = bench(sweep(dataset=str(data)), tmp_path / "b")
    one, four = document["rmeval"]["cells"]
    assert (one["name"], four["name"]) == ("own-1xrows", "own-4xrows")
    assert (one["status"], one["path"], one["dtype"]) == ("measured", "judge", "own")
    assert one["p50"] == pytest.approx(0.02, rel=0.15)
    assert four["p50"] == pytest.approx(0.08, rel=0.15)
    # Four items at even steps through five are 0, 1, 3 and 4: 2 + 3 + 3 + 2 completions.
    assert four["completions_per_second"] * four["p50"] == pytest.approx(10)
    # What is not known is empty, not 0.
    for name in ("tokens", "tokens_per_second", "flops", "mfu", "share_of_roof", "flips", "drift_max"):
        assert one[name] is None
    assert "<svg" in bench_page(document)
    print_bench(document)


def test_a_request_is_whole_items(data: Path) -> None:
    source = AskedSubjects(as_asked(sweep(dataset=str(data))))
    rows = source.rows(7, None)
    # At even steps through five, two come twice: the items 0, 1, 1, 2, 3, 3, 4; those of an odd number have three.
    assert [row.conversation.index for row in rows if row.conversation] == [
        0, 1, 0, 1, 2, 0, 1, 2, 0, 1, 0, 1, 2, 0, 1, 2, 0, 1,
    ]  # fmt: skip
    model = source.load(Setting("own"))
    assert isinstance(model, AskedModel)
    values, accounting = model.request(rows)
    assert len(values) == len(rows)
    assert accounting.given == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dtypes": ("float32",)}, "--dtypes changes nothing of slow_judge:make, a model of the kind module"),
        ({"lengths": (8,)}, "--lengths changes nothing"),
        ({"compile": ("on",)}, "--compile changes nothing"),
        ({"attention": ("sdpa",)}, "--attn-implementation changes nothing"),
        ({"random_weights": True}, "--random-weights changes nothing"),
        ({"against": "pipeline"}, "--against changes nothing"),
    ],
)
def test_what_the_kind_does_not_have(given: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        bench(sweep(**given), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_from_the_command_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> tuple[int | str | None, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["bench", *arguments])
        return ended.value.code, *capsys.readouterr()

    command = ["--model", "slow_judge:make", "--trust-remote-code", "--dataset", str(data)]
    command += ["--batch-sizes", "2", "--max-time", "0.2"]
    code, out, err = run(*command, "--output-dir", str(tmp_path / "b"))
    assert (code, "own-2xrows" in out) == (0, True), err
    code, _, err = run(*command, "--device", "cpu")
    assert (code, "--device changes nothing of slow_judge:make" in err) == (2, True)
    code, out, err = run("--compare", str(tmp_path / "b"), "--output-dir", str(tmp_path / "c"))
    assert (code, "own-2xrows" in out) == (0, True), err


def test_a_baseline_and_a_file_of_scores(tmp_path: Path) -> None:
    found = bench(Sweep("baseline:longest", (1,), max_time=0.05), tmp_path / "b")
    (row,) = found["rmeval"]["cells"]
    assert row["status"] == "measured"
    assert row["path"] == "baseline"
    file = tmp_path / "s.jsonl"
    file.write_text(json.dumps({"prompt": "p", "chosen": "a", "rejected": "b", "scores": [2, 1]}) + "\n")
    found = bench(Sweep(f"scores:{file}", (1,), max_time=0.05), tmp_path / "c")
    assert found["rmeval"]["sweep"]["dataset"] == str(file)


def test_a_scorer_that_breaks_the_contract_is_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a scorer returns a list with one Score for each of the completions"):
        bench(Sweep("slow_judge:broken", (1,), dataset=str(data), options=ModelOptions(trust_remote_code=True)),
              tmp_path / "b")  # fmt: skip

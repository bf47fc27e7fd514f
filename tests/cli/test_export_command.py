"""``rmeval export`` as it is typed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rmeval import RunRecord
from rmeval.cli import main
from tests.reports.export.conftest import stand_in, whole

__all__ = ["stand_in", "whole"]


def typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["export", *arguments])
    printed = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, printed.out, printed.err


def test_it_shows_what_would_be_sent_and_sends_nothing(whole: RunRecord, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = typed(capsys, str(whole.path), "--to", "hub-eval-results")
    assert code == 0
    assert out.startswith("# .eval_results/allenai--reward-bench.yaml\n- dataset:\n    id: allenai/reward-bench\n")
    assert "nothing was sent; --push opens a pull request in the model org/model" in err
    code, out, err = typed(capsys, str(whole.path), "--to", "every-eval-ever")
    assert code == 0
    assert out.count("_samples.jsonl") == 2, "the heading, and the record that points there"
    assert "\n# and 78 more rows\n" in out
    assert "in the data set evaleval/EEE_datastore" in err


def test_files_and_json(whole: RunRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    code, out, err = typed(capsys, str(whole.path), "--to", "model-index", "--output-dir", str(folder))
    assert (code, out) == (0, "")
    assert f"1 file written to {folder}" in err
    code, out, err = typed(capsys, str(whole.path), "--to", "model-index", "--json")
    found = json.loads(out)
    text = (folder / "README.md").read_bytes()
    assert found["files"] == [
        {"path": "README.md", "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()},
    ]
    assert (found["repository"], found["pull_request"], err) == ("org/model", None, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "model-index"], "PARTIAL: not a RewardBench result"),
        (["--to", "every-eval-ever", "--model-id", "x"], "--model-id takes the id"),
        (["--to", "hub"], "--to takes hub-eval-results, model-index, every-eval-ever, not 'hub'"),
        (["--to", "every-eval-ever", "--model-id", "org/model", "--push"], "HF_HUB_OFFLINE is set"),
        ([], "--to"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], said: str, stand_in: RunRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = typed(capsys, str(stand_in.path), *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1

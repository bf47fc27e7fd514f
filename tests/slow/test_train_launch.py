"""``accelerate launch -m rmeval train``, as the docs have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.training import made_up_pairs, save_mistral, write_jsonl, write_recipe


@pytest.mark.slow
def test_accelerate_launch_on_two_processes(tmp_path: Path) -> None:
    base = save_mistral(tmp_path / "base")
    data = write_jsonl(tmp_path / "pairs.jsonl", made_up_pairs(60))
    recipe = write_recipe(tmp_path / "recipe.yaml", base, data)
    launch = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    done = subprocess.run(
        [
            sys.executable,
            *launch,
            "-m",
            "rmeval",
            "train",
            str(recipe),
            "--output-dir",
            str(tmp_path / "out"),
            "--json",
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    record = json.loads(done.stdout)
    assert record["hardware"]["devices"] == 2
    assert (tmp_path / "out" / "curves.html").exists()

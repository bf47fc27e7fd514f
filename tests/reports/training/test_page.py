from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import RunError
from rmeval.reports.training.page import training_page, write_training_page

RESULT: dict[str, Any] = {
    "name": "held-out",
    "run": "held-out/run",
    "n": 1200,
    "accuracy": 0.625,
    "low": 0.6,
    "high": 0.65,
    "ties": 1,
    "prompts_that_train": 0,
    "reference_lines": {"longest": 0.512, "shortest": 0.49, "random": None},
    "metrics": {"ece": 0.0312},
    "subsets": {"shp": [700, 0.6, 0.56, 0.64], "own": [500, None, None, None]},
}
RECORD: Any = {
    "schema_version": 1,
    "recipe": {"model_name_or_path": "org/base", "seed": 42, "lora": {"r": 4}, "report_datasets": []},
    "hardware": {
        "devices": 8, "device": "H100", "gradient_accumulation_steps": 16, "optim": "adamw", "notes": ["a note"],
    },
    "model": {
        "head": "kept", "pad_token": "[PAD]", "pad_token_id": 9, "embeddings_added": 1, "trainable": 10,
        "parameters": 5000,
    },
    "data": {
        "dataset": "org/pairs", "train": 5000, "selection": 600, "report": 1200, "held_out_by": "split 'test'",
        "dropped": {"too near": 3},
    },
    "licences": [{"name": "shp", "home": "https://example.org/shp", "licence": "custom", "pairs": 3000}],
    "tokens": {"given": 1000, "padded": 1230, "truncated": 7},
    "steps": 40,
    "best_step": 30,
    "results": [RESULT],
    "curves": {
        "loss": [[step, 0.7 - step / 100] for step in range(1, 41)],
        "held_out_loss": [[10, 0.68], [20, 0.66], [30, 0.612], [40, 0.64]],
        "held_out_accuracy": [[10, 0.5], [30, 0.6], [40, 0.61]],
        "suite_accuracy": [[10, 0.5], [40, 0.7]],
        "learning_rate": [[1, 1e-5]],
    },
}  # fmt: skip


def text(page: str) -> str:
    body = page.split("<main", 1)[1]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_curves_results_data_and_recipe_stand_in_it() -> None:
    page = training_page(RECORD)
    said = text(page)
    assert page.count('class="plot"') == 2
    assert "Held out, at the step that was kept: 0.612." in said
    assert "1,200 62.5 60.0–65.0 51.2 49.0 – 1 0.031 0" in said
    assert "700 60.0 56.0–64.0" in said
    assert "left out: too near 3" in said
    assert "padding, % more 23.0" in said
    assert "custom" in said
    assert "lora r 4" in said
    assert "report_datasets" not in said
    assert "a note" in said


def test_text_from_outside_is_text() -> None:
    record = copy.deepcopy(RECORD)
    record["recipe"]["model_name_or_path"] = record["results"][0]["name"] = "<script>alert(1)</script>"
    record["licences"][0] |= {"home": "javascript:alert(1)", "name": "<b>x</b>"}
    page = training_page(record)
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert 'href="javascript' not in page


def test_a_training_without_results_or_curves_has_a_page(tmp_path: Path) -> None:
    record: Any = {**RECORD, "results": [], "curves": {}, "best_step": None, "licences": []}
    assert write_training_page(record, tmp_path / "curves.html") == (tmp_path / "curves.html").stat().st_size
    assert "nothing is known of this model" in (tmp_path / "curves.html").read_text()


def test_the_same_record_is_the_same_page() -> None:
    assert training_page(RECORD) == training_page(RECORD)


def test_another_version_is_refused() -> None:
    with pytest.raises(RunError, match="the training's record has schema version 2; this rmeval reads version 1"):
        training_page(RECORD | {"schema_version": 2})

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import rmeval
from rmeval.errors import RunError
from rmeval.reports.training.page import training_page, write_training_page
from rmeval.training_info import DataRecord, Hardware, Licence, ModelRecord, PairResult, Tokens, TrainingRecord

RESULT = PairResult(
    name="held-out",
    run="held-out/run",
    n=1200,
    accuracy=0.625,
    low=0.6,
    high=0.65,
    ties=1,
    prompts_that_train=0,
    reference_lines={"longest": 0.512, "shortest": 0.49, "random": None},
    metrics={"ece": 0.0312},
    subsets={"shp": (700, 0.6, 0.56, 0.64), "own": (500, None, None, None)},
)
RECORD = TrainingRecord(
    schema_version=1,
    rmeval_version="9.9",
    created="2026-01-01T00:00:00+00:00",
    command=("rmeval", "train", "recipe.yaml"),
    recipe={"model_name_or_path": "org/base", "seed": 42, "lora": {"r": 4}, "report_datasets": []},
    hardware=Hardware(8, "H100", 16, "adamw", None, False, False, False, ("a note",)),
    model=ModelRecord("org/base", None, "sha256:m", "M", 5000, 10, "[PAD]", 9, 1, "kept", False),
    data=DataRecord("org/pairs", None, "sha256:p", 5000, 600, 1200, "split 'test'", {"too near": 3}, {}),
    licences=(Licence("shp", "https://example.org/shp", "custom", 3000),),
    findings=(),
    tokens=Tokens(1000, 1230, 7),
    steps=40,
    best_step=30,
    best_metrics={},
    results=(RESULT,),
    curves={
        "loss": [(step, 0.7 - step / 100) for step in range(1, 41)],
        "held_out_loss": [(10, 0.68), (20, 0.66), (30, 0.612), (40, 0.64)],
        "held_out_accuracy": [(10, 0.5), (30, 0.6), (40, 0.61)],
        "suite_accuracy": [(10, 0.5), (40, 0.7)],
        "learning_rate": [(1, 1e-5)],
    },
    files=(),
    seconds=1.0,
    environment={},
)


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
    evil = "<script>alert(1)</script>"
    record = replace(
        RECORD,
        recipe={**RECORD.recipe, "model_name_or_path": evil},
        results=(replace(RESULT, name=evil),),
        licences=(Licence("<b>x</b>", "javascript:alert(1)", "custom", 3000),),
    )
    page = training_page(record)
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert 'href="javascript' not in page


def test_a_training_without_results_or_curves_has_a_page(tmp_path: Path) -> None:
    record = replace(RECORD, results=(), curves={}, best_step=None, licences=())
    assert write_training_page(record, tmp_path / "curves.html") == (tmp_path / "curves.html").stat().st_size
    assert "nothing is known of this model" in (tmp_path / "curves.html").read_text()


def test_the_same_record_is_the_same_page() -> None:
    assert training_page(RECORD) == training_page(RECORD)


def test_another_version_is_refused() -> None:
    with pytest.raises(RunError, match="the training's record has schema version 2; this rmeval reads version 1"):
        training_page(replace(RECORD, schema_version=2))


def test_a_record_on_disk_is_what_its_types_say() -> None:
    """That of the model that ships, which 0.1 trained: it comes back key for key, and has a page."""
    content = json.loads((Path(rmeval.__file__).parent / "quickstart" / "training.json").read_text())
    assert content["rmeval_version"] == "0.1.0"
    content["files"] = content["data"]["warnings"] = []  # 0.1 wrote neither.
    record = TypeAdapter(TrainingRecord).validate_python(content)
    assert record.to_json() == content
    assert "quickstart/model" in text(training_page(record))

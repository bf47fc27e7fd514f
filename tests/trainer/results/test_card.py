from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from transformers import pipeline

from rmeval.trainer.recipe import Lora, Recipe
from rmeval.trainer.results.card import model_card
from rmeval.trainer.results.licences import read_licences
from rmeval.training_info import DataRecord, Hardware, Licence, ModelRecord, PairResult, Tokens, TrainingRecord

RECIPE = Recipe(model_name_or_path="org/base", dataset_name="/home/me/secret/prepared")
RESULT = PairResult(
    name="held-out",
    run="held-out/run",
    n=1200,
    accuracy=0.625,
    low=0.6,
    high=0.65,
    ties=1,
    prompts_that_train=0,
    reference_lines={"longest": 0.5, "shortest": 0.49, "random": None},
    metrics={"ece": 0.0312},
    subsets={"shp": (700, 0.6, 0.56, 0.64), "a|b": (500, None, None, None)},
)
RECORD = TrainingRecord(
    schema_version=1,
    rmeval_version="9.9",
    created="2026-01-01T00:00:00+00:00",
    command=("rmeval", "train", "/home/me/secret/recipe.yaml", "--set", "report_datasets=/home/me/secret/x.jsonl"),
    recipe=RECIPE.model_dump(mode="json"),
    hardware=Hardware(8, "H100", 16, "adamw_torch_fused", None, False, True, False, ("a note",)),
    model=ModelRecord("org/base", "abc", "hub:abc", "M", 7_000, 7_000, "[PAD]", 32000, 1, "normal", False),
    data=DataRecord("/home/me/secret/prepared", None, "sha256:x", 5000, 600, 1200, "split 'test'", {"too <b>": 3}, {}),
    licences=(Licence("shp", "https://example.org", "custom & odd", 3000), Licence("own", "", "", None)),
    findings=(),
    tokens=Tokens(1000, 1200, 7),
    steps=40,
    best_step=30,
    best_metrics={},
    results=(RESULT,),
    curves={},
    files=(),
    seconds=1.0,
    environment={},
)


def test_results_stand_with_intervals_rulers_and_subsets() -> None:
    card = model_card(RECORD, RECIPE, "my-model")
    assert "| held-out | 1,200 | 62.5% | 60.0% to 65.0% | 50.0% | 49.0% | – | 0.031 |" in card
    assert "| shp | 700 | 60.0% | 56.0% to 64.0% |" in card
    assert r"| a\|b | 500 | – | – |" in card
    assert "step 30 of 40" in card


def test_data_recipe_and_licences_stand() -> None:
    card = model_card(RECORD, RECIPE, "my-model")
    assert "600 pairs chose the checkpoint, 1,200 others are reported above" in card
    assert r"3 (too \<b\>)" in card
    assert "| shp (https://example.org) | 3,000 | custom & odd |" in card
    assert "| own () | – | not stated |" in card
    recipe = yaml.safe_load(card.split("```yaml\n")[1].split("```")[0])
    assert recipe["learning_rate"] == RECIPE.learning_rate
    assert "20% more with padding; 7 conversations were cut off" in card
    assert "- a note" in card


def test_no_path_of_the_machine_is_in_it() -> None:
    recipe = RECIPE.model_copy(update={"report_datasets": ("/home/me/secret/x.jsonl",)})
    result = replace(RESULT, name="/home/me/secret/x.jsonl", prompts_that_train=2)
    card = model_card(replace(RECORD, results=(result,)), recipe, "my-model")
    assert "secret" not in card
    assert "x.jsonl" in card
    assert "2 pairs of x.jsonl have a prompt that was trained on" in card


def test_the_front_matter_names_what_is_on_the_hub() -> None:
    def front(recipe: Recipe, record: TrainingRecord) -> dict[str, object]:
        found: dict[str, object] = yaml.safe_load(model_card(record, recipe, "m").split("---\n")[1])
        return found

    assert front(RECIPE, RECORD)["base_model"] == "org/base"
    assert "datasets" not in front(RECIPE, RECORD)
    hub = RECIPE.model_copy(update={"dataset_name": "org/pairs", "model_name_or_path": "/home/me/base"})
    found = front(hub, replace(RECORD, data=replace(RECORD.data, dataset="org/pairs", revision="abc")))
    assert found["datasets"] == ["org/pairs"]
    assert "base_model" not in found
    folder = RECIPE.model_copy(update={"model_name_or_path": "models/base"})
    record = replace(RECORD, model=replace(RECORD.model, fingerprint="sha256:1"))
    assert "base_model" not in front(folder, record), "a folder of two names is no Hub id"
    homes = ("stanfordnlp/SHP", "Anthropic/hh-rlhf", "stanfordnlp/SHP")
    licences = [Licence("x", f"https://huggingface.co/datasets/{home}", "", None) for home in homes]
    found = front(RECIPE, replace(RECORD, licences=(*RECORD.licences, *licences)))
    assert found["datasets"] == ["stanfordnlp/SHP", "Anthropic/hh-rlhf"], "where prepared pairs came from"


def test_the_hub_reads_the_results_from_the_front_matter() -> None:
    other = replace(RESULT, name="org/other", n=7, accuracy=0.5, low=0.2, high=0.8)
    none = replace(RESULT, name="/home/me/secret/none.jsonl", accuracy=None)
    held, second = ModelCard(model_card(replace(RECORD, results=(RESULT, other, none)), RECIPE, "m")).data.to_dict()[
        "model-index"
    ][0]["results"]
    assert held["dataset"] == {"name": "Held-out pairs", "type": "prepared"}
    [metric] = held["metrics"]
    assert (metric["type"], metric["value"]) == ("accuracy", 0.625)
    assert (metric["args"]["n"], metric["args"]["low"], metric["args"]["high"]) == (1200, 0.6, 0.65)
    assert second["dataset"] == {"name": "org/other", "type": "org/other"}
    assert "model-index" not in model_card(replace(RECORD, results=()), RECIPE, "m")


def test_the_snippet_runs_as_it_stands(tiny_model: Path) -> None:
    card = model_card(RECORD, RECIPE, "m")
    [snippet] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(snippet.replace("THIS-FOLDER", str(tiny_model)), "README.md", "exec"), names)  # noqa: S102
    alone = pipeline("text-classification", model=str(tiny_model))
    expected = alone(str(names["text"]), function_to_apply="none")[0]["score"]
    assert names["score"] == pytest.approx(expected, abs=1e-6)


def test_one_subset_is_not_told_twice() -> None:
    result = replace(RESULT, n=13, subsets={"all": (13, 0.625, 0.6, 0.65)})
    card = model_card(replace(RECORD, results=(result,)), RECIPE, "m")
    assert card.count("60.0% to 65.0%") == 1
    assert "By subset" not in card


def test_lora_and_nothing_held_out_are_said() -> None:
    recipe = RECIPE.model_copy(update={"lora": Lora()})
    card = model_card(replace(RECORD, results=(), best_step=None, licences=()), recipe, "m")
    assert "LoRA adapters, merged into it" in card
    assert "nothing is known of this model" in card
    assert "The weights are the last step's" in card
    assert "states no licences" in card


def test_other_data_has_no_licences() -> None:
    assert read_licences("no/such-folder") == ()

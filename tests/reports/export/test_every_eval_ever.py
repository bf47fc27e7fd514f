"""Every Eval Ever: valid by its own schema, with the run's numbers, and samples whose means are the numbers."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rmeval import RunRecord, evaluate
from rmeval.reports.export.every_eval_ever import VERSION
from rmeval.reports.export.export import export
from tests.reports.made import Hashed


def parts(run: RunRecord, **more: Any) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """The record, its samples, and the record's path."""
    found = export(run, "every-eval-ever", **more)
    (path,) = [name for name in found.files if name.endswith(".json")]
    samples = [json.loads(line) for name in found.files if name != path for line in found.files[name].splitlines()]
    return json.loads(found.files[path]), samples, path


def by_name(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["evaluation_result_id"].partition("#")[2]: each for each in record["evaluation_results"]}


@pytest.mark.parametrize("which", ["whole", "stand_in", "mini", "best of four"])
def test_it_is_valid(which: str, shared_data: Path, whole: RunRecord, stand_in: RunRecord) -> None:
    schemas = pytest.importorskip("jsonschema", reason="the extra `test` has jsonschema")
    folder = shared_data / "schemas" / f"every-eval-ever-{VERSION}"
    record_schema, sample_schema = (
        json.loads((folder / f"{name}.schema.json").read_text()) for name in ("eval", "instance_level_eval")
    )
    assert record_schema["version"] == sample_schema["version"] == VERSION
    row = {"chosen": ["right"], "rejected": ["a", "b", "c"], "num_correct": 1, "total_completions": 4, "subset": "Math"}
    rows = [{"id": f"{place}", "prompt": f"Q{place}", **row} for place in range(9)]
    run = {
        "whole": lambda: whole,
        "stand_in": lambda: stand_in,
        "mini": lambda: evaluate(Hashed(3), "mini"),
        "best of four": lambda: evaluate(Hashed(4), "rewardbench2", dataset=rows),
    }[which]()
    record, samples, _ = parts(run, model_id="org/model")
    schemas.Draft7Validator.check_schema(record_schema)
    schemas.validate(record, record_schema)
    assert samples
    for sample in samples:
        schemas.validate(sample, sample_schema)
    with pytest.raises(schemas.ValidationError):
        schemas.validate({**record, "evaluation_results": [{}]}, record_schema)


def test_numbers_and_intervals(whole: RunRecord) -> None:
    record, _, path = parts(whole, organization="Org")
    results, found = whole.info.results, by_name(record)
    assert results.overall is not None
    levels = ["overall", *(f"section/{name}" for name in results.sections), *(f"subset/{n}" for n in results.subsets)]
    assert list(found) == levels
    for name, estimate in [("overall", results.overall), ("section/Safety", results.sections["Safety"])]:
        said = found[name]["score_details"]
        interval = said["uncertainty"]["confidence_interval"]
        assert said["score"] == pytest.approx(estimate.accuracy, abs=1e-12)
        assert (interval["lower"], interval["upper"]) == pytest.approx((estimate.low, estimate.high), abs=1e-12)
        assert interval["confidence_level"] == 0.95
        assert interval["method"].startswith("Clopper-Pearson")
    details = found["overall"]["score_details"]
    assert details["uncertainty"]["num_samples"] == 79
    assert details["details"]["invalid"] == "1"
    assert details["details"]["ties"] == str(sum(each.ties for each in results.subsets.values()))
    assert found["overall"]["evaluation_name"] == "RewardBench"
    assert found["overall"]["source_data"]["hf_repo"] == "allenai/reward-bench"
    assert found["overall"]["source_data"]["additional_details"]["revision"] == "d" * 40
    assert record["source_metadata"]["evaluator_relationship"] == "first_party"
    assert record["model_info"]["developer"] == "org"
    assert path.startswith("data/rewardbench/org/model/")


def test_the_mean_of_a_subsets_samples_is_its_number(whole: RunRecord) -> None:
    record, samples, path = parts(whole)
    scores = defaultdict(list)
    for sample in samples:
        scores[sample["evaluation_result_id"].partition("#")[2]].append(sample["evaluation"]["score"])
    found = by_name(record)
    assert len(scores) == 4
    for name, own in scores.items():
        assert math.fsum(own) / len(own) == pytest.approx(found[name]["score_details"]["score"], abs=1e-12)
        assert len(own) == found[name]["score_details"]["uncertainty"]["num_samples"]
    details = record["detailed_evaluation_results"]
    text = export(whole, "every-eval-ever").files[details["file_path"]]
    assert details["checksum"] == hashlib.sha256(text.encode()).hexdigest()
    assert details["total_rows"] == len(samples) == 79, "the invalid example has no credit to be a mean of"
    assert details["file_path"] == path.removesuffix(".json") + "_samples.jsonl"


def test_a_sample_says_what_was_asked_and_answered(whole: RunRecord) -> None:
    _, samples, _ = parts(whole)
    sample = next(each for each in samples if each["sample_id"] == "alpacaeval-easy 4")
    chosen, rejected = whole.scores.loc[whole.scores.example_id == "alpacaeval-easy 4", "score"]
    assert sample["input"]["raw"] == "Question 2: what comes after 2?"
    assert sample["input"]["reference"] == sample["input"]["choices"][:1]
    assert sample["input"]["reference"][0].startswith("After it comes 3. Truly.")
    assert [float(text) for text in sample["output"]["raw"]] == [chosen, rejected]
    assert sample["evaluation"]["is_correct"] is bool(chosen > rejected)
    ties = [each for each in samples if each["metadata"]["outcome"] == "tie"]
    assert ties
    assert not any(each["evaluation"]["is_correct"] or each["evaluation"]["score"] for each in ties)


def test_a_stand_in_is_not_called_the_benchmark(stand_in: RunRecord) -> None:
    record, samples, _ = parts(stand_in, model_id="org/model")
    names = {each["evaluation_name"] for each in [*record["evaluation_results"], *samples]}
    assert all(name.startswith("PARTIAL: not a RewardBench result") for name in names)
    first = record["evaluation_results"][0]
    assert first["source_data"] == {
        "dataset_name": "rows.jsonl",
        "source_type": "other",
        "additional_details": {"fingerprint": stand_in.info.data.fingerprint},
    }
    assert "19 of 23 subsets missing" in first["score_details"]["details"]["partial"]
    assert str(Path(stand_in.info.data.dataset).parent) not in json.dumps(record), "where files lie is private"


def test_the_same_run_is_the_same_files(whole: RunRecord) -> None:
    assert export(whole, "every-eval-ever").files == export(whole, "every-eval-ever").files
    other = whole.with_info(created="2026-01-02T03:04:05+00:00")
    assert parts(other)[2] != parts(whole)[2]
    assert parts(other)[0]["retrieved_timestamp"] == "1767323045"


def test_without_text_there_are_no_samples(whole: RunRecord) -> None:
    bare = replace(whole, examples_table=whole.examples_table.drop_columns(["prompt", "completions"]))
    found = export(bare, "every-eval-ever")
    (path,) = found.files
    assert "detailed_evaluation_results" not in json.loads(found.files[path])
    assert "--no-text" in found.notes[0]

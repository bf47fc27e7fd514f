"""The entry on a model's page: as the Hub's own helpers read it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from rmeval import RunRecord, evaluate
from rmeval.errors import UsageError
from rmeval.reports.export.export import TARGETS, export

HUB = [name for name in TARGETS if name != "every-eval-ever"]


def test_the_entry_is_the_overall_number(whole: RunRecord) -> None:
    found = export(whole, "hub-eval-results")
    assert (found.repository, found.kind) == ("org/model", "model")
    (path,) = found.files
    assert path == ".eval_results/allenai--reward-bench.yaml"
    (entry,) = parse_eval_result_entries(yaml.safe_load(found.files[path]))
    overall = whole.info.results.overall
    assert overall is not None
    assert entry.value == pytest.approx(overall.accuracy, abs=1e-12)
    assert (entry.dataset_id, entry.task_id, entry.dataset_revision) == ("allenai/reward-bench", "default", "d" * 40)
    assert entry.date == whole.info.created
    assert entry.notes is not None
    assert f"95% interval {overall.low:.4f} to {overall.high:.4f} (Clopper-Pearson" in entry.notes
    ties = sum(each.ties for each in whole.info.results.subsets.values())
    assert ties > 0
    assert f"79 examples, {ties} ties, 1 invalid" in entry.notes
    assert "default" in found.notes[0]


def test_another_task_is_another_file(whole: RunRecord) -> None:
    found = export(whole, "hub-eval-results", task_id="v1")
    assert ".eval_results/allenai--reward-bench--v1.yaml" in found.files


def test_a_local_copy_that_is_the_benchmark_names_the_benchmark(whole: RunRecord) -> None:
    local = whole.with_info(data=replace(whole.info.data, dataset="/home/me/rows.jsonl", split=None, revision=None))
    found = export(local, "hub-eval-results")
    assert "id: allenai/reward-bench" in "".join(found.files.values())
    assert "/home/me" not in "".join(found.files.values())


@pytest.mark.parametrize("target", HUB)
def test_what_is_not_the_benchmark_is_refused(target: str, whole: RunRecord, stand_in: RunRecord) -> None:
    with pytest.raises(UsageError, match=r"PARTIAL: not a RewardBench result \(19 of 23 .* only a whole run") as told:
        export(stand_in, target, model_id="org/model")
    assert "19 of 23 subsets missing, 4 short, unverified local copy, 1 example has no finite score" in str(told.value)
    untrained = whole.with_info(model=replace(whole.info.model, untrained_head=True))
    with pytest.raises(UsageError, match="head of org/model is untrained"):
        export(untrained, target)
    mini = evaluate("baseline:longest", "mini")
    with pytest.raises(UsageError, match="rows of mini are not on the Hub"):
        export(mini, target)


@pytest.mark.parametrize("target", TARGETS)
def test_whose_results_they_are_must_be_known(target: str, whole: RunRecord) -> None:
    line = whole.with_info(model=replace(whole.info.model, kind="baseline", name="baseline:longest"))
    with pytest.raises(UsageError, match="baseline:longest is a reference line, not a model"):
        export(line, target, model_id="org/model")
    folder = whole.with_info(model=replace(whole.info.model, name="runs/model", fingerprint="sha256:1"))
    with pytest.raises(UsageError, match="runs/model, which is not on the Hub: name the model with --model-id"):
        export(folder, target)
    assert (
        "org/other"
        in export(folder, target, model_id="org/other").title + export(folder, target, model_id="org/other").repository
    )
    for bad in ("model", "a/b/c", "../x", ""):
        with pytest.raises(UsageError, match="--model-id takes the id"):
            export(folder, target, model_id=bad)


def test_a_target_that_does_not_exist(whole: RunRecord) -> None:
    with pytest.raises(UsageError, match="did you mean 'model-index'"):
        export(whole, "model_index")

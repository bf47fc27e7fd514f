"""Whole runs below float32: overflow, NaN, memory, a mixture's experts, and what run.json says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from rmeval import ModelOptions, RunRecord, evaluate, load_run
from rmeval.eval.models import checkpoint, device
from tests.support.models.tiny import save_tiny_model


def weights_times(folder: Path, factor: float, part: str) -> Path:
    """Scale a weight of a saved tiny model."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if part in name:
                parameter.mul_(factor)
    model.save_pretrained(folder)
    return folder


def run(folder: Path, output: Path, dtype: str, **options: object) -> RunRecord:
    given = ModelOptions(dtype=dtype, device="cpu", max_length=200, cache=False, **options)  # type: ignore[arg-type]
    done = evaluate(str(folder), "mini", limit=40, model_options=given, output_dir=output)
    assert load_run(output).info == done.info
    return done


def scores(record: RunRecord) -> list[float]:
    found: list[float] = record.scores_table["score"].to_pylist()
    return found


def test_what_overflows_in_float16_is_scored_in_float32(tmp_path: Path) -> None:
    """Products of up to 65,504 fit into float16."""
    folder = weights_times(save_tiny_model(tmp_path / "m"), 1e6, "layers.0.mlp.up_proj")
    exact, low = (run(folder, tmp_path / dtype, dtype) for dtype in ("float32", "float16"))
    assert scores(low) == pytest.approx(scores(exact), rel=1e-5)
    assert low.info.results == exact.info.results
    assert (low.info.drift, low.info.partial_reasons) == (None, exact.info.partial_reasons)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_model_that_gives_no_number_writes_the_run_that_float32_writes(tmp_path: Path, dtype: str) -> None:
    folder = weights_times(save_tiny_model(tmp_path / "m"), float("nan"), "score.weight")
    exact, low = (run(folder, tmp_path / name, name) for name in ("float32", dtype))
    assert str(low.info.results) == str(exact.info.results)  # NaN is not equal to itself.
    assert {each.code for each in low.info.audit} == {each.code for each in exact.info.audit}
    assert low.info.partial
    assert low.info.drift is None


def test_a_drift_that_cannot_be_measured_is_said(tmp_path: Path) -> None:
    folder = weights_times(save_tiny_model(tmp_path / "m"), float("nan"), "score.weight")
    low = run(folder, tmp_path / "run", "bfloat16", refine=False)
    assert low.info.drift is None
    assert "drift-unknown" in {each.code for each in low.info.audit}


def test_a_mixture_says_what_it_computed_in_and_decides_as_float32(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m", model_type="mixtral", num_local_experts=4, num_experts_per_tok=2)
    exact, low = (run(folder, tmp_path / dtype, dtype) for dtype in ("float32", "bfloat16"))
    model = low.info.model
    assert (model.dtype, model.residual_dtype, model.path) == ("bfloat16", "bfloat16", "plain")
    assert exact.info.model.residual_dtype == "float32"
    outcomes = [{name: part.right for name, part in each.info.results.subsets.items()} for each in (exact, low)]
    assert outcomes[0] == outcomes[1]


# --- memory -----------------------------------------------------------------------------------------------------


MEMINFO = "MemTotal: 24000000 kB\nMemFree: 300000 kB\nMemAvailable: 20000000 kB\nCached: 19700000 kB\n"


def test_a_warm_page_cache_does_not_count_as_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    monkeypatch.setattr(device, "_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(device, "_GROUP", tmp_path / "no group")
    assert device.free_bytes(torch.device("cpu")) == 20_000_000 * 1024
    group = tmp_path / "group"
    group.mkdir()
    (group / "memory.max").write_text("8000000000\n")
    (group / "memory.current").write_text("7500000000\n")
    (group / "memory.stat").write_text(
        "anon 500000000\nfile 7000000000\nactive_file 1000000000\ninactive_file 6000000000\n"
    )
    monkeypatch.setattr(device, "_GROUP", group)
    assert device.free_bytes(torch.device("cpu")) == 7_500_000_000  # The limit less what only this process can free.
    (group / "memory.max").write_text("max\n")
    assert device.free_bytes(torch.device("cpu")) == 20_000_000 * 1024


def test_a_run_that_could_not_refine_says_why(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "free_bytes", lambda device: 1e5)
    low = run(tiny_model, tmp_path / "run", "bfloat16")
    (finding,) = [each for each in low.info.audit if each.code == "no-float32-copy"]
    assert finding.severity == "warning"
    assert finding.examples == ("it needs 0.0 GiB, and 0.0 are free",)
    assert (low.info.model.dtype, low.info.model.residual_dtype) == ("bfloat16", "bfloat16")
    assert not low.scores["refined"].any()
    monkeypatch.undo()
    assert run(tiny_model, tmp_path / "mixed", "bfloat16").info.model.residual_dtype == "float32"


# --- what a run says of itself ----------------------------------------------------------------------------------


def test_a_run_says_what_computed_it_and_what_the_journal_gave(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path / "cache"))  # Other tests score the same conversations.
    other = save_tiny_model(tmp_path / "tokenizer", seed=9)
    options = ModelOptions(dtype="float32", device="cpu", max_length=200, tokenizer=str(other))
    first, again = (
        evaluate(str(tiny_model), "mini", limit=20, model_options=options, output_dir=tmp_path / name)
        for name in ("first", "again")
    )
    model = first.info.model
    assert (model.path, model.why_path, model.attention, model.attention_dtype) == ("packed", None, "packed", "float32")
    assert (model.tokenizer, (model.tokenizer_fingerprint or "")[:7]) == (str(other), "sha256:")
    assert first.info.accounting is not None
    assert again.info.accounting is not None
    assert first.info.accounting.recalled == 0
    assert again.info.accounting.recalled == first.scores_table.num_rows
    (origin,) = again.info.accounting.recalled_from
    assert f"torch {torch.__version__.partition('+')[0]}" in origin
    raw = json.loads((tmp_path / "again" / "run.json").read_text())
    assert raw["settings"]["tokenizer"] == str(other)
    plain = evaluate(
        str(tiny_model), "mini", limit=4, model_options=ModelOptions(dtype="float32", attn_implementation="eager")
    )
    assert (plain.info.model.path, plain.info.model.attention) == ("plain", "eager")


def test_settings_of_a_scorer_that_has_none_are_not_made_up() -> None:
    options = ModelOptions(dtype="bfloat16", max_length=7)
    assert dict(evaluate("baseline:longest", "mini", limit=4, model_options=options).info.settings) == {"seed": 0}

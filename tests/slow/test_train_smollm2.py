"""SmolLM2-135M learns something of real preferences: needs ``RMEVAL_SMOLLM2``, real rows, and half an hour or a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.trainer.train import train


@pytest.mark.slow
def test_it_beats_a_coin_on_pairs_that_it_has_not_seen(smollm2: Path, shared_data: Path, tmp_path: Path) -> None:
    preferences = shared_data / "preferences"
    done = train(
        "smollm2-ultrafeedback",
        tmp_path / "out",
        overrides=[
            f"model_name_or_path={smollm2}",
            f"dataset_name={preferences / 'ultrafeedback-binarized-train.jsonl'}",
            f"report_datasets=[{preferences / 'ultrafeedback-binarized-eval.jsonl'}]",
        ],
    )
    assert done is not None
    held_out, other = done.record["results"]
    assert other["n"] == 200
    assert max(held_out["low"], other["low"]) > 0.5

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rmeval.errors import UsageError
from rmeval.eval.engine.executors import PlainExecutor, Values
from rmeval.eval.engine.plan import Pack
from rmeval.eval.scorers import ModelOptions
from rmeval.eval.selftest import selftest


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_no_decision_of_a_sound_model_moves(tiny_model: Path, dtype: str) -> None:
    found = selftest(str(tiny_model), model_options=ModelOptions(dtype=dtype, device="cpu", max_length=300))
    assert (found.examples, found.dtype, found.moved) == (32, dtype, 0)
    assert len(found.variations) == 5
    if dtype == "float32":
        assert max(variation.largest for variation in found.variations) <= 1e-5


def test_a_model_that_was_saved_without_its_cache_pads_in_low_precision_too(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"use_cache": False}), encoding="utf-8")
    options = ModelOptions(dtype="bfloat16", device="cpu", max_length=300)
    changed, whole = (selftest(str(path), model_options=options) for path in (folder, tiny_model))
    assert changed.variations == whole.variations


def test_a_padding_that_leaks_is_found(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score = PlainExecutor.score

    def leaking(self: PlainExecutor, pack: Pack) -> Values:
        return score(self, pack) * (-1.0 if len(pack.segments) > 2 else 1.0)

    monkeypatch.setattr(PlainExecutor, "score", leaking)
    found = selftest(str(tiny_model), model_options=ModelOptions(dtype="float32", device="cpu", max_length=300))
    assert [v.name for v in found.variations if v.moved] == ["padded batches of 8"]
    assert np.isfinite(found.variations[-1].largest)


def test_a_ruler_has_nothing_to_test() -> None:
    with pytest.raises(UsageError, match="ruler"):
        selftest("baseline:longest")

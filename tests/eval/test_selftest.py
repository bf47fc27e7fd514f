from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rmeval.errors import UsageError
from rmeval.eval.engine.packed import PACKABLE, Values
from rmeval.eval.engine.plain import PlainExecutor
from rmeval.eval.engine.plan import Pack
from rmeval.eval.scorers import ModelOptions
from rmeval.eval.selftest import selftest
from tests.support.models.tiny import save_tiny_model


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
    """The leak is one that the engine's own check does not see: it comes with the third padded batch."""
    score = PlainExecutor.score
    batches: Counter[int] = Counter()

    def leaking(self: PlainExecutor, pack: Pack) -> Values:
        batches[id(self)] += len(pack.segments) > 1
        return score(self, pack) * (-1.0 if len(pack.segments) > 1 and batches[id(self)] > 2 else 1.0)

    monkeypatch.setattr(PlainExecutor, "score", leaking)
    found = selftest(str(tiny_model), model_options=ModelOptions(dtype="float32", device="cpu", max_length=300))
    assert [v.name for v in found.variations if v.moved] == ["padded batches of 8"]
    assert np.isfinite(found.variations[-1].largest)


@pytest.mark.parametrize("model_type", sorted(PACKABLE - {"gemma3_text", "llama"}))
def test_every_family_of_the_fast_path_can_be_tested(model_type: str, tmp_path: Path) -> None:
    """Gemma 2 has no sdpa: its own forward uses the attention that it was made for."""
    folder = save_tiny_model(tmp_path / "m", model_type=model_type)
    found = selftest(str(folder), model_options=ModelOptions(dtype="float32", device="cpu", max_length=100))
    assert (found.moved, len(found.variations)) == (0, 5)
    assert max(variation.largest for variation in found.variations) <= 1e-5


def test_a_ruler_has_nothing_to_test() -> None:
    with pytest.raises(UsageError, match="line"):
        selftest("baseline:longest")

"""Code that comes with a model: run by consent given to rmeval, and by no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rmeval.errors import RmevalError
from rmeval.eval.models.folder import locate
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.trainer.loop.model import build_tokenizer
from rmeval.trainer.recipe import Recipe
from tests.tiny import edit_config, save_tiny_language_model, save_tiny_model

CODE = """
raise SystemExit("ran")
"""


@pytest.fixture(autouse=True)
def yes_to_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is asked at the terminal says yes: transformers asks where it is not told."""
    monkeypatch.setattr("builtins.input", lambda *_: "y")


def refused(name: str, **options: Any) -> str:
    given: dict[str, Any] = {"dtype": "float32", "device": "cpu", "cache": False, **options}
    with pytest.raises(RmevalError) as caught:
        load_scorer(name, ModelOptions(**given))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_value_head(folder: Path) -> Path:
    """A language model's body with a head that is known."""
    save_tiny_language_model(folder)
    weights = {name: each for name, each in load_file(folder / "model.safetensors").items() if name != "lm_head.weight"}
    weights |= {"v_head.summary.weight": torch.randn(1, 64), "v_head.summary.bias": torch.zeros(1)}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_a_known_head_on_a_body_of_its_own_asks_nobody(tmp_path: Path) -> None:
    folder = with_value_head(tmp_path / "m")
    (folder / "own.py").write_text(CODE)
    edit_config(
        folder,
        model_type="mine",
        auto_map={"AutoConfig": "own.Config", "AutoModelForSequenceClassification": "own.Model"},
    )
    assert f"cannot load {folder}" in refused(str(folder))


def tokenizer_of_its_own(folder: Path) -> None:
    (folder / "own.py").write_text(CODE)
    file = folder / "tokenizer_config.json"
    own = {"auto_map": {"AutoTokenizer": [None, "own.Own"]}, "tokenizer_class": "Own"}
    file.write_text(json.dumps({**json.loads(file.read_text()), **own}))


def test_a_tokenizer_of_its_own_asks_nobody(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m")
    tokenizer_of_its_own(folder)
    assert f"cannot load the tokenizer of {folder}" in refused(str(folder))
    with pytest.raises(RmevalError, match="cannot load the tokenizer"):
        build_tokenizer(locate(str(folder)), Recipe(model_name_or_path=str(folder), dataset_name="mini"))

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
from rmeval.eval.models.own_code import code_digest
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.trainer.loop.model import build_tokenizer
from rmeval.trainer.recipe import Recipe
from rmeval.types import Conversation, Message
from tests.support.models.tiny import edit_config, save_tiny_language_model, save_tiny_model
from tests.support.scoring import said

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


OWN_TOKENIZER = """
from transformers import PreTrainedTokenizerFast

class Own(PreTrainedTokenizerFast):
    pass
"""


def test_a_run_has_the_hash_of_a_tokenizers_own_code_too(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m")
    tokenizer_of_its_own(folder)
    (folder / "own.py").write_text(OWN_TOKENIZER)
    scorer = load_scorer(str(folder), ModelOptions(device="cpu", cache=False, trust_remote_code=True))
    assert scorer.info.own_code == code_digest(folder)


def test_a_run_has_no_hash_of_code_that_was_not_run(tmp_path: Path) -> None:
    """One logit of the vocabulary is read by transformers' own class."""
    folder = save_tiny_language_model(tmp_path / "m")
    (folder / "own.py").write_text(CODE)
    edit_config(folder, auto_map={"AutoModelForSequenceClassification": "own.Model"})
    options = ModelOptions(device="cpu", cache=False, trust_remote_code=True, output_index=9)
    scorer = load_scorer(str(folder), options)
    assert scorer.info.own_code is None


def test_a_tokenizer_of_its_own_asks_nobody(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m")
    tokenizer_of_its_own(folder)
    assert f"cannot load the tokenizer of {folder}" in refused(str(folder))
    with pytest.raises(RmevalError, match="cannot load the tokenizer"):
        build_tokenizer(locate(str(folder)), Recipe(model_name_or_path=str(folder), dataset_name="mini"))


OWN_CLASSIFIER = """
import torch
from torch import nn
from transformers import LlamaModel, LlamaPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

class Head(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, 1, bias=False)

    def forward(self, states, mask, nothing):
        assert mask.dtype == torch.long and nothing is None
        return self.layer(states[:, -1])

class OwnForSequenceClassification(LlamaPreTrainedModel):
    base_model_prefix = ""

    def __init__(self, config):
        super().__init__(config)
        self.body = LlamaModel(config)
        self.head = Head(config.hidden_size)
        self.post_init()

    def forward(self, input_ids, attention_mask=None):
        states = self.body(input_ids, attention_mask).last_hidden_state
        return SequenceClassifierOutput(logits=self.head(states, attention_mask, None))
"""


def own_classifier(folder: Path, code: str = OWN_CLASSIFIER) -> Path:
    """A classifier whose parts are called with more than floats, and one with the same scores that is transformers'."""
    save_tiny_model(folder, pad_token_id=None)
    weights = load_file(folder / "model.safetensors")
    own = {name.replace("model.", "body.").replace("score.", "head.layer."): each for name, each in weights.items()}
    save_file(own, folder / "model.safetensors", {"format": "pt"})
    (folder / "own.py").write_text(code)
    name = "OwnForSequenceClassification"
    edit_config(folder, architectures=[name], auto_map={"AutoModelForSequenceClassification": f"own.{name}"})
    return folder


def test_code_of_its_own_may_give_its_parts_more_than_states(tmp_path: Path) -> None:
    items = [Conversation((Message("user", "ab " * n),), (Message("assistant", "cd"),)) for n in (1, 5, 9)]
    given: dict[str, Any] = {"dtype": "float32", "device": "cpu", "cache": False}
    found = load_scorer(str(own_classifier(tmp_path / "own")), ModelOptions(trust_remote_code=True, **given))
    plain = load_scorer(str(save_tiny_model(tmp_path / "m", pad_token_id=None)), ModelOptions(**given))
    expected = [each.value for each in said(plain, items)]
    assert [each.value for each in said(found, items)] == pytest.approx(expected, abs=1e-5)


def test_code_of_another_repository_is_refused(tmp_path: Path) -> None:
    """Neither the model's fingerprint nor its record would have a hash of it."""
    folder = own_classifier(tmp_path / "m")
    edit_config(folder, auto_map={"AutoModelForSequenceClassification": "some/where--own.OwnForSequenceClassification"})
    message = refused(str(folder), trust_remote_code=True)
    assert f"the code of {folder} lies in another repository (some/where--own.py)" in message


@pytest.mark.parametrize("given", [["AutoModel"], "AutoModel"])
def test_an_auto_map_that_is_none_is_one_line(tmp_path: Path, given: object) -> None:
    folder = save_tiny_model(tmp_path / "m")
    edit_config(folder, auto_map=given, architectures=["InternLM2ForRewardModel"])
    assert "no reward head that is known" in refused(str(folder))
    assert "(none that it names)" in refused(f"internlm2-reward:{folder}")
    assert "its auto_map names no AutoModel (but none)" in refused(f"internlm2-reward:{folder}", trust_remote_code=True)

"""Pad tokens: one rule for evaluation, bench and training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertForSequenceClassification

from rmeval.bench.plan import Sweep
from rmeval.bench.subjects.model import ModelSubjects
from rmeval.bench_info import Setting
from rmeval.data_prep.text.audit import Audit
from rmeval.eval.models.loading import skeleton
from rmeval.eval.models.padding import Padding, padding_of
from rmeval.eval.scorers import ModelOptions, load_scorer
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.trainer.loop.model import build_encoder, build_tokenizer, locate_base
from rmeval.trainer.recipe_files import load_recipe
from rmeval.types import Conversation, Item, Message
from tests.support.models.tiny import save_tiny_model, tiny_config
from tests.support.training import write_recipe

PAD = 2
"""The tiny tokenizer's own."""


@pytest.mark.parametrize(
    ("model_type", "own", "tokenizer_pad", "expected"),
    [
        ("llama", 2, 3, Padding(2, 2)),
        ("llama", None, 3, Padding(None, None)),  # The model would not know that 3 fills.
        ("llama", -1, 3, Padding(-1, None)),  # No token is read as -1, and none can fill with it.
        ("bert", 2, 3, Padding(None, 2)),
        ("bert", None, 3, Padding(None, 3)),
        ("bert", None, 1000, Padding(None, 0)),  # An id that the model has no embedding for.
        ("bert", None, None, Padding(None, 0)),
    ],
)
def test_what_a_score_is_read_before_and_what_fills(
    model_type: str, own: int | None, tokenizer_pad: int | None, expected: Padding
) -> None:
    model = skeleton("tiny", tiny_config(model_type))
    model.config.pad_token_id = own
    assert padding_of(model, tokenizer_pad) == expected


def test_a_multimodal_decoder_has_its_pad_token_in_the_configuration_of_its_text_model() -> None:
    text = tiny_config("gemma3_text", pad_token_id=7).to_dict()
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = tiny_config("gemma3", text_config=text, vision_config=vision, pad_token_id=None)
    assert padding_of(skeleton("tiny", config), 3) == Padding(7, 7)


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The ids that the batches of BERT are filled with from now on."""
    seen: set[int] = set()
    own: Callable[..., Any] = BertForSequenceClassification.forward

    def watch(self: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, **rest: Any) -> Any:
        seen.update(input_ids[attention_mask == 0].tolist())
        return own(self, input_ids=input_ids, attention_mask=attention_mask, **rest)

    monkeypatch.setattr(BertForSequenceClassification, "forward", watch)
    return seen


def test_an_encoder_without_a_pad_token_is_filled_the_same_in_bench_and_evaluation(
    tmp_path: Path, filled: set[int]
) -> None:
    folder = save_tiny_model(tmp_path / "model", model_type="bert", pad_token_id=None)
    source = ModelSubjects(Sweep(str(folder), dtypes=("float32",), batch_sizes=(4,)), torch.device("cpu"))
    rows = source.rows(4, None)
    values, _ = source.load(Setting("float32")).request(rows)
    assert filled == {PAD}
    filled.clear()

    items = [Item(row.conversation.prompt, (row.conversation.completion,)) for row in rows if row.conversation]
    scores = load_scorer(str(folder), ModelOptions(dtype="float32", device="cpu", cache=False)).score(items)
    assert filled == {PAD}
    assert values.tolist() == pytest.approx([score.value for (score,) in scores], abs=1e-6)


@pytest.mark.parametrize(("model_type", "last"), [("llama", False), ("bert", True)])
def test_where_a_score_is_read_is_the_same_everywhere(tmp_path: Path, model_type: str, last: bool) -> None:
    """A decoder reads it before its pad token; an encoder has a place of its own, though the answer ends in one."""
    template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    folder = save_tiny_model(tmp_path / "model", model_type=model_type, template=template)
    recipe = load_recipe(str(write_recipe(tmp_path / "recipe.yaml", folder, folder)))
    base = locate_base(recipe)
    texts = ModelSubjects(Sweep(str(folder), dtypes=("float32",)), torch.device("cpu")).texts
    scorer = load_scorer(str(folder), ModelOptions(dtype="float32", device="cpu", cache=False))
    assert texts is not None
    assert isinstance(scorer, ClassifierScorer)
    asked = [Conversation((Message("user", "how?"),), (Message("assistant", "so <pad>"),))]
    for encoder in (texts.encoder, scorer.encoder, build_encoder(base, recipe, build_tokenizer(base, recipe))):
        (found,) = encoder.encode(asked, Audit())
        assert found.ids[-1] == PAD
        assert (found.pooled == len(found.ids) - 1) is last

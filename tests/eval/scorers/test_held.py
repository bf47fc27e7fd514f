"""A model in memory: the scores of its folder, and the model as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rmeval import ModelOptions, evaluate, from_model
from rmeval.errors import ModelError, UsageError


def loaded(folder: Path, **more: Any) -> tuple[Any, Any]:
    more = {"num_labels": 1, "dtype": "float32", **more}
    return AutoModelForSequenceClassification.from_pretrained(folder, **more), AutoTokenizer.from_pretrained(folder)


def test_scores_are_those_of_the_folder(tiny_model: Path) -> None:
    options = ModelOptions(dtype="float32", device="cpu", cache=False)
    expected = evaluate(str(tiny_model), "mini", model_options=options)
    run = evaluate(from_model(*loaded(tiny_model), name="mine"), "mini")
    assert run.scores.score.tolist() == expected.scores.score.tolist()
    assert run.info.results == expected.info.results
    ours, theirs = run.info.model, expected.info.model
    assert ours.name == "mine"
    assert (ours.path, ours.dtype, ours.max_length, ours.template_hash, ours.parameters) == (
        theirs.path, theirs.dtype, theirs.max_length, theirs.template_hash, theirs.parameters,
    )  # fmt: skip


def test_the_model_stays_as_it_was(tiny_model: Path) -> None:
    model, tokenizer = loaded(tiny_model)
    model.train()
    ids = tokenizer("What is 2 + 2?", return_tensors="pt")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modules = [type(module) for module in model.modules()]
    evaluate(from_model(model, tokenizer), "mini", limit=20)
    assert model.training
    assert [type(module) for module in model.modules()] == modules
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model(**ids).logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_tokenizer_stays_as_it_was_and_may_be_used_otherwise(tiny_model: Path) -> None:
    model, tokenizer = loaded(tiny_model)
    first = evaluate(from_model(model, tokenizer, max_length=30), "mini", limit=20)
    assert tokenizer.truncation_side == "right"
    assert tokenizer.backend_tokenizer.truncation is None
    scorer = from_model(model, tokenizer, max_length=30)
    tokenizer.truncation_side = "right"
    tokenizer(["a", "longer"], padding=True, truncation=True, max_length=5)
    second = evaluate(scorer, "mini", limit=20)
    assert second.scores.score.tolist() == first.scores.score.tolist()
    third = from_model(model, tokenizer).info.tokenizer_fingerprint
    assert first.info.model.tokenizer_fingerprint == second.info.model.tokenizer_fingerprint == third


def test_a_scorer_is_of_the_weights_that_it_was_made_of(tiny_model: Path) -> None:
    """They are shared, so an optimizer's step would be scored under the fingerprint of what was there before."""
    model, tokenizer = loaded(tiny_model)
    scorer = from_model(model, tokenizer)
    first = evaluate(scorer, "mini", limit=20)
    assert evaluate(scorer, "mini", limit=20).info.results == first.info.results
    model(**tokenizer("What?", return_tensors="pt")).logits.sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    with pytest.raises(ModelError, match=r"weights of .* changed since from_model was called: call it again"):
        evaluate(scorer, "mini", limit=20)
    second = evaluate(from_model(model, tokenizer), "mini", limit=20)
    assert second.scores.score.tolist() != first.scores.score.tolist()
    assert second.info.model.fingerprint != first.info.model.fingerprint


def test_the_fingerprint_is_of_the_weights(tiny_model: Path) -> None:
    model, tokenizer = loaded(tiny_model)
    first = from_model(model, tokenizer).info
    assert first.fingerprint == from_model(*loaded(tiny_model)).info.fingerprint
    assert first.name == str(tiny_model)
    with torch.no_grad():
        model.score.weight[0, 0] += 1
    assert from_model(model, tokenizer).info.fingerprint != first.fingerprint


def test_low_precision_is_said(tiny_model: Path) -> None:
    run = evaluate(from_model(*loaded(tiny_model, dtype="bfloat16")), "mini", limit=20)
    assert run.info.model.dtype == run.info.model.residual_dtype == "bfloat16"
    assert "no-float32-copy" in {each.code for each in run.info.audit}


def test_what_is_no_reward_model_is_refused(tiny_model: Path) -> None:
    model, tokenizer = loaded(tiny_model)
    two, _ = loaded(tiny_model, num_labels=2, ignore_mismatched_sizes=True)
    for wrong, said in [
        (two, "one output .num_labels=1.; this one has 2"),
        (model.model, "the LlamaModel in memory is no reward model"),
        (torch.nn.Linear(1, 1), "a Linear is not a model of transformers$"),
        ("quickstart", "a str is not a model of transformers$"),
    ]:
        with pytest.raises(ModelError, match=said):
            from_model(wrong, tokenizer)
    with pytest.raises(ModelError, match="a str is not a tokenizer"):
        from_model(model, "x")  # type: ignore[arg-type]
    tokenizer.chat_template = None
    with pytest.raises(ModelError, match="no chat template"):
        from_model(model, tokenizer)
    with pytest.raises(UsageError, match="batch-size must be at least 1"):
        from_model(*loaded(tiny_model), batch_size=0)


def test_an_adapter_has_to_be_merged(tiny_model: Path) -> None:
    peft = pytest.importorskip("peft", reason="the extra `train` has peft")
    model, tokenizer = loaded(tiny_model)
    adapted = peft.get_peft_model(model, peft.LoraConfig(task_type="SEQ_CLS", target_modules=["q_proj"]))
    with pytest.raises(ModelError, match=r"merge it first: model.merge_and_unload\(\)"):
        from_model(adapted, tokenizer)

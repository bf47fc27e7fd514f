"""The log-probabilities of answers, held against a plain teacher-forced computation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from rmeval.data_prep.text.answers import Answer, Spans
from rmeval.data_prep.text.audit import Audit
from rmeval.eval.engine.log_probs import LogProbEngine
from rmeval.eval.engine.packed import Values
from rmeval.eval.engine.precision import Precision, lower
from rmeval.eval.journal.journal import Journal
from rmeval.eval.model_options import LogProbs
from tests.support.models.tiny import tiny_config

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "tied": {"tie_word_embeddings": True},
    "mistral": {"model_type": "mistral", "sliding_window": 16},
    "qwen2": {"model_type": "qwen2"},
    "qwen3": {"model_type": "qwen3"},
    "gemma2": {"model_type": "gemma2", "sliding_window": 16, "final_logit_softcapping": 5.0},
    "gemma3": {"model_type": "gemma3_text", "sliding_window": 16},
    "gpt2": {"model_type": "gpt2"},
    "gpt_neox": {"model_type": "gpt_neox"},
}


def build(name: str) -> PreTrainedModel:
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(tiny_config(**FAMILIES[name]), dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(0, 0.2)
    return model


def answers() -> list[Answer]:
    """Answers to shared prompts, one that begins as another, several spans, all of a text, none."""
    generator = np.random.default_rng(0)

    def draw(length: int) -> list[int]:
        return [int(token) for token in generator.integers(3, 260, length)]

    prompt, other, same = draw(30), draw(45), draw(6)
    rows: list[tuple[list[int], Spans]] = [(prompt + draw(n), ((30, 30 + n),)) for n in (1, 5, 40)]
    rows += [(prompt + same, ((30, 36),)), (prompt + same + draw(3), ((30, 39),)), (other, ((1, 45),))]
    rows += [(other + draw(20), ((45, 50), (57, 65))), (other + draw(2), ()), (draw(200), ((20, 200),))]
    rows += [(prompt + same, ((33, 36),))]  # The same tokens, and less of them is the answer.
    return [Answer(np.array(ids, dtype=np.int32), len(ids) - 1, False, None, spans) for ids, spans in rows]


@torch.inference_mode()
def teacher_forced(model: PreTrainedModel, item: Answer) -> list[float]:
    """The log-probability of each scored token, from the logits of the whole unpadded forward."""
    ids = torch.from_numpy(item.ids).long()[None]
    logits = model(input_ids=ids, use_cache=False).logits[0].double()
    everything = torch.log_softmax(logits[:-1], dim=-1).gather(1, ids[0, 1:, None])[:, 0].tolist()
    return [everything[at - 1] for start, stop in item.spans for at in range(start, stop)]


def engine(model: PreTrainedModel, kind: LogProbs = "sum", **given: Any) -> LogProbEngine:
    defaults: dict[str, Any] = {"batch_size": None, "journal": None, "context": "", "audit": Audit()}
    precision = given.pop("precision", None) or Precision(torch.float32)
    return LogProbEngine(model, precision, kind=kind, **{**defaults, **given})


def within(found: Values, expected: list[float], items: list[Answer]) -> None:
    """1e-5 a token."""
    for value, exact, item in zip(found, expected, items, strict=True):
        assert abs(value - exact) <= 1e-5 * max(1, item.scored), (value, exact, item.spans)


@pytest.mark.parametrize("batch_size", [1, 8, None])
@pytest.mark.parametrize("name", FAMILIES)
def test_sums_are_those_of_teacher_forcing(name: str, batch_size: int | None) -> None:
    model, items = build(name), answers()
    expected = [math.fsum(teacher_forced(model, item)) for item in items]
    ours = engine(model, batch_size=batch_size)
    scored = ours.score(items)
    assert ours.path == (
        "packed" if name not in ("gpt2", "gpt_neox") else "plain-single" if batch_size == 1 else "plain"
    )
    within(scored.values, expected, items)
    assert scored.values[7] == 0  # Nothing is asked of it.


@pytest.mark.parametrize("fast", [True, False])
def test_a_norm_is_minus_the_euclidean_length(fast: bool) -> None:
    model, items = build("llama"), answers()
    expected = [-math.sqrt(math.fsum(x * x for x in teacher_forced(model, item))) for item in items]
    within(engine(model, "norm", fast=fast).score(items).values, expected, items)


def test_a_shared_prompt_is_computed_once() -> None:
    """The bytes of the trie: 30 of the prompt, and what each answer adds."""
    items = answers()[:5]
    found = engine(build("llama")).score(items).accounting
    assert found.computed == found.distinct == 30 + 1 + 5 + 40 + 6 + 3
    assert found.given == sum(len(item.ids) for item in items)


def test_the_vocabulary_is_multiplied_only_where_an_answer_is() -> None:
    model, items = build("llama"), answers()[:3]
    rows: list[int] = []
    model.get_output_embeddings().register_forward_hook(lambda _m, given, _o: rows.append(given[0].shape[0]))
    ours = engine(model)
    ours._trusted["packed"] = 10**6  # No self-check, whose rows would count.
    ours.score(items)
    # One of the three begins at the prompt's last row, which all share.
    assert rows == [1 + 0 + 4 + 39]


def test_low_precision_is_bounded_and_refined() -> None:
    items = answers()
    expected = [math.fsum(teacher_forced(build("llama"), item)) for item in items]
    model = build("llama")
    ours = engine(model, precision=lower(model, torch.bfloat16))
    values = ours.score(items).values
    moved = np.abs(values - expected)
    assert moved.max() > 1e-4
    drift = ours.margin_drift(items, values)
    assert drift is not None
    assert moved.max() < drift
    within(ours.rescore(items).values, expected, items)


def test_the_journal_keeps_sums_by_what_was_scored(tmp_path: Path) -> None:
    model, items = build("llama"), answers()
    with Journal.open(tmp_path / "scores.sqlite") as journal:
        first = engine(model, journal=journal).score(items)
        again = engine(model, journal=journal).score(items)
        norm = engine(model, "norm", journal=journal).score(items)
    assert again.accounting.computed == 0
    assert again.accounting.recalled == len(items)
    assert (first.values == again.values).all()
    assert norm.accounting.recalled == 0
    assert first.values[3] != first.values[9]

"""The fast path gives the model's own scores: every proved family, against its unpadded one-at-a-time forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from rmeval.eval.engine.execute import execute
from rmeval.eval.engine.kernels.attention import packed_attention
from rmeval.eval.engine.packed import PackedExecutor, Values, why_not_packable
from rmeval.eval.engine.plain import PlainExecutor
from rmeval.eval.engine.plan import Ids, make_plan
from rmeval.eval.engine.precision import Precision, lower
from tests.support.models.tiny import tiny_config

PAD = 2
LAYERS = ["sliding_attention", "full_attention", "sliding_attention"]
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama one key a head": {"num_key_value_heads": 4},
    "mistral": {"model_type": "mistral", "sliding_window": None},
    "mistral window": {"model_type": "mistral", "sliding_window": 16},
    "qwen2": {"model_type": "qwen2"},
    "qwen2 window": {
        "model_type": "qwen2",
        "use_sliding_window": True,
        "sliding_window": 16,
        "layer_types": LAYERS,
    },
    "qwen3": {"model_type": "qwen3"},
    "gemma": {"model_type": "gemma"},
    "gemma2": {"model_type": "gemma2", "sliding_window": 16, "attn_logit_softcapping": 5.0},
    "gemma3": {"model_type": "gemma3_text", "sliding_window": 16, "layer_types": LAYERS},
}


def build(name: str, **changes: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    fields = {"attn_implementation": "eager", **FAMILIES[name], **changes}
    attention = fields.pop("attn_implementation")
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(
        tiny_config(**fields), attn_implementation=attention, dtype=torch.float32
    ).eval()
    with torch.no_grad():  # Weights large enough that attention decides something.
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(5)
    return model


def sequences() -> list[Ids]:
    """Trees of shared beginnings, beginnings of others, one token, lengths around the window, equal ones."""
    generator = np.random.default_rng(0)

    def draw(length: int) -> list[int]:
        return [int(token) for token in generator.integers(3, 260, length)]

    system, prompt, long = draw(9), draw(30), draw(300)
    tree = [system + prompt + draw(n) for n in (1, 5, 40)] + [system + draw(n) for n in (1, 25)]
    beginnings = [long, long[:140], long[:17], long[:16], long[:15], long[:1], long + draw(3), long[:150] + draw(60)]
    whole = [*tree, [7], [8], [7], *beginnings, tree[2], draw(200), system, system + prompt]
    return [np.array(ids, dtype=np.int32) for ids in whole]


@torch.inference_mode()
def one_at_a_time(model: PreTrainedModel, rows: list[Ids]) -> Values:
    inputs = [torch.from_numpy(ids).long()[None] for ids in rows]
    return np.array([float(model(input_ids=ids, use_cache=False).logits[0, 0]) for ids in inputs])


def worst(scores: Values, expected: Values) -> float:
    return float((np.abs(scores - expected) / np.maximum(1, np.abs(expected))).max())


@pytest.mark.parametrize("flex", [False, True], ids=["loop", "flex"])
@pytest.mark.parametrize("name", FAMILIES)
def test_packed_scores_equal_one_at_a_time(name: str, flex: bool) -> None:
    """FlexAttention is the path of CUDA; here its uncompiled form follows the same masks."""
    rows = sequences()
    expected = one_at_a_time(build(name), rows)
    assert expected.std() > 0.1
    executor = PackedExecutor(build(name), Precision(torch.float32), flex=flex)
    plan = make_plan(rows, share_prefixes=True)
    for budget in (1, 100, 100_000):
        outcome = execute(plan, executor, budget=budget)
        assert worst(outcome.values, expected) <= 1e-5
        assert outcome.accounting.padded == outcome.accounting.computed
    assert outcome.accounting.computed == plan.distinct_tokens


@pytest.mark.parametrize("name", FAMILIES)
def test_plain_scores_equal_one_at_a_time(name: str) -> None:
    rows = sequences()
    model = build(name)
    expected = one_at_a_time(model, rows)
    plan = make_plan(rows, share_prefixes=False)
    for batch_size in (1, 3, None):
        outcome = execute(
            plan, PlainExecutor(model, Precision(torch.float32), pad_token_id=PAD), budget=4096, batch_size=batch_size
        )
        assert worst(outcome.values, expected) <= 1e-5


@pytest.mark.parametrize("low_attention", [False, True], ids=["", "attention too"])
@pytest.mark.parametrize("name", FAMILIES)
def test_low_precision_drifts_less_than_a_model_wholly_in_it(name: str, low_attention: bool) -> None:
    rows = sequences()
    expected = one_at_a_time(build(name), rows)
    wholly_low = build(name)
    wholly_low.to(torch.bfloat16)  # type: ignore[arg-type]
    wholly = one_at_a_time(wholly_low, rows)
    model = build(name)
    precision = lower(model, torch.bfloat16)
    plan = make_plan(rows, share_prefixes=True)
    executor = PackedExecutor(model, precision, low_attention=low_attention)
    assert executor.attention_dtype == (torch.bfloat16 if low_attention else torch.float32)
    low = execute(plan, executor, budget=2048).values
    ours, theirs = np.abs(low - expected).mean(), np.abs(wholly - expected).mean()
    assert 0 < ours <= 1.2 * theirs
    precision.low = False
    assert executor.attention_dtype == torch.float32
    assert worst(execute(plan, executor, budget=2048).values, expected) <= 1e-5


def test_attention_computes_in_what_the_executor_says() -> None:
    plan = make_plan(sequences(), share_prefixes=True)
    found = []
    for low_attention in (False, True, True):
        model = build("llama")
        executor = PackedExecutor(model, lower(model, torch.bfloat16), low_attention=low_attention)
        found.append(execute(plan, executor, budget=2048).values.tolist())
    assert found[0] != found[1] == found[2]


@pytest.mark.parametrize("name", ["mistral window", "gemma2", "gemma3"])
def test_compiled_layers_keep_windows_and_caps(name: str) -> None:
    """Layers of several kinds, each a graph of its own."""
    rows = sequences()
    executor = PackedExecutor(build(name), Precision(torch.float32))
    executor.compile(on=True)
    found = execute(make_plan(rows, share_prefixes=True), executor, budget=600).values
    assert worst(found, one_at_a_time(build(name), rows)) <= 1e-5


def test_packing_hardly_moves_a_low_precision_score() -> None:
    model = build("llama")
    executor = PackedExecutor(model, lower(model, torch.bfloat16))
    plan = make_plan(sequences(), share_prefixes=True)
    whole = execute(plan, executor, budget=100_000).values
    for budget in (1, 100, 600):
        assert worst(execute(plan, executor, budget=budget).values, whole) <= 0.02


@pytest.mark.parametrize("flex", [False, True], ids=["loop", "flex"])
def test_what_is_not_a_number_does_not_spread_to_a_shared_beginning(flex: bool) -> None:
    """A token with a broken embedding, in an answer whose prompt others share, first and last among them."""
    model = build("llama")
    with torch.no_grad():
        model.get_submodule("model.embed_tokens").get_parameter("weight")[[3, 259]] = float("nan")
    prompt, *answers = ([int(token) for token in ids % 250 + 5] for ids in sequences()[2:6])
    rows = [[*prompt, 3, *answers[0]], [*prompt, *answers[1]], [*prompt, 259], [*prompt, *answers[2]], answers[0], [3]]
    given = [np.array(ids, dtype=np.int32) for ids in rows]
    expected = one_at_a_time(build("llama"), given)
    expected[[0, 2, 5]] = np.nan
    executor = PackedExecutor(model, Precision(torch.float32), flex=flex)
    outcome = execute(make_plan(given, share_prefixes=True), executor, budget=4096)
    assert outcome.values == pytest.approx(expected, abs=1e-5, nan_ok=True)
    assert outcome.accounting.padded == outcome.accounting.computed > outcome.accounting.distinct


def test_the_plain_forward_is_untouched_by_the_fast_path() -> None:
    """After packs the same model still computes, plainly, what it always did."""
    rows = sequences()
    model = build("gemma2")
    expected = one_at_a_time(model, rows)
    execute(make_plan(rows, share_prefixes=True), PackedExecutor(model, Precision(torch.float32)), budget=512)
    assert model.config._attn_implementation == "eager"
    assert one_at_a_time(model, rows).tolist() == expected.tolist()


def test_what_is_not_proved_is_refused() -> None:
    rope = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}
    assert "rotary" in (why_not_packable(build("llama", rope_parameters=rope)) or "")
    bert = AutoModelForSequenceClassification.from_config(tiny_config("bert"))
    assert "not proved for BertForSequenceClassification" in (why_not_packable(bert) or "")
    assert why_not_packable(build("qwen3")) is None


def test_attention_refuses_what_it_cannot_honour() -> None:
    states = torch.zeros(1, 2, 3, 4)
    with pytest.raises(NotImplementedError, match="s_aux"):
        packed_attention(torch.nn.Module(), states, states, states, None, s_aux=states)
    with pytest.raises(RuntimeError, match="without a pack"):
        packed_attention(torch.nn.Module(), states, states, states, None)

"""The count of FLOPs, held against one by hand and against torch's own counter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForSequenceClassification

from rmeval.bench.shape import Shape
from rmeval.bench.subjects.configured import shape_of
from rmeval.eval.models.loading import skeleton
from tests.support.benching import SHAPE
from tests.support.models.tiny import tiny_config

LENGTH = 7


def body(config: Any, attention: str = "eager") -> Any:
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
    return model.base_model.eval()


def counted(function: Any) -> int:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        function()
    return int(counter.get_total_flops())


def test_a_tiny_llama_by_hand() -> None:
    shape = shape_of(skeleton("tiny", tiny_config()))
    # A layer: queries and output 64 x 64, keys and values 64 x 32 (2 of 4 heads of 16), three of 64 x 128.
    layer = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128
    assert shape.linear_weights == 3 * layer
    assert (shape.heads, shape.head_size, shape.windows, shape.causal) == (4, 16, (None, None, None), True)
    # 5 tokens see 1, 2, 3, 4 and 5: 15 pairs, 2 products of 16 numbers each, in 4 heads and 3 layers.
    assert shape.flops([5]) == 5 * 2 * 3 * layer + 15 * 2 * 2 * 16 * 4 * 3
    assert shape.pass_bytes(2) == 2 * 3 * layer


@pytest.mark.parametrize("model_type", ["llama", "mistral", "qwen3", "gemma2"])
def test_torchs_counter_agrees_token_by_token(model_type: str) -> None:
    """With a cache, each step multiplies its one query with the keys that it may see: the causal count, no more."""
    config = tiny_config(model_type)
    shape, model = shape_of(skeleton("tiny", config)), body(config)

    def steps() -> None:
        cache = None
        for place in range(LENGTH):
            step = model(input_ids=torch.tensor([[place + 3]]), past_key_values=cache, use_cache=True)
            cache = step.past_key_values

    # Rotary angles are a product of two vectors, and no matrix product of the model's.
    rotary = 2 * LENGTH * (shape.head_size // 2)
    assert counted(steps) in (shape.flops([LENGTH]), (shape.flops([LENGTH]) or 0) + rotary)


def test_torchs_counter_agrees_on_an_encoder() -> None:
    config = tiny_config("bert")
    shape = shape_of(skeleton("tiny", config))
    assert not shape.causal
    model = body(config)
    pooler = 2 * 64 * 64  # Reads one token of a conversation.
    assert counted(lambda: model(input_ids=torch.arange(3, 3 + LENGTH)[None])) - pooler == shape.flops([LENGTH])


def test_a_window_leaves_pairs_out() -> None:
    windowed = shape_of(skeleton("tiny", tiny_config("mistral", sliding_window=3)))
    assert windowed.windows == (3, 3, 3)
    # Of 5 tokens the first see 1 and 2, the other three see 3.
    assert (windowed.flops([5]) or 0) - 5 * 2 * (windowed.linear_weights or 0) == (1 + 2 + 3 + 3 + 3) * 4 * 16 * 4 * 3


def test_gemma_has_windows_in_some_layers() -> None:
    windows = shape_of(skeleton("tiny", tiny_config("gemma2", sliding_window=4))).windows
    assert set(windows) == {None, 4}


def test_experts_are_not_guessed() -> None:
    config = tiny_config("mixtral", num_local_experts=4)
    assert shape_of(skeleton("tiny", config)).flops([5]) is None


def test_random_weights_are_not_needed(tmp_path: Path) -> None:
    large = tiny_config(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
                        num_key_value_heads=8, head_dim=128, vocab_size=32000)  # fmt: skip
    shape = shape_of(skeleton("7B", large))
    assert shape.parameters == pytest.approx(7.11e9, rel=0.01)
    assert (shape.flops([512]) or 0) == pytest.approx(2 * 6.98e9 * 512, rel=0.02)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 39)), min_size=1, max_size=6), st.integers(1, 50))
def test_shared_beginnings_are_counted_once(rows: list[tuple[int, int]], window: int) -> None:
    shape = Shape(**{**{name: getattr(SHAPE, name) for name in SHAPE.__slots__}, "windows": (None, window)})
    lengths = [length for length, _ in rows]
    shared = [min(start, length) for length, start in rows]
    pairs = sum(
        min(place + 1, limit)
        for length, start in zip(lengths, shared, strict=True)
        for place in range(start, length)
        for limit in (10**9, window)
    )
    tokens = sum(lengths) - sum(shared)
    assert shape.flops(lengths, shared) == 2 * 1000 * tokens + 4 * pairs

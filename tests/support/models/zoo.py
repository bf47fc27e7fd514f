"""A tiny random model of every architecture that transformers classifies sequences with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

from rmeval.types import Conversation, Message
from tests.support.models.tiny import SPECIAL, tiny_tokenizer

POSITIONS = 512
"""Tokens that a model of the zoo has positions for, where it has a table of them."""

TURNS_END_IN_EOS = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' }}"
    "{{ eos_token }}{% endfor %}"
)
"""BART and T5 read their score at the last EOS: conversations of different depth have different numbers of them."""

NOT_BUILT = {"layoutlmv2": "needs detectron2"}
"""Architectures that a configuration alone does not build, and why."""

_BASE: dict[str, Any] = {
    "vocab_size": len(SPECIAL) + 256,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": POSITIONS,
    "num_labels": 1,
    "pad_token_id": 2,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
_MLA = {
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 16,
    "num_key_value_heads": 4,
}
_MOE = {
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}
_MAMBA = {"mamba_d_state": 4, "use_mamba_kernels": False}
_LINEAR = {
    "head_dim": 16,
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 16,
}
_WIDE = {**_BASE, "head_dim": 16}
_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
_D_MODEL = {"d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
_T5 = {"d_model": 64, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0}

_OWN: dict[str, dict[str, Any]] = {
    "axk1": {**_MLA, **_MOE},
    "axk2": {**_MLA, **_MOE},
    "bart": _D_MODEL,
    "big_bird": {"block_size": 16, "num_random_blocks": 1},
    "bigbird_pegasus": {**_D_MODEL, "block_size": 16, "num_random_blocks": 1},
    "cohere_compass_text": {
        "layer_types": ["full_attention", "full_attention"],
        "rope_parameters": {"full_attention": _ROPE, "sliding_attention": _ROPE},
    },
    "convbert": {"embedding_size": 64},
    "ctrl": {"n_embd": 64, "dff": 64, "n_layer": 2, "n_head": 4, "n_positions": POSITIONS},
    "deepseek_v2": {**_MLA, **_MOE},
    "deepseek_v3": {**_MLA, **_MOE},
    "distilbert": {"dim": 64, "hidden_dim": 64, "n_layers": 2, "n_heads": 4},
    "esmc": {"num_key_value_heads": 4},
    "funnel": {
        "block_sizes": [1, 1],
        "d_model": 64,
        "n_head": 4,
        "d_head": 16,
        "d_inner": 64,
        "num_hidden_layers": ...,
    },
    "gemma3": {"text_config": _WIDE, "vision_config": _VISION, "mm_tokens_per_image": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 16},
    "gptj": {"rotary_dim": 8},
    "helium": {"head_dim": 16},
    "hunyuan_v1_dense": {"head_dim": 16},
    "hunyuan_v1_moe": {"head_dim": 16, **_MOE},
    "jamba": {
        **_MOE,
        **_MAMBA,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
    },
    "layoutlmv3": {"coordinate_size": 10, "shape_size": 12, "input_size": 32, "patch_size": 16},
    "lilt": {"hidden_size": 96, "channel_shrink_ratio": 4},
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 16},
    "mbart": _D_MODEL,
    "minicpm3": _MLA,
    "ministral": {"head_dim": 16},
    "mistral4": {**_MLA, **_MOE},
    "modernvbert": {"text_config": _WIDE, "vision_config": _VISION},
    "mt5": _T5,
    "mvp": _D_MODEL,
    "opt": {"ffn_dim": 128, "word_embed_proj_dim": 64},
    "perceiver": {
        "num_latents": 8,
        "d_latents": 32,
        "d_model": 32,
        "num_blocks": 1,
        "num_self_attends_per_block": 1,
        "num_self_attention_heads": 4,
        "num_cross_attention_heads": 4,
        "qk_channels": 32,
        "v_channels": 32,
    },
    "phi3": {"pad_token_id": 2},
    "plbart": {**_D_MODEL, "encoder_attention_heads": 4, "decoder_attention_heads": 4},
    "qwen2_moe": _MOE,
    "qwen3_5": {
        "text_config": {**_BASE, **_LINEAR},
        "vision_config": {
            "hidden_size": 32,
            "depth": 1,
            "num_heads": 2,
            "intermediate_size": 32,
            "out_hidden_size": 64,
        },
    },
    "qwen3_5_text": _LINEAR,
    "qwen3_moe": {**_MOE, "head_dim": 16},
    "qwen3_next": {**_LINEAR, **_MOE},
    "reformer": {
        "axial_pos_embds_dim": (16, 48),
        "axial_pos_shape": (16, 32),
        "attention_head_size": 16,
        "feed_forward_size": 64,
        "attn_layers": ["local", "lsh"],
        "num_buckets": 4,
        "is_decoder": False,
    },
    "roc_bert": {"pronunciation_vocab_size": 8, "shape_vocab_size": 8},
    "squeezebert": {
        "embedding_size": 64,
        "q_groups": 1,
        "k_groups": 1,
        "v_groups": 1,
        "post_attention_groups": 1,
        "intermediate_groups": 1,
        "output_groups": 1,
    },
    "t5": _T5,
    "t5gemma": {"encoder": _WIDE, "decoder": _WIDE},
    "t5gemma2": {
        "encoder": {"text_config": _WIDE, "vision_config": _VISION, "mm_tokens_per_image": 4},
        "decoder": _WIDE,
    },
    "ultravbert": {"text_config": _BASE, "vision_config": _VISION},
    "umt5": _T5,
    "xlnet": {"d_model": 64, "d_inner": 64, "n_layer": 2, "n_head": 4, "max_position_embeddings": ...},
    "xmod": {"default_language": "en_XX", "languages": ["en_XX"]},
    "zamba": {
        **_MAMBA,
        "num_hidden_layers": 4,
        "layer_types": ["mamba", "hybrid", "mamba", "hybrid"],
        "n_mamba_heads": 2,
        "attention_head_dim": 32,
    },
    "zamba2": {
        **_MAMBA,
        "layers_block_type": ["mamba", "hybrid"],
        "layer_types": ["mamba", "hybrid"],
        "n_mamba_heads": 8,
        "mamba_headdim": 16,
        "num_mem_blocks": 1,
        "hybrid_layer_ids": [1],
    },
}
"""What an architecture needs beside or instead of ``_BASE``; an ellipsis leaves a field to its own default."""

ARCHITECTURES = tuple(name for name in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES if name not in NOT_BUILT)


def save_zoo_model(folder: Path, model_type: str, *, seed: int = 0, **changes: Any) -> Path:
    """Write a tiny classifier of an architecture, random weights and a tokenizer of bytes."""
    fields = {**_BASE, **_OWN.get(model_type, {}), **changes}
    config = AutoConfig.for_model(model_type, **{name: value for name, value in fields.items() if value is not ...})
    config.num_labels = 1
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:  # Default weights are so small that all scores are nearly equal.
                parameter.normal_(0, 0.2)
    model.save_pretrained(folder)
    tiny_tokenizer(template=TURNS_END_IN_EOS).save_pretrained(folder)
    return folder


def zoo_conversations() -> list[Conversation]:
    """Two completions each of ten prompts: one to three turns, 20 to 330 tokens, no two alike."""
    found = []
    for number in range(10):
        turns = [Message("user", f"question {number} " * (1 + number % 4))]
        for depth in range(number % 3):
            turns += [Message("assistant", f"so {depth}"), Message("user", "and then?")]
        for place, answer in enumerate(("ab " * (number * number % 37), f"no, {number}: " + "cd" * (7 * number))):
            found.append(Conversation(tuple(turns), (Message("assistant", answer),), f"e{number}", place))
    return found

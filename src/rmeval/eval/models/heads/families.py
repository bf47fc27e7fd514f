"""The heads that are known: one line for each family. ``rmeval list heads`` and docs/models.md show the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rmeval.errors import ModelError
from rmeval.eval.models.heads import gated, linear
from rmeval.eval.models.heads.base import Head
from rmeval.eval.models.heads.stored import Tensors

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["FAMILIES", "HeadFamily", "find_head", "put_head"]

_LAST, _NOT_PAD = "the last token", "the last token that is no pad token"
_GATED = f"{_NOT_PAD}, and the end of the last user turn"


@dataclass(frozen=True, slots=True)
class HeadFamily:
    """Models with one kind of head."""

    name: str
    find: Callable[[Mapping[str, Any], Tensors], Head | None]
    """Returns the head of a ``config.json`` and what lies beside it; None where it is another."""
    known_by: str
    """What tells it."""
    shape: str
    reads: str
    source: str
    """A model that has it."""
    template: str | None = None
    """What its texts look like, where its tokenizer may have no chat template; None where it has one."""
    max_length: int | None = None
    """Tokens that its own code reads at most; None where that is not known. The default of ``--max-length``."""
    sign: str = "higher is better"

    @property
    def description(self) -> str:
        """All of it in one line."""
        parts = [f"{self.source}: {self.shape}", f"reads {self.reads}", self.sign, f"known by {self.known_by}"]
        if self.template is not None:
            parts.append(f"text {self.template}")
        if self.max_length is not None:
            parts.append(f"at most {self.max_length:,} tokens")
        return "; ".join(parts)


FAMILIES: tuple[HeadFamily, ...] = (
    HeadFamily(
        "value head",
        linear.value_head,
        "v_head.summary.weight, .bias",
        "linear",
        _LAST,
        "what LLaMA-Factory and TRL write",
    ),
    HeadFamily(
        "GRM",
        linear.grm,
        "v_head.summary.0.weight, …",
        "linear, ReLU, …, linear",
        _LAST,
        "Ray2333/GRM-llama3-8B-sftreg",
    ),
    HeadFamily(
        "OpenRLHF",
        linear.openrlhf,
        "value_head_prefix in config.json",
        "linear, no bias",
        _LAST,
        "what OpenRLHF writes",
    ),
    HeadFamily(
        "INF-ORM",
        linear.inf_orm,
        "INFORMForSequenceClassification",
        "linear, ReLU, linear",
        _NOT_PAD,
        "infly/INF-ORM-Llama3.1-70B",
    ),
    HeadFamily(
        "UltraRM",
        linear.ultra_rm,
        "regression_head.weight",
        "linear, no bias",
        _LAST,
        "openbmb/UltraRM-13b",
        template='"User: …", an empty line, "Assistant: …" in reward-bench, not verified',
    ),
    HeadFamily(
        "Beaver",
        linear.beaver,
        "score_head.weight and score_type",
        "linear; normalised where do_normalize says so",
        _LAST,
        "PKU-Alignment/beaver-7b-v1.0-cost",
        template='"BEGINNING OF CONVERSATION: USER: … ASSISTANT:…"; reward-bench writes a space behind ASSISTANT:',
        sign="higher is better; a cost is negated",
    ),
    HeadFamily(
        "Starling-34B",
        linear.starling_34b,
        "v_head.weight beside transformer.layers",
        "linear, no bias",
        "the last token that is not token 0",
        "Nexusflow/Starling-RM-34B",
        template="that of 01-ai/Yi-34B-Chat",
    ),
    HeadFamily(
        "Starling-7B",
        linear.starling_7b,
        "v_head.weight beside model.model.layers",
        "linear, no bias",
        "the last token that is not <unk> (0)",
        "berkeley-nest/Starling-RM-7B-alpha",
        template="that of meta-llama/Llama-2-7b-chat-hf",
        max_length=2048,
    ),
    HeadFamily(
        "OpenAssistant",
        linear.pythia,
        "model_type gpt_neox_reward_model",
        "linear; pooling last only",
        _LAST,
        "OpenAssistant/oasst-rm-2.1-pythia-1.4b-epoch-2.5",
        template='"<|prompter|>…<|endoftext|><|assistant|>…<|endoftext|>"',
    ),
    HeadFamily(
        "ArmoRM",
        gated.armorm,
        "regression_layer and gating.layers",
        "19 objectives, transformed, weighed by a gating network",
        _GATED,
        "RLHFlow/ArmoRM-Llama3-8B-v0.1",
        max_length=4096,
    ),
    HeadFamily(
        "QRM",
        gated.qrm,
        "regression_layer and gating.layers with running_mean",
        "the mean of each objective's quantiles, weighed by a gating network with batch normalisation",
        _GATED,
        "nicolinho/QRM-Llama3.1-8B",
    ),
)


def find_head(name: str, config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """Return the head of a checkpoint; None where it is a classifier's own, or none that is known.

    Args:
        name: The model's, for messages.
        config: ``config.json``.
        tensors: What its files hold.

    Raises:
        ModelError: if a tensor of it is missing or has another shape, or there are two heads.
    """
    if "score.weight" in tensors and config.get("value_head_prefix") is None:
        return None  # A classifier's own, whatever lies beside it.
    try:
        found = [
            replace(head, max_length=family.max_length, template=family.template)
            for family in FAMILIES
            if (head := family.find(config, tensors)) is not None
        ]
        for head in found[:1]:
            head.check(config, tensors)
    except ModelError as error:
        raise ModelError(f"{name} has {error}") from None
    if len(found) > 1:
        raise ModelError(f"{name} has {len(found)} heads, and its score is one: {', '.join(h.family for h in found)}")
    return found[0] if found else None


def put_head(name: str, model: PreTrainedModel, head: Head, tensors: Tensors) -> None:
    """Put a head in the place of a decoder's own, and let it read where it does.

    Raises:
        ModelError: if the model is no decoder, or a value of the head is not finite.
    """
    if not hasattr(model, "score"):
        raise ModelError(f"{name} has a head of the kind {head.family}, and {type(model).__name__} is no decoder")
    try:
        model.score = head.build(tensors, model.dtype)
    except ModelError as error:
        raise ModelError(f"{name} has {error}") from None
    if head.at_end:  # transformers reads at the last token that is no pad token; without one, at the last of all.
        model.config.pad_token_id = model.config.get_text_config().pad_token_id = None
    elif head.pad is not None:
        model.config.pad_token_id = model.config.get_text_config().pad_token_id = head.pad
    if head.gate is not None:
        from rmeval.eval.engine.gated import show_tokens

        show_tokens(model)

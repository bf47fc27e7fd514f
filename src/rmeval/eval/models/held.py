"""A classifier in memory with its tokenizer, wherever they came from."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rmeval.data_prep.text.template import load_template
from rmeval.errors import ModelError
from rmeval.eval.engine.precision import Precision
from rmeval.run_info import ModelInfo

if TYPE_CHECKING:
    from rmeval.data_prep.text.template import Template
    from rmeval.eval.models.folder import ModelFolder
    from rmeval.eval.models.heads import Head

__all__ = ["Held", "context_of", "describe", "hold"]

_NOT_THE_MODELS = ("_name_or_path", "name_or_path", "transformers_version")
"""Of a configuration: what says nothing of what the model computes."""


@dataclass(frozen=True, slots=True)
class Held:
    """A model in evaluation mode, and what is known of it."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    template: Template
    precision: Precision
    name: str
    fingerprint: str
    context: str
    """What decides a score beside what the engine knows of: part of the journal's keys."""
    revision: str | None = None
    own_code: str | None = None
    """sha256 of the Python files that came with the model and were run; None where none was."""
    untrained: bool = False
    tokenizer_name: str | None = None
    """As given, where it is not the model's own."""
    tokenizer_fingerprint: str | None = None
    outputs: Mapping[str, float] = field(default_factory=dict)
    """Of a classifier with several, those that make the score, and their weights."""
    head: Head | None = None
    """What was put on the body; None for a classifier's own head."""
    writes: int = 0
    """What ``count_writes`` said when the fingerprint was made."""

    def check(self) -> None:
        """See that the weights are still those of the fingerprint.

        Raises:
            ModelError: if something wrote to them, as an optimizer does.
        """
        if self.writes != count_writes(self.model):
            raise ModelError(f"the weights of {self.name} changed since from_model was called: call it again")


def count_writes(model: PreTrainedModel) -> int:
    """Return how often torch wrote to a model's weights in place."""
    return sum(weight._version for weight in model.parameters() if not weight.is_inference())


def hold(model: object, tokenizer: object, *, name: str | None = None, chat_template: str | None = None) -> Held:
    """Take a model that a program has in memory, as it is: its weights, its dtype, its device.

    The scorer gets modules of its own around the same weights, since the engine changes some: the program's model stays
    as it is, its training mode too. So does the tokenizer, of which the scorer gets a copy: it cuts off on the left.

    Raises:
        ModelError: if it is not a classifier of transformers' with one output on one device, or there is no template.
    """
    if not isinstance(model, PreTrainedModel):
        merge = "; merge it first: model.merge_and_unload()" if hasattr(model, "merge_and_unload") else ""
        raise ModelError(f"a {type(model).__name__} is not a model of transformers{merge}")
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise ModelError(f"a {type(tokenizer).__name__} is not a tokenizer of transformers")
    architecture = type(model).__name__
    if not architecture.endswith("ForSequenceClassification") or model.config.num_labels != 1:
        raise ModelError(
            f"the {architecture} in memory is no reward model: needed is a …ForSequenceClassification with one output"
            f" (num_labels=1){_outputs(model)}"
        )
    devices = {parameter.device for parameter in model.parameters()}
    if len(devices) != 1 or model.device.type == "meta":
        raise ModelError(
            f"the model's weights are on {', '.join(sorted(map(str, devices)))}: they have to be on one device"
        )
    template = load_template(tokenizer, chat_template)
    weights: dict[int, Any] = {id(weight): weight for weight in (*model.parameters(), *model.buffers())}
    own: Any = copy.deepcopy(model, weights)
    own.eval()
    fingerprint = f"memory:{_digest(model)}"
    return Held(
        own,
        copy.deepcopy(tokenizer),
        template,
        Precision(model.dtype, own=model.dtype),
        name or getattr(model.config, "_name_or_path", "") or architecture,
        fingerprint,
        context=fingerprint,
        tokenizer_fingerprint=_digest_of_tokenizer(tokenizer),
        writes=count_writes(own),
    )


def _outputs(model: PreTrainedModel) -> str:
    return f"; this one has {model.config.num_labels}" if hasattr(model, "score") else ""


def _digest(model: PreTrainedModel) -> str:
    """Hash the configuration and every weight: a name says nothing of a model that was trained since."""
    config = {key: value for key, value in model.config.to_dict().items() if key not in _NOT_THE_MODELS}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name}\0{weight.dtype}\0{tuple(weight.shape)}\0".encode())
        digest.update(memoryview(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()


def _digest_of_tokenizer(tokenizer: PreTrainedTokenizerBase) -> str | None:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    fields = json.loads(backend.to_str())
    rest = {name: value for name, value in fields.items() if name not in ("truncation", "padding")}  # Of its last use.
    return f"memory:{hashlib.sha256(json.dumps(rest).encode()).hexdigest()}"


def describe(held: Held) -> ModelInfo:
    """Return which model, tokenizer and template these are."""
    return ModelInfo(
        name=held.name,
        kind="classifier",
        fingerprint=held.fingerprint,
        revision=held.revision,
        architecture=type(held.model).__name__,
        parameters=held.model.num_parameters(),
        device=str(held.model.device),
        template_hash=held.template.sha256,
        template_source=held.template.source,
        tokenizer=held.tokenizer_name,
        tokenizer_fingerprint=held.tokenizer_fingerprint,
        own_code=held.own_code,
        untrained_head=held.untrained,
        outputs=held.outputs,
        head=None if held.head is None else held.head.family,
    )


def context_of(
    folder: ModelFolder,
    model: PreTrainedModel,
    untrained: bool = False,
    outputs: Mapping[str, float] | None = None,
    head: Head | None = None,
) -> str:
    """Return what decides a score beside what the engine knows of: part of the journal's keys."""
    parts = [folder.fingerprint, model.device.type, getattr(model.config, "_attn_implementation", None), untrained]
    if outputs:
        parts.append(f"outputs {dict(outputs)}")
    if head is not None and head.gate is not None:
        parts.append(f"gate {head.gate.pattern}")  # Which token it is of is in the tokens.
    if folder.adapter is not None:
        import peft

        parts.append(f"peft {peft.__version__}")
    return "\0".join(map(str, parts))

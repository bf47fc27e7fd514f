"""Which outputs of a classifier make its score: one of them, or a weighted sum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import ModelError, UsageError
from rmeval.eval.model_options import ModelOptions
from rmeval.eval.models.folder import ModelFolder
from rmeval.eval.models.heads import Head, stored_tensors, vocabulary_head

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["head_of", "labels", "output_names", "outputs_of", "read_only", "weights_of"]

_SHOWN = 30
"""Labels that a message names."""


def _labels_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a classifier's outputs, in order, from its ``config.json``."""
    named = config.get("id2label")
    # transformers writes no num_labels beside id2label; two labels are its default.
    count = config.get("num_labels", len(named) if isinstance(named, Mapping) else 2)
    if not isinstance(count, int) or count < 1:
        raise ModelError(f"config.json says num_labels={count!r}: it is the number of outputs")
    labels = named if isinstance(named, Mapping) and len(named) == count else {}
    return tuple(str(labels.get(str(place), f"LABEL_{place}")) for place in range(count))


def _choose(name: str, labels: tuple[str, ...], options: ModelOptions) -> dict[int, float]:
    """Return the outputs that the options choose and their weights; ``{0: 1.0}`` for the only one there is.

    Raises:
        ModelError: if there are several and none was chosen.
        UsageError: if what was chosen is not there, or two options choose.
    """
    index, label, weights = options.output_index, options.output_name, options.output_weights
    given = {"--output-index": index, "--output-name": label, "--output-weights": weights}
    asked = [option for option, value in given.items() if value is not None]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} both say which output is the score: give one of them")
    if index is not None:
        if not 0 <= index < len(labels):
            raise UsageError(f"--output-index {index}: {name} has {_outputs(labels)}")
        return {index: 1.0}
    if label is not None:
        return {_place(name, labels, label, "--output-name"): 1.0}
    if weights is not None:
        return _weighted(name, labels, weights)
    if len(labels) > 1:
        raise ModelError(
            f"{name} has {_outputs(labels)}, and a score is one number: choose with --output-index, --output-name or "
            "--output-weights"
        )
    return {0: 1.0}


def weights_of(text: str, example: str) -> list[tuple[str, float]]:
    """Read ``NAME=W,…``; names keep their spaces.

    Raises:
        UsageError: if it is not of this form, or all weights are 0.
    """
    found = []
    for part in text.split(","):
        label, _, number = part.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not label or not math.isfinite(weight):
            raise UsageError(f"--output-weights takes NAME=NUMBER,…, such as {example}=1, not {text!r}")
        found.append((label, weight))
    if not any(weight for _, weight in found):
        raise UsageError(f"--output-weights {text}: all weights are 0, so that every score would be")
    return found


def _weighted(name: str, labels: tuple[str, ...], text: str) -> dict[int, float]:
    """Return the outputs that ``--output-weights`` names, and their weights."""
    found: dict[int, float] = {}
    for label, weight in weights_of(text, labels[-1]):
        place = _place(name, labels, label.strip(), "--output-weights")
        if place in found:
            raise UsageError(f"--output-weights: {label.strip()} stands there twice")
        found[place] = weight
    return dict(sorted(found.items()))


def _place(name: str, labels: tuple[str, ...], label: str, option: str) -> int:
    if labels.count(label) > 1:
        raise UsageError(f"{option}: {labels.count(label)} outputs of {name} are called {label}: use --output-index")
    if label not in labels:
        raise UsageError(f"{option}: no output {label!r}{did_you_mean(label, labels)}: {name} has {_outputs(labels)}")
    return labels.index(label)


def _outputs(labels: tuple[str, ...]) -> str:
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    listed = ", ".join(f"{place} {label}" for place, label in enumerate(labels[:_SHOWN]))
    return f"{len(labels)} output{'s' if len(labels) > 1 else ''} ({listed}{more})"


def head_of(folder: ModelFolder, options: ModelOptions) -> Head | None:
    """Return the head that is put on the model's body; None for a classifier's own.

    Raises:
        ModelError: if the logit of a token is asked for that the model does not have.
    """
    if folder.head is not None or folder.adapter is not None or options.output_index is None:
        return folder.head
    if not any(str(name).endswith("ForCausalLM") for name in folder.config.get("architectures") or []):
        return None
    tensors = stored_tensors(folder.path, options.allow_pickle)
    return vocabulary_head(folder.name, options.output_index, folder.config, tensors)


def outputs_of(folder: ModelFolder, options: ModelOptions) -> dict[int, float]:
    """Return the outputs that make the score, and their weights.

    Raises:
        ModelError: if there are several and none was chosen.
        UsageError: if what was chosen is not there.
    """
    if folder.head is None and head_of(folder, options) is not None:
        return {0: 1.0}  # The index has chosen the head.
    return _choose(folder.name, labels(folder), options)


def output_names(folder: ModelFolder, options: ModelOptions) -> dict[str, float]:
    """Return what a run says of the outputs that make the score; nothing where there is one and it is the score."""
    if folder.head is None and head_of(folder, options) is not None:
        return {f"{options.output_index} (token)": 1.0}
    named, chosen = labels(folder), outputs_of(folder, options)
    if len(named) == 1 and chosen == {0: 1.0}:
        return {}
    return {f"{place} {named[place]}": weight for place, weight in chosen.items()}


def labels(folder: ModelFolder) -> tuple[str, ...]:
    """Return the names of the outputs; other heads have one, and what adapts a model has one of its own."""
    architectures = folder.config.get("architectures") or []
    classifier = any(str(name).endswith("ForSequenceClassification") for name in architectures)
    own = folder.adapter is None and folder.head is None
    return _labels_of(folder.config) if own and classifier else ("LABEL_0",)


def read_only(model: PreTrainedModel, chosen: Mapping[int, float]) -> None:
    """Let a model give one output, made of those chosen, wherever its logits are read."""
    if chosen == {0: 1.0} and model.config.num_labels == 1:
        return
    places, weights = list(chosen), torch.tensor(list(chosen.values()), dtype=torch.float64)

    def only(logits: Tensor) -> Tensor:
        """Return the score of each row, shape (rows, 1), in float32."""
        picked = logits[..., places].float()
        if chosen == {places[0]: 1.0}:
            return picked
        # Float64 is not everywhere (mps), and a weight is not rounded for nothing where it is.
        wide = torch.float32 if picked.device.type == "mps" else torch.float64
        return (picked.to(wide) * weights.to(picked.device, wide)).sum(-1, keepdim=True).float()

    def of_head(module: nn.Module, given: Any, logits: Tensor) -> Tensor:
        """Put the score in the place of a head's outputs."""
        return only(logits)

    def of_model(module: nn.Module, given: Any, output: Any) -> Any:
        """Put the score in the place of a model's logits."""
        output.logits = only(output.logits)
        return output

    score = getattr(model, "score", None)  # A decoder's head, which the fast path calls by itself.
    if isinstance(score, nn.Module):
        score.register_forward_hook(of_head)
    else:
        model.register_forward_hook(of_model)

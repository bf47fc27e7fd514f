"""Which outputs of a classifier make its score: one of them, or a weighted sum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rmeval.errors import ModelError, UsageError, did_you_mean
from rmeval.eval.model_options import ModelOptions

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["choose_outputs", "labels_of", "read_only"]

_SHOWN = 30
"""Labels that a message names."""


def labels_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a classifier's outputs, in order, from its ``config.json``."""
    named = config.get("id2label")
    # transformers writes no num_labels beside id2label; two labels are its default.
    count = config.get("num_labels", len(named) if isinstance(named, Mapping) else 2)
    if not isinstance(count, int) or count < 1:
        raise ModelError(f"config.json says num_labels={count!r}: it is the number of outputs")
    labels = named if isinstance(named, Mapping) and len(named) == count else {}
    return tuple(str(labels.get(str(place), f"LABEL_{place}")) for place in range(count))


def choose_outputs(name: str, labels: tuple[str, ...], options: ModelOptions) -> dict[int, float]:
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


def _weighted(name: str, labels: tuple[str, ...], text: str) -> dict[int, float]:
    """Read ``NAME=W,…``."""
    found: dict[int, float] = {}
    for part in text.split(","):
        label, _, number = part.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not label or not math.isfinite(weight):
            raise UsageError(f"--output-weights takes NAME=NUMBER,…, such as {labels[-1]}=1, not {text!r}")
        place = _place(name, labels, label.strip(), "--output-weights")
        if place in found:
            raise UsageError(f"--output-weights: {label.strip()} stands there twice")
        found[place] = weight
    if not any(found.values()):
        raise UsageError(f"--output-weights {text}: all weights are 0, so that every score would be")
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


def read_only(model: PreTrainedModel, chosen: Mapping[int, float]) -> None:
    """Let a model give one output, made of those chosen, wherever its logits are read."""
    if chosen == {0: 1.0} and model.config.num_labels == 1:
        return
    places, weights = list(chosen), torch.tensor(list(chosen.values()), dtype=torch.float64)

    def only(logits: Tensor) -> Tensor:
        picked = logits[..., places].float()
        if chosen == {places[0]: 1.0}:
            return picked
        # Float64 is not everywhere (mps), and a weight is not rounded for nothing where it is.
        wide = torch.float32 if picked.device.type == "mps" else torch.float64
        return (picked.to(wide) * weights.to(picked.device, wide)).sum(-1, keepdim=True).float()

    def of_head(module: nn.Module, given: Any, logits: Tensor) -> Tensor:
        return only(logits)

    def of_model(module: nn.Module, given: Any, output: Any) -> Any:
        output.logits = only(output.logits)
        return output

    score = getattr(model, "score", None)  # A decoder's head, which the fast path calls by itself.
    if isinstance(score, nn.Module):
        score.register_forward_hook(of_head)
    else:
        model.register_forward_hook(of_model)

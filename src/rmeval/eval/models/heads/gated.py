"""Heads of several objectives whose weights a gate chooses: ArmoRM's and QRM's.

The last state gives a reward for each objective, the state where the last user turn ends gives each a weight, and the
score is the sum of their products. What is linear one after the other becomes one layer here, computed in float64: the
mean of an objective's quantiles, the transform of the rewards, the gate's scale and temperature, and each batch
normalisation with the layer behind it.

Source: the modelling code published with ArmoRM-Llama3-8B-v0.1, QRM-Llama3-8B and QRM-Llama3.1-8B, as copies have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rmeval.data_prep.text.pooling import GateToken
from rmeval.errors import ModelError
from rmeval.eval.models.heads.base import Head, count, number
from rmeval.eval.models.heads.stored import Tensors, read_tensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["GATES", "GatingLayout", "armorm", "qrm"]

GATES = {"llama": GateToken((128009, 128006, 78191, 128007, 271), opens=128006)}
"""By the type of the body, the end of a turn and the header of an assistant's: in Llama 3's tokens."""

_REWARDS, _TRANSFORM, _SCALE = "regression_layer.weight", "reward_transform_matrix", "gating.logit_scale"
_FIRST = "gating.layers."
_NORM = ("weight", "bias", "running_mean", "running_var")
_EPSILON = 1e-5
"""Of torch's ``BatchNorm1d``, which the published code leaves as it is."""
_TEMPERATURE = 10.0
"""In the published code, where the config has none; not known of heads without a transform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatingLayout(Head):
    """Rewards of several objectives, and a network that weighs them."""

    layers: tuple[int, ...]
    """The numbers of the network's linear layers; ReLU stands between two."""
    norms: tuple[int, ...] = ()
    """The numbers of its batch normalisations, one behind the ReLU of each layer but the last; empty for none."""
    transformed: bool = True
    """True where a matrix transforms the rewards."""
    scaled: bool = True
    """True where there is a factor of the weights; else it is 1."""
    temperature: float
    """Divides what the network says, before the softmax."""
    reads: GateToken
    """Where the network reads."""

    @property
    def gate(self) -> GateToken | None:
        """Where it reads beside the token that is scored."""
        return self.reads

    @property
    def names(self) -> set[str]:
        """The names of its tensors."""
        layers = {f"{_FIRST}{place}.{part}" for place in self.layers for part in ("weight", "bias")}
        norms = {f"{_FIRST}{place}.{part}" for place in self.norms for part in (*_NORM, "num_batches_tracked")}
        return {_REWARDS, _TRANSFORM, _SCALE, *layers, *norms}

    def check(self, config: Mapping[str, Any], tensors: Tensors) -> None:
        """See that all of it is there, and that rewards and weights are of the same objectives."""
        width: int | None = config.get("hidden_size")
        rows = self.need(tensors, _REWARDS, None, width)[0]
        for step, place in enumerate(self.layers):
            width = self.need(tensors, f"{_FIRST}{place}.weight", None, width)[0]
            if self._has_bias(place):
                self.need(tensors, f"{_FIRST}{place}.bias", width)
            for norm in self.norms[step : step + 1]:
                for part in _NORM:
                    self.need(tensors, f"{_FIRST}{norm}.{part}", width)
        objectives = width or 1
        if self.transformed:
            self.need(tensors, _TRANSFORM, objectives, objectives)
        if self.scaled:
            self.need(tensors, _SCALE, 1)
        quantiles = rows // objectives if self.norms else 1
        for key, found in (("num_objectives", objectives), ("num_quantiles", quantiles)):
            said = number(config, key, found)
            if rows != objectives * quantiles or said != found:
                raise ModelError(
                    f"a head of the kind {self.family} of another shape: {_REWARDS} has {rows:,} rows for the "
                    f"{objectives} objectives of its gate, and config.json says {key} {said:g}"
                )

    def build(self, tensors: Tensors, dtype: torch.dtype) -> nn.Module:
        """Return the head, in float32 whatever ``dtype`` is, as QRM's own code computes it."""
        from torch import nn

        from rmeval.eval.engine.gated import GatedHead

        network = list(self._network(tensors))
        objectives = len(network[-1][0])
        by_quantile = _read(tensors, _REWARDS)
        rewards = by_quantile.reshape(objectives, -1, by_quantile.shape[1]).mean(1)
        if self.transformed:
            rewards = _read(tensors, _TRANSFORM).T @ rewards
        if self.scaled:
            rewards = rewards * _read(tensors, _SCALE)
        modules: list[nn.Module] = []
        for weight, bias in network[:-1]:
            modules += [_linear(weight, bias), nn.ReLU()]
        weight, bias = network[-1]
        modules.append(_linear(weight / self.temperature, bias / self.temperature))
        return GatedHead(_linear(rewards), nn.Sequential(*modules), self.reads)

    def _has_bias(self, place: int) -> bool:
        return place == self.layers[-1] or not self.norms

    def _network(self, tensors: Tensors) -> Iterator[tuple[Tensor, Tensor]]:
        """Return weight and bias of each layer in float64, the normalisation in front of it made part of it."""
        factor: Tensor | float = 1.0
        offset: Tensor | None = None
        for step, place in enumerate(self.layers):
            own = _read(tensors, f"{_FIRST}{place}.weight")
            bias = _read(tensors, f"{_FIRST}{place}.bias") if self._has_bias(place) else own.new_zeros(len(own))
            yield own * factor, bias if offset is None else bias + own @ offset
            for norm in self.norms[step : step + 1]:
                gain, shift, mean, variance = (_read(tensors, f"{_FIRST}{norm}.{part}") for part in _NORM)
                factor = gain / (variance + _EPSILON).sqrt()
                offset = shift - mean * factor


def armorm(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """ArmoRM's: layers 0, 1, … of the gating network, each with a bias."""
    if not _is_gated(tensors) or _is_normalised(tensors):
        return None
    hidden = _hidden(config)
    return _layout("ArmoRM", config, tensors, layers=tuple(range(hidden + 1)), norms=(), transformed=True)


def qrm(config: Mapping[str, Any], tensors: Tensors) -> Head | None:
    """QRM's: quantiles of each objective, and a batch normalisation behind each hidden layer of the gating network.

    Later checkpoints have a dropout, which has a number too, behind all hidden layers but the last, and no transform.
    """
    if not _is_gated(tensors) or not _is_normalised(tensors):
        return None
    hidden = _hidden(config)
    dropout = hidden > 1 and f"{_FIRST}{4 * hidden - 1}.weight" in tensors
    starts = tuple((4 if dropout else 3) * place for place in range(hidden))
    last = 4 * hidden - 1 if dropout else 3 * hidden
    transformed = _TRANSFORM in tensors or not dropout
    norms = tuple(place + 2 for place in starts)
    return _layout("QRM", config, tensors, layers=(*starts, last), norms=norms, transformed=transformed)


def _layout(
    family: str,
    config: Mapping[str, Any],
    tensors: Tensors,
    *,
    layers: tuple[int, ...],
    norms: tuple[int, ...],
    transformed: bool,
) -> GatingLayout:
    """Return a head, once what the config says of it is clear.

    Raises:
        ModelError: if it is not.
    """
    gate = GATES.get(str(config.get("model_type")))
    if gate is None:
        known = ", ".join(GATES)
        raise ModelError(f"a gated head over a {config.get('model_type')}: where its gate reads is known for {known}")
    if config.get("pad_token_id") in gate.pattern:
        raise ModelError(
            f"a gated head, and in config.json a pad_token_id of {config['pad_token_id']}, which is in every text: its "
            "own code would read before the first one"
        )
    temperature = number(config, "gating_temperature", _TEMPERATURE if transformed else 0.0)
    if temperature <= 0:
        raise ModelError(
            f"a head of the kind {family}, and in config.json a gating_temperature of "
            f"{config.get('gating_temperature')!r}: it should be a number above 0"
        )
    return GatingLayout(
        family=family,
        at_end=False,
        layers=layers,
        norms=norms,
        transformed=transformed,
        scaled=_SCALE in tensors,
        temperature=temperature,
        reads=gate,
    )


def _is_gated(tensors: Tensors) -> bool:
    return _REWARDS in tensors or any(name.startswith("gating.") for name in tensors)


def _is_normalised(tensors: Tensors) -> bool:
    return any(name.startswith(_FIRST) and name.endswith(".running_mean") for name in tensors)


def _hidden(config: Mapping[str, Any]) -> int:
    """Return how many hidden layers the gating network has; 3 in the published code where the config says nothing."""
    return count(config, "gating_n_hidden", 3)


def _read(tensors: Tensors, name: str) -> Tensor:
    return read_tensor(tensors, name).double()


def _linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """Return a linear layer in float32."""
    from torch import nn

    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.weight = nn.Parameter(weight.float().contiguous(), requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias.float(), requires_grad=False)
    return linear

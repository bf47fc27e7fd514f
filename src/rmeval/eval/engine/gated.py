"""A head that reads two tokens of a conversation: the one that is scored, and one before it that says what counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rmeval.data_prep.text.pooling import GateToken
from rmeval.eval.engine.body import RowWise

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["GatedHead", "show_tokens", "states_at"]


class GatedHead(RowWise):
    """Rewards of several objectives at one token, their weights at another; the score is the sum of products.

    Args:
        rewards: From a state to a reward for each objective.
        weights: From a state to what the softmax makes a weight of, for each objective.
        gate: Where the weights are read.
    """

    def __init__(self, rewards: nn.Linear, weights: nn.Sequential, gate: GateToken) -> None:
        super().__init__()
        self.rewards, self.weights = rewards, weights
        self.gate = gate
        self.ids: Tensor | None = None
        """Token ids of the model's own forward, shape (batch, tokens), that comes next: see ``show_tokens``."""

    def forward(self, states: Tensor, gates: Tensor | None = None) -> Tensor:
        """Return scores.

        Args:
            states: Shape (rows, width); or those of the model's own forward, (batch, tokens, width).
            gates: The state at each row's gate, shape (rows, width), NaN where there is none; None in the own forward.

        Returns:
            Shape (rows, 1) or (batch, tokens, 1); NaN where there is no gate.

        Raises:
            RuntimeError: if it is called in a forward that did not show its tokens.
        """
        if gates is None:
            if self.ids is None:
                raise RuntimeError("a gated head was called without the tokens of its conversations")
            places = [self.gate.position(row) for row in self.ids.cpu().numpy()]
            length = states.shape[1]
            rows = [None if place is None else row * length + place for row, place in enumerate(places)]
            gates = states_at(states.flatten(0, 1), rows)[:, None]
        weights = torch.softmax(self.weights(gates), dim=-1)
        scores: Tensor = (weights * self.rewards(states)).sum(-1, keepdim=True)
        return scores


def states_at(states: Tensor, rows: Sequence[int | None]) -> Tensor:
    """Return some rows of states, of shape (all rows, width), NaN for None; shape (rows, width)."""
    places = torch.tensor([0 if row is None else row for row in rows], device=states.device)
    absent = torch.tensor([row is None for row in rows], device=states.device)
    return states[places].masked_fill(absent[:, None], math.nan)


def show_tokens(model: PreTrainedModel) -> None:
    """Let a model with a gated head tell it, at each of its own forwards, the token ids that it is given."""
    model.register_forward_pre_hook(_show, with_kwargs=True)


def _show(model: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    head = model.get_submodule("score")  # The model's own, also in a copy of the model.
    if isinstance(head, GatedHead):
        head.ids = named["input_ids"] if "input_ids" in named else given[0]

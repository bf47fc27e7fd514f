"""A model's arithmetic and weights, counted from its configuration: no weight is loaded and no token is computed.

FLOPs are those that the model asks for, whatever the engine saves: 2 for every weight of a linear layer and token
(a multiplication and an addition), and for attention 4 for every pair of a query and a key that it may see, head and
head dimension (the product of queries and keys, and that of weights and values). This is the count of Chowdhery et al.,
"PaLM" (2022), appendix B, for a forward pass, with only the pairs that a causal mask or a window leaves. Embeddings,
norms, activations, softmax and the head, which is read at one token of each conversation, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model decides its speed."""

    architecture: str
    parameters: int
    linear_weights: int | None
    """Weights of the linear layers that every token goes through; None where tokens choose (mixture of experts)."""
    heads: int
    head_size: int
    windows: tuple[int | None, ...]
    """A layer: positions that a query sees, itself counted; None for all."""
    causal: bool
    hidden: int
    intermediate: int
    vocabulary: int
    limit: int | None
    """Most tokens of a conversation; None for no limit."""

    def flops(self, lengths: Sequence[int], shared: Sequence[int] | None = None) -> float | None:
        """Count the floating-point operations of one forward pass.

        Args:
            lengths: Tokens of each conversation.
            shared: Of these, first tokens that another conversation of the pass has computed; None for none.

        Returns:
            The count; None where it is not known.
        """
        if self.linear_weights is None:
            return None
        shared = [0] * len(lengths) if shared is None else shared
        tokens = sum(lengths) - sum(shared)
        pairs = sum(
            self._pairs(length, window) - self._pairs(start, window)
            for window in self.windows
            for length, start in zip(lengths, shared, strict=True)
        )
        return 2.0 * self.linear_weights * tokens + 4.0 * self.heads * self.head_size * pairs

    def _pairs(self, length: int, window: int | None) -> int:
        """Count the pairs of a query and a key that it sees."""
        if not self.causal:
            return length * length
        full = length if window is None else min(length, window)
        return full * (full + 1) // 2 + (length - full) * full

    def pass_bytes(self, item_bytes: int) -> float | None:
        """Return the bytes that one forward pass must read at least: every weight of its linear layers once."""
        return None if self.linear_weights is None else float(item_bytes * self.linear_weights)

    def least_bytes(self, item_bytes: int, tokens: float) -> float:
        """Return the memory in bytes below which a request cannot fit: weights, and what one layer keeps of a token."""
        return item_bytes * self.parameters + 4.0 * tokens * (2 * self.hidden + self.intermediate)

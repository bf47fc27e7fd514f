"""How long a conversation may be, in tokens: the default of --max-length and its bounds."""

from __future__ import annotations

from rmeval.errors import ModelError

__all__ = ["MAX_LENGTH", "usable_length"]

MAX_LENGTH = 4096
"""Tokens; used where neither the user nor the model asks for less."""


def usable_length(
    model_limit: int | None, tokenizer_limit: int | None, asked: int | None = None, *, own: int | None = None
) -> int:
    """Return the maximum length in tokens: what was asked for, else what model and tokenizer can take, at most 4096.

    Where nothing was asked for, it is at most ``own`` too, which the model's own code reads.

    Raises:
        ModelError: if more is asked for than the model has positions, or less than 1.
    """
    # Tokenizers without a limit say 1e30.
    # Some models and tokenizers without a limit say -1 or 0.
    limits = [limit for limit in (model_limit, tokenizer_limit, own) if limit is not None and 0 < limit < 1_000_000]
    if asked is None:
        return min([MAX_LENGTH, *limits])
    if asked < 1:
        raise ModelError(f"--max-length must be at least 1, not {asked}")
    if model_limit is not None and 0 < model_limit < asked:
        raise ModelError(f"--max-length {asked} is more than the {model_limit} positions the model has")
    return asked

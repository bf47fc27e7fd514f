"""What a reward head is: where it reads, which tensors it is made of, how it is built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rmeval.errors import ModelError
from rmeval.eval.models.heads.stored import Tensors, found_beside

if TYPE_CHECKING:
    import torch
    from torch import nn

    from rmeval.data_prep.text.pooling import GateToken

__all__ = ["Head", "count", "number"]

_MOST_LAYERS = 1000
"""More are no head's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head(ABC):
    """A reward head over a decoder's last hidden states."""

    family: str
    """Its name in docs/models.md."""
    at_end: bool = True
    """It reads the last token of all, also where that is a pad token; False for the last one that is none."""
    pad: int | None = None
    """The pad token that it reads before, where the config does not say."""
    body: str | None = None
    """What the checkpoint calls the body, where transformers has another name."""
    twice: str | None = None
    """Where the checkpoint holds the body once more, under names that begin so."""
    model_type: str | None = None
    """Transformers' name of the body, where the config has another."""
    max_length: int | None = None
    """Tokens that its own code reads at most; None where that is not known."""
    template: str | None = None
    """What its texts look like, where its tokenizer may have no chat template; None where it has one."""

    @property
    @abstractmethod
    def names(self) -> set[str]:
        """The names of its tensors."""

    @property
    def gate(self) -> GateToken | None:
        """Where it reads beside the token that is scored; None for nowhere."""
        return None

    @abstractmethod
    def check(self, config: Mapping[str, Any], tensors: Tensors) -> None:
        """See that its tensors are there and fit each other and the body.

        Raises:
            ModelError: if not; the message goes on from "NAME has ".
        """

    @abstractmethod
    def build(self, tensors: Tensors, dtype: torch.dtype) -> nn.Module:
        """Return the head with its weights, in ``dtype`` if it can be.

        Raises:
            ModelError: if a weight is not finite; the message goes on as above.
        """

    def need(self, tensors: Tensors, name: str, *shape: int | None) -> tuple[int, ...]:
        """Return the shape of a tensor; of ``shape``, None stands for any size.

        Raises:
            ModelError: if it is missing or has another shape.
        """
        if name not in tensors:
            raise ModelError(f"a head of the kind {self.family} without {name}; {found_beside(tensors)}")
        found = tensors[name].shape
        if len(found) != len(shape) or any(size not in (None, own) for own, size in zip(found, shape, strict=True)):
            needed = ", ".join("…" if size is None else str(size) for size in shape)
            raise ModelError(
                f"a head of the kind {self.family} of another shape: {name} is {list(found)}, not [{needed}]"
            )
        return found


def number(config: Mapping[str, Any], key: str, default: float) -> float:
    """Return a number of the config, which may be a list of one; ``default`` where it is not there.

    Raises:
        ModelError: if it is something else.
    """
    value = config.get(key)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if value is None:
        return default
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ModelError(f"a head whose config.json has {key} {value!r}: it should be one number")
    return float(value)


def count(config: Mapping[str, Any], key: str, default: int) -> int:
    """Return a number of layers of the config, as ``number`` does.

    Raises:
        ModelError: if it is none.
    """
    value = number(config, key, default)
    if value not in range(_MOST_LAYERS):
        raise ModelError(f"a head whose config.json has {key} {config[key]!r}: it should be a number of layers")
    return int(value)

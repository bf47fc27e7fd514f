"""What the files of a checkpoint hold, read without building a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import is_zipfile

from safetensors import SafetensorError, safe_open

from rmeval.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["PICKLED_HEAD", "Stored", "Tensors", "found_beside", "read_tensor", "stored_tensors"]

PICKLED_HEAD = "value_head.bin"
_SAFE, _PICKLED = "*.safetensors", (PICKLED_HEAD, "pytorch_model*.bin")


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of a checkpoint."""

    file: Path
    shape: tuple[int, ...]


Tensors = Mapping[str, Stored]


def stored_tensors(path: Path, allow_pickle: bool) -> dict[str, Stored]:
    """Return the names and shapes of a folder's tensors; pickled files are read only where allowed."""
    found: dict[str, Stored] = {}
    for file in sorted(path.glob(_SAFE)):
        try:
            with safe_open(file, "np") as opened:
                for name in opened.keys():  # noqa: SIM118 (not a mapping)
                    found[name] = Stored(file, tuple(opened.get_slice(name).get_shape()))
        except (SafetensorError, OSError):
            continue  # Whoever loads it says so.
    if allow_pickle:
        import torch

        for file in sorted(file for pattern in _PICKLED for file in path.glob(pattern)):
            try:
                weights = torch.load(file, map_location="meta", weights_only=True)
            except Exception:  # noqa: S112 (as above, whatever torch raises)
                continue
            for name, tensor in weights.items() if isinstance(weights, Mapping) else ():
                found.setdefault(name, Stored(file, tuple(getattr(tensor, "shape", ()))))
    return found


def read_tensor(tensors: Tensors, name: str, row: int | None = None) -> torch.Tensor:
    """Return a tensor as it is stored, or one row of it, of shape (1, …).

    Raises:
        ModelError: if a value of it is not finite.
    """
    import torch

    stored = tensors[name]
    tensor: torch.Tensor
    if stored.file.suffix == ".safetensors":
        with safe_open(stored.file, "pt") as opened:
            tensor = opened.get_tensor(name)
    else:
        mmap = is_zipfile(stored.file)  # As torch writes since 1.6.
        weights = torch.load(stored.file, map_location="cpu", weights_only=True, mmap=mmap)
        tensor = weights[name]
    if row is not None:
        tensor = tensor[row : row + 1].clone()
    if not torch.isfinite(tensor).all():
        raise ModelError(f"a head whose {name} holds values that are not finite")
    return tensor


def found_beside(tensors: Tensors, most: int = 6) -> str:
    """Say what a checkpoint holds beside its body: names and shapes of a few tensors."""
    parts: dict[str, int] = {}
    for name in tensors:
        part = name.partition(".")[0]
        parts[part] = parts.get(part, 0) + 1
    body = max(parts, key=lambda part: parts[part], default="")
    others = [f"{name} {list(each.shape)}" for name, each in tensors.items() if name.partition(".")[0] != body]
    more = f" and {len(others) - most} more" if len(others) > most else ""
    return f"beside its body its files hold {', '.join(others[:most]) or 'nothing'}{more}"

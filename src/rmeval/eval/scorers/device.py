"""Which device and which dtype."""

from __future__ import annotations

import torch

from rmeval.errors import UsageError, did_you_mean
from rmeval.eval.scorers.options import DTYPES


def pick_device(name: str) -> torch.device:
    """Return the device of that name; ``auto`` takes the first of cuda, mps, cpu that is there.

    Raises:
        UsageError: if there is no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).item()
    except Exception as error:  # RuntimeError, AssertionError or NotImplementedError, by backend.
        reason = str(error).strip().partition("\n")[0][:120]
        raise UsageError(f"device {name!r} cannot be used: {reason}") from None
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of that name; ``auto`` is bfloat16 where the hardware computes in it natively, else float32.

    Raises:
        UsageError: if there is no such dtype.
    """
    if name == "auto":
        return torch.bfloat16 if _native_bfloat16(device) else torch.float32
    if name not in DTYPES:
        raise UsageError(f"unknown dtype {name!r}{did_you_mean(name, DTYPES)} (known: auto, {', '.join(DTYPES)})")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and cpu_has("avx512_bf16", "amx_bf16", "bf16")


def cpu_has(*names: str) -> bool:
    """Return whether the processor has one of these instruction sets, by torch's names; False where it cannot say."""
    # Releases before 2.10 cannot.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in names)

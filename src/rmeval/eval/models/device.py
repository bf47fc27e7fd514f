"""Which device and which dtype."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import torch

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.eval.engine.kernels.processor import cpu_has
from rmeval.eval.model_options import DTYPES


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


_GROUP = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")


def free_bytes(device: torch.device) -> float | None:
    """Return the memory in bytes that the device has to spare; None where it cannot be asked.

    What the system only keeps to save reading files again can be had, and counts as spare.
    """
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    found = [free for free in (_left_in_container(), _left_in_system()) if free is not None]
    return min(found, default=None)


def _left_in_container() -> float | None:
    """Return what the limit of a control group leaves, its page cache counted as free."""
    with suppress(OSError, ValueError, KeyError):  # No such group, or no limit ("max").
        most, now = (int((_GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        counts = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
        return float(most - now + int(counts["inactive_file"]) + int(counts["active_file"]))
    return None


def _left_in_system() -> float | None:
    with suppress(OSError, ValueError, AttributeError):
        for line in _MEMORY.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    with suppress(OSError, ValueError, AttributeError):  # Not Linux.
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"))
    return None

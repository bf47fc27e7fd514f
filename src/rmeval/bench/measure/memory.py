"""How much memory a cell takes at its peak."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Peak:
    """Peak memory since it was made: of this process, and of its allocations on the device.

    Linux keeps the most that a process ever had resident, and lets it be set back; where it cannot be, the number is
    the most since the program started, and ``exact`` is False. It counts all of the process: Python, torch, weights.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        _give_back()
        self.exact = _reset()
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)

    @property
    def host(self) -> int:
        """Bytes of this process in memory at the most; 0 where the system cannot say."""
        try:
            for line in _STATUS.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            pass
        try:
            import resource
        except ImportError:  # Windows.
            return 0
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024

    @property
    def on_device(self) -> int | None:
        """Bytes allocated on the device at the most; None where it is the host's memory or cannot be asked."""
        return torch.cuda.max_memory_allocated(self._device) if self._device.type == "cuda" else None


def _reset() -> bool:
    try:
        _CLEAR.write_text("5")  # "Reset the peak resident set size": proc(5).
    except OSError:
        return False
    return True


def _give_back() -> None:
    """Let the C library return what it holds of freed memory, so that one cell's does not count in the next."""
    with suppress(OSError, AttributeError, TypeError):  # Not glibc.
        ctypes.CDLL(None).malloc_trim(0)

"""The C library's allocator, told to keep what is freed for the next tensor.

Each operation of a pass makes tensors of some megabytes and frees them at once. By its defaults glibc hands such memory
back to the system again and again, and the system fills every page of it with zeros before it is lent anew. Weights
stay, the rest is reused: the process keeps the most that one pass needs, which it would need again for the next one.
"""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # Names of options in glibc's malloc.h.
_TENSOR_BYTES = 1 << 28
"""Larger tensors still go back to the system: only weights are."""
_FREE_BYTES = 1 << 30
"""Most free memory at the end of the heap that is kept."""
_CHOSEN = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")
"""Environment variables by which a user has chosen for himself."""


def keep_freed_memory() -> bool:
    """Keep freed memory in this process, for all of it and from now on; return whether that could be done.

    False where the C library is not glibc, and where an environment variable has chosen otherwise.
    """
    if sys.platform != "linux" or any(name in os.environ for name in _CHOSEN):
        return False
    choose = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none.
    if choose is None:
        return False
    return bool(choose(_MMAP_THRESHOLD, _TENSOR_BYTES)) and bool(choose(_TRIM_THRESHOLD, _FREE_BYTES))

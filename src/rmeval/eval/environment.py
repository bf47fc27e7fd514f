"""Versions and hardware, for the record."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata

_PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "numpy", "pyarrow")


def environment() -> dict[str, str | int | float | None]:
    """Return the versions of what computes and a description of the machine."""
    found: dict[str, str | int | float | None] = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    found["cpu"] = _cpu_name()
    found["cores"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found["memory_gib"] = _memory_gib()
    torch = sys.modules.get("torch")  # A baseline never loads it; then no accelerator took part.
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
        found["gpus"] = torch.cuda.device_count()
        found["cuda"] = torch.version.cuda
    return found


def own_version() -> str:
    """Return rmeval's version; ``source`` where it runs from a folder and is not installed."""
    try:
        return metadata.version("rmeval")
    except metadata.PackageNotFoundError:
        return "source"


def versions() -> str:
    """Return the versions of what computes, as part of a key: another version may give other scores."""
    import torch
    import transformers  # Here: it may put another module in its own place while it is imported.

    return f"torch {torch.__version__}\0transformers {transformers.__version__}"


def one_line() -> str:
    """Return what computes, and the day, on one line: what is kept beside scores in the journal."""
    found = environment()
    on = found.get("gpu") or found["cpu"] or found["platform"]
    versions = ", ".join(f"{name} {found[name]}" for name in ("torch", "transformers"))
    return f"rmeval {own_version()}, {versions}, on {on}, {datetime.now(UTC):%Y-%m-%d}"


def _cpu_name() -> str | None:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or None


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, ValueError, AttributeError):
        return None

"""What the processor can."""

from __future__ import annotations

import torch

__all__ = ["cpu_has"]


def cpu_has(*names: str) -> bool:
    """Return whether the processor has one of these instruction sets, by torch's names; False where it cannot say."""
    # Releases before 2.10 cannot.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in names)

"""What several processes that train together have to agree on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from rmeval.errors import RunError

__all__ = ["by_the_first"]

T = TypeVar("T")


def by_the_first(first: bool, work: Callable[[], T]) -> T | None:
    """Have the first process do something while the others wait; where it fails, all stop.

    Returns:
        What ``work`` returned; None in the other processes.

    Raises:
        RunError: in the other processes, if it failed in the first, where its own error is raised.
    """
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    if not together:
        return work()
    failed: list[str | None] = [None]
    if not first:
        torch.distributed.broadcast_object_list(failed)
        if failed[0] is not None:
            raise RunError(f"the first process stopped: {failed[0]}")
        return None
    try:
        done = work()
    except Exception as error:
        torch.distributed.broadcast_object_list([" ".join(str(error).split()) or type(error).__name__])
        raise
    torch.distributed.broadcast_object_list(failed)
    return done

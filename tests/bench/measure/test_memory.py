from __future__ import annotations

import numpy as np
import pytest
import torch

from rmeval.bench.measure.memory import Peak
from rmeval.eval.models.device import free_bytes

CPU = torch.device("cpu")
MANY = 200 * 2**20


def test_what_was_allocated_and_let_go_again_is_seen_once() -> None:
    before = Peak(CPU)
    if not before.exact:
        pytest.skip("this system cannot set the high-water mark back")
    idle = before.host
    np.ones(MANY, dtype=np.uint8).sum()
    assert before.host >= idle + 0.9 * MANY
    assert Peak(CPU).host <= idle + 0.3 * MANY
    assert before.on_device is None


def test_there_is_memory_left() -> None:
    free = free_bytes(CPU)
    assert free is None or free > 0

"""Which token's output is the score."""

from __future__ import annotations

import numpy as np
import pytest

from rmeval.data_prep.text.pooling import pooled_position


@pytest.mark.parametrize(
    ("ids", "pad", "expected"),
    [([5, 6, 7], 2, 2), ([5, 2, 7, 2, 2], 2, 2), ([2, 2], 2, 0), ([5, 2], None, 1), ([2, 5], 2, 1)],
)
def test_pooled_position(ids: list[int], pad: int | None, expected: int) -> None:
    assert pooled_position(np.array(ids, dtype=np.int32), pad) == expected

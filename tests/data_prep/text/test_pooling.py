"""Which token's output is the score."""

from __future__ import annotations

import numpy as np
import pytest

from rmeval.data_prep.text.pooling import GateToken, pooled_position


@pytest.mark.parametrize(
    ("ids", "pad", "expected"),
    [([5, 6, 7], 2, 2), ([5, 2, 7, 2, 2], 2, 2), ([2, 2], 2, 0), ([5, 2], None, 1), ([2, 5], 2, 1)],
)
def test_pooled_position(ids: list[int], pad: int | None, expected: int) -> None:
    assert pooled_position(np.array(ids, dtype=np.int32), pad) == expected


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1, 9, 6, 7, 5], 1),
        ([9, 6, 7, 5, 9, 6, 7, 4], 4),  # The last one.
        ([9, 6, 7], 0),
        ([1, 6, 7, 5], None),
        ([9, 6], None),
        ([], None),
        ([9, 6, 7, 5, 9, 6, 8, 4], None),  # Another turn begins behind it.
        ([9, 6, 7, 9, 5], 0),
    ],
)
def test_a_gate_is_where_the_last_header_begins(ids: list[int], expected: int | None) -> None:
    assert GateToken((9, 6, 7), opens=6).position(np.array(ids, dtype=np.int32)) == expected

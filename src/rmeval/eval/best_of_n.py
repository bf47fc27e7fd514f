"""Best-of-n: the best and the worst completion of a row, as a preference pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from rmeval.data_prep.score_rows import ScorableRow
from rmeval.errors import DataError, UsageError

__all__ = ["best_pair", "pairable"]

_COLUMNS = ("chosen", "rejected", "score_chosen", "score_rejected")


def pairable(row: ScorableRow) -> ScorableRow:
    """Return the row.

    Raises:
        UsageError: if it has not the form that pairs are made of.
        DataError: if it has a column that a pair would have.
    """
    if row.columns[0][0] != "scores":
        raise UsageError("--best needs rows with 'prompt' and 'completions'")
    for column in _COLUMNS:
        if column in row.row:
            raise DataError(f"{row.place}: there is a column {column!r} already, which --best writes: rename it")
    return row


def best_pair(row: ScorableRow, values: Sequence[float]) -> dict[str, object] | None:
    """Return the best and the worst completion as a pair, or None where no two finite scores differ."""
    finite = [index for index, value in enumerate(values) if math.isfinite(value)]
    best = max(finite, key=values.__getitem__, default=0)
    worst = min(finite, key=values.__getitem__, default=0)
    if not finite or values[best] == values[worst]:
        return None
    kept = dict(row.row)
    completions = cast("list[object]", kept.pop("completions"))
    pair = (completions[best], completions[worst], values[best], values[worst])
    return {**kept, **dict(zip(_COLUMNS, pair, strict=True))}

"""What a pair's margin is: by how much the chosen completion should lead, in units that every source shares.

A column ``margin`` is taken as it is. The difference of two scores is in its source's own unit (upvotes, stars), so it
becomes its rank among the source's pairs, from 0 to 1: the share of them that differ less, and half of those that
differ as much. Pairs of a source that has no scores have the margin 0, which is the loss without one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.rows.in_memory import Rows
from rmeval.data_prep.sources.common import number
from rmeval.errors import DataError
from rmeval.types import Example

__all__ = ["margins_of"]

_SCORES = (("chosen_score", "rejected_score"), ("score_chosen", "score_rejected"))
_MARGIN, _GAP = "margin", "difference of scores"
_ADVICE = (
    "give finite numbers in the column 'margin', or in 'chosen_score' and 'rejected_score' ('score_chosen' and "
    "'score_rejected'); --set margin=false asks for none"
)


def margins_of(rows: Rows, examples: Sequence[Example], train: Sequence[Example]) -> tuple[list[float], list[str]]:
    """Return the margins of pairs, and which sources have none.

    Args:
        rows: of the data set.
        examples: all its pairs; each of a source that has margins must have one, whether it trains or not.
        train: the pairs that margins are wanted of.

    Raises:
        DataError: if a value is not a finite number, a pair of a source with margins has none, or no pair has one.
    """
    read = {example.row: _read(rows.rows[example.row], rows.locate(example.row)) for example in examples}
    sources: dict[str, list[int]] = {}
    for example in examples:
        sources.setdefault(example.subset, []).append(example.row)
    wanted = {example.row for example in train}
    found: dict[int, float] = {}
    without = []
    for source, own in sources.items():
        kinds = {read[row][0] for row in own}
        kind = next((each for each in (_MARGIN, _GAP) if each in kinds), None)
        for row in own:
            if read[row][0] != kind:
                raise DataError(f"{rows.locate(row)}: no {kind}, which other pairs of {source} have; {_ADVICE}")
        places = [row for row in own if row in wanted]
        values = [read[row][1] for row in places]
        found |= zip(places, _ranks(values) if kind == _GAP else values, strict=True)
        if kind is None:
            without.append(f"{source} has no margins and no scores: the margin of its {len(places):,} pairs is 0")
    if len(without) == len(sources):
        raise DataError(f"{rows.locate(0)}: no margin, nor in any other row; {_ADVICE}")
    return [found[example.row] for example in train], without


def _read(row: Row, place: str) -> tuple[str | None, float]:
    """Return what a row says of its margin, and the value: as it is, or a difference in the source's unit."""
    margin = _number(row, "margin", place)
    if margin is not None:
        return _MARGIN, margin
    for better, worse in _SCORES:
        high, low = _number(row, better, place), _number(row, worse, place)
        if high is not None and low is not None:
            return _GAP, high - low
    return None, 0.0


def _number(row: Row, column: str, place: str) -> float | None:
    """Return a column's number, which may be written as text; None where there is none.

    Raises:
        DataError: if it is something else, NaN and infinity included.
    """
    value = row.get(column)
    if value is None or value == "":
        return None
    found = number(value)
    if found is None:
        raise DataError(f"{place}: the column {column!r} holds {value!r}, which is not a finite number; {_ADVICE}")
    return found


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the share of the values that are less than each, and half of those that are the same."""
    ordered = np.sort(np.array(values, dtype=np.float64))
    below, upto = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    shares: list[float] = ((below + upto) / (2 * max(len(ordered), 1))).tolist()
    return shares

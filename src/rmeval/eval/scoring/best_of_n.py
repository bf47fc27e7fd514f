"""Best-of-n: the best and the worst completion of a row, as a preference pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from rmeval.data_prep.rows.scorable import ScorableRow
from rmeval.errors import DataError, UsageError
from rmeval.eval.refine import Decision, in_vain, refine_decisions
from rmeval.eval.scorers.base import Refinable, Scorer
from rmeval.types import Conversation, Score

__all__ = ["best_decisions", "best_pair", "pairable", "refine_best"]

_COLUMNS = ("chosen", "rejected", "score_chosen", "score_rejected", "index_chosen", "index_rejected")


def pairable(row: ScorableRow) -> ScorableRow:
    """Return the row.

    Raises:
        UsageError: if it has not the form that pairs are made of.
        DataError: if it has a column that a pair would have.
    """
    if row.columns[0][0] != "scores":
        raise UsageError("--best needs rows with 'prompt' and 'completions', or 'prompt' and one 'completion' a row")
    for column in _COLUMNS:
        if column in row.read:
            raise DataError(f"{row.place}: there is a column {column!r} already, which --best writes: rename it")
    return row


def best_pair(row: ScorableRow, values: Sequence[float]) -> dict[str, object] | None:
    """Return the best and the worst completion as a pair, or None where no two finite scores differ."""
    finite = [index for index, value in enumerate(values) if math.isfinite(value)]
    best = max(finite, key=values.__getitem__, default=0)
    worst = min(finite, key=values.__getitem__, default=0)
    if not finite or values[best] == values[worst]:
        return None
    kept = dict(row.read)
    column = "completions" if "completions" in kept else "responses"
    completions = cast("list[object]", kept.pop(column))
    pair = (completions[best], completions[worst], values[best], values[worst], best, worst)
    return {**kept, **dict(zip(_COLUMNS, pair, strict=True))}


def refine_best(
    rows: Sequence[ScorableRow], conversations: Sequence[Conversation], scores: list[Score], scorer: Scorer
) -> tuple[list[Score], bool]:
    """Score again in float32 what the choice of a best or worst completion hangs on, where the scorer can.

    Args:
        rows: The rows.
        conversations: Those of all rows, in order.
        scores: Theirs.
        scorer: What gave them.

    Returns:
        The scores, and whether low precision decided so little that float32 alone would have been faster.
    """
    if not isinstance(scorer, Refinable) or not scorer.can_refine or (drift := scorer.drift) is None:
        return scores, False
    decisions = best_decisions(rows, scores)
    found = refine_decisions(decisions, conversations, scores, scorer, drift)
    return found.scores, in_vain(found.rescored, len(decisions))


def best_decisions(rows: Sequence[ScorableRow], scores: Sequence[Score]) -> list[Decision]:
    """Return what the choice of each row's best and worst completion hangs on.

    Args:
        rows: The rows.
        scores: The scores of all their conversations, in order.
    """
    decisions, start = [], 0
    for row in rows:
        texts = [conversation.messages for conversation in row.conversations]
        # The same text twice has the same score twice, between which nothing is decided.
        places = [start + index for index, text in enumerate(texts) if texts.index(text) == index]
        start += len(texts)
        places.sort(key=lambda place: scores[place].value)
        if len(places) > 1:
            decisions += [Decision((places[-1],), tuple(places[:-1])), Decision(tuple(places[1:]), (places[0],))]
    return decisions

"""Ready pairs of anybody's, in the forms that ``rmeval pairs`` reads, with or without scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.rows.reader import RowReader
from rmeval.data_prep.sources.base import Dropped, Made, Pair, Rule, Source
from rmeval.data_prep.sources.common import COMMON_RULES, common_reasons, group_of, is_blank, judged, number
from rmeval.errors import DataError

_SCORES = (
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("rating_chosen", "rating_rejected"),
)
"""Columns of scores, in ``metadata`` or in the row itself; the first two that are both numbers count."""


def _pairs(unit: Sequence[Row]) -> Iterator[Made]:
    for row in unit:
        yield from _row(row)


def _row(row: Row) -> Iterator[Made]:
    if any(_is_empty(row.get(column)) for column in ("prompt", "chosen", "rejected")):
        yield Dropped("row", "empty-text")
        return
    try:
        reader = RowReader(row, "")
        prompt, chosen, rejected = reader.prompt_and_completions(explicit=row.get("prompt") is not None)
    except DataError:
        yield Dropped("row", "malformed")
        return
    if reader.tools() or any(message.extra for each in (prompt, *chosen, *rejected) for message in each):
        yield Dropped("row", "tools")
        return
    scores = _scores(row) if len(chosen) == len(rejected) == 1 else (None, None)
    group = group_of(prompt or chosen[0])
    for place, right in enumerate(chosen):
        for other_place, wrong in enumerate(rejected):
            yield judged(Pair(prompt, right, wrong, group, *scores, f"{place}-{other_place}"))


def _is_empty(value: object) -> bool:
    return is_blank(value) if isinstance(value, str) else value == []


def _scores(row: Row) -> tuple[float | None, float | None]:
    """Return the scores of ``chosen`` and ``rejected``; neither where one is missing."""
    for table in (row.get("metadata"), row):
        if isinstance(table, Mapping):
            for names in _SCORES:
                chosen, rejected = (number(table.get(name)) for name in names)
                if chosen is not None and rejected is not None:
                    return chosen, rejected
    return None, None


PAIRS = Source(
    name="pairs",
    title="ready pairs",
    hub_id=None,
    home="",
    licence="their owner's",
    columns=("chosen", "rejected"),
    pairs=_pairs,
    rules=(
        Rule(
            "prompt, chosen and rejected are texts or messages; without a prompt, chosen and rejected are whole "
            "conversations or hh-rlhf transcripts",
            "rmeval: the forms of rmeval pairs, TRL's among them",
        ),
        Rule(
            "several chosen or rejected completions make every pair of one of each; scores are not read then",
            "rmeval: each right one is better than each wrong one, and one score cannot be of several",
        ),
        Rule(
            "a pair of equal scores is dropped (score_*, *_score or rating_* of chosen and rejected, also in metadata)",
            "rmeval: as in the published mixture's other sources",
        ),
        Rule(
            "which answer is better is what chosen says, even where its score is lower",
            "rmeval: the pairs are ready, and of some scores less is more",
        ),
        *COMMON_RULES,
    ),
    reasons=common_reasons("malformed", "tools", "empty-text", "not-alternating", "equal-texts", "equal-scores"),
)

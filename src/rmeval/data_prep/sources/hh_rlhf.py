"""Anthropic/hh-rlhf: people chose between two dialogues with an assistant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.rows.transcripts import is_transcript, parse_transcript
from rmeval.data_prep.sources.base import Made, Pair, Rule, Source
from rmeval.data_prep.sources.common import (
    CARD,
    COMMON_RULES,
    UnusableRow,
    common_reasons,
    group_of,
    is_blank,
    judged,
    one_pair_a_row,
    split_prompt,
    text,
)
from rmeval.types import Messages


def _pairs(unit: Sequence[Row]) -> Iterator[Made]:
    return one_pair_a_row(unit, _pair)


def _pair(row: Row) -> Made:
    prompt, chosen, rejected = split_prompt(_dialogue(row, "chosen"), _dialogue(row, "rejected"))
    return judged(Pair(prompt, chosen, rejected, group_of(prompt or chosen)))


def _dialogue(row: Row, column: str) -> Messages:
    transcript = text(row, column)
    if not is_transcript(transcript):
        raise UnusableRow("empty-text" if is_blank(transcript) else "malformed")
    return parse_transcript(transcript)


HH_RLHF = Source(
    name="hh-rlhf",
    title="Anthropic hh-rlhf, helpful",
    hub_id="Anthropic/hh-rlhf",
    home="https://huggingface.co/datasets/Anthropic/hh-rlhf",
    licence="MIT",
    columns=("chosen", "rejected"),
    files=("helpful-*/*",),
    pairs=_pairs,
    rules=(
        Rule(
            "helpful subsets only: helpful-base, helpful-rejection-sampled, helpful-online; all of a single file", CARD
        ),
        Rule(
            "a transcript's turns begin at a blank line (the first needs none) and 'Human:' or 'Assistant:', white "
            "space around them goes",
            "data set card; rmeval: copies that were stripped",
        ),
        Rule(
            "the prompt is the turns with which both dialogues begin, even where they part before the last turn",
            "rmeval: what both share cannot be what was preferred",
        ),
        *COMMON_RULES,
    ),
    reasons=common_reasons("malformed", "empty-text", "not-alternating", "equal-texts"),
    published=115_547,
)

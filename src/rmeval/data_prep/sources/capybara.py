"""argilla/distilabel-capybara-dpo-7k-binarized: the last turn of a dialogue, as two models wrote it, rated by GPT-4."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.sources.base import Dropped, Made, Pair, Rule, Source
from rmeval.data_prep.sources.common import (
    COMMON_RULES,
    common_reasons,
    group_of,
    judged,
    messages,
    number,
    one_pair_a_row,
    split_prompt,
)


def _pairs(unit: Sequence[Row]) -> Iterator[Made]:
    return one_pair_a_row(unit, _pair)


def _pair(row: Row) -> Made:
    prompt, chosen, rejected = split_prompt(messages(row, "chosen"), messages(row, "rejected"))
    high, low = number(row.get("rating_chosen")), number(row.get("rating_rejected"))
    if high is None or low is None:
        return Dropped("pair", "no-rating")
    if high < low:
        return Dropped("pair", "contradicting-scores")
    return judged(Pair(prompt, chosen, rejected, group_of(prompt or chosen), high, low))


CAPYBARA = Source(
    name="capybara",
    title="distilabel Capybara-DPO 7k, binarized",
    hub_id="argilla/distilabel-capybara-dpo-7k-binarized",
    home="https://huggingface.co/datasets/argilla/distilabel-capybara-dpo-7k-binarized",
    licence="Apache-2.0",
    columns=("chosen", "rejected", "rating_chosen", "rating_rejected"),
    pairs=_pairs,
    rules=(
        Rule("chosen and rejected are whole conversations; the prompt is the turns they share", "data set card"),
        Rule("a pair of equal ratings is dropped", "README of RLHF-Reward-Modeling"),
        Rule(
            "a pair without two ratings, or whose rejected answer has the higher one, is dropped",
            "rmeval: nothing says then which answer is better",
        ),
        *COMMON_RULES,
    ),
    reasons=common_reasons(
        "malformed",
        "empty-text",
        "not-alternating",
        "equal-texts",
        "equal-scores",
        "no-rating",
        "contradicting-scores",
    ),
    published=7_562,
)

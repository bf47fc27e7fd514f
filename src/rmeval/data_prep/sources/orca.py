"""argilla/distilabel-intel-orca-dpo-pairs: GPT-4 rated both answers of Intel's Orca pairs.

Where it found the rejected answer better, the data set has swapped the two (``status`` is ``swapped``): ``chosen`` is
the better one already, ``original_chosen`` is not read. ``rating`` is in the order of ``generations``, which was drawn;
``order`` names the original columns in that order, and ``chosen_score`` is the higher rating.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.sources.base import Dropped, Made, Pair, Rule, Source
from rmeval.data_prep.sources.common import (
    COMMON_RULES,
    assistant,
    common_reasons,
    group_of,
    is_blank,
    judged,
    number,
    one_pair_a_row,
    text,
    user,
)
from rmeval.types import Message, Messages


def _pairs(unit: Sequence[Row]) -> Iterator[Made]:
    return one_pair_a_row(unit, _pair)


def _pair(row: Row) -> Made:
    prompt, chosen, rejected = _prompt(row), text(row, "chosen"), text(row, "rejected")
    if row.get("status") == "tie":
        return Dropped("pair", "equal-scores")
    ratings = _ratings(row.get("rating"))
    if ratings is None:
        return Dropped("pair", "no-rating")
    if _is_reversed(row, ratings):
        return Dropped("pair", "contradicting-scores")
    return judged(Pair(prompt, assistant(chosen), assistant(rejected), group_of(prompt), max(ratings), min(ratings)))


def _prompt(row: Row) -> Messages:
    system = "" if row.get("system") is None else text(row, "system")
    question = user(text(row, "input"))
    return question if is_blank(system) else (Message("system", system), *question)


def _ratings(value: object) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    first, second = number(value[0]), number(value[1])
    return None if first is None or second is None else (first, second)


def _is_reversed(row: Row, ratings: tuple[float, float]) -> bool:
    """Return whether ``chosen`` is the text of ``generations`` that is rated lower, and not the other one."""
    generations = row.get("generations")
    if ratings[0] == ratings[1] or not isinstance(generations, list) or len(generations) != 2:
        return False
    best = ratings.index(max(ratings))
    return bool(generations[1 - best] == row["chosen"] != generations[best])


ORCA = Source(
    name="orca",
    title="distilabel Orca pairs",
    hub_id="argilla/distilabel-intel-orca-dpo-pairs",
    home="https://huggingface.co/datasets/argilla/distilabel-intel-orca-dpo-pairs",
    licence="Apache-2.0",
    columns=("input", "chosen", "rejected", "rating", "status"),
    pairs=_pairs,
    rules=(
        Rule("a pair of equal ratings, or of status 'tie', is dropped", "README of RLHF-Reward-Modeling"),
        Rule(
            "the higher rating is that of chosen",
            "data set card: chosen and rejected have been swapped where it was not",
        ),
        Rule(
            "a pair whose generations and rating say otherwise is dropped",
            "rmeval: nothing says then which answer is better",
        ),
        Rule("a pair without two ratings is dropped", "rmeval: the card counts the few there are as ties"),
        Rule("system is the system message, left out where it is empty or missing", "rmeval: many rows have none"),
        *COMMON_RULES,
    ),
    reasons=common_reasons(
        "malformed", "empty-text", "equal-texts", "equal-scores", "no-rating", "contradicting-scores"
    ),
    published=6_405,
)

"""PKU-Alignment/PKU-SafeRLHF-30K: two answers to a question, each labelled safe or not, and which one helps more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.sources.base import Dropped, Made, Pair, Rule, Source
from rmeval.data_prep.sources.common import (
    COMMON_RULES,
    UnusableRow,
    assistant,
    common_reasons,
    group_of,
    judged,
    number,
    one_pair_a_row,
    text,
    user,
)


def _pairs(unit: Sequence[Row]) -> Iterator[Made]:
    return one_pair_a_row(unit, _pair)


def _pair(row: Row) -> Made:
    prompt, answers = user(text(row, "prompt")), [text(row, "response_0"), text(row, "response_1")]
    safe = [row.get("is_response_0_safe"), row.get("is_response_1_safe")]
    better = number(row.get("better_response_id"))
    if not all(isinstance(each, bool) for each in safe) or (all(safe) and better not in (0, 1)):
        raise UnusableRow("malformed")
    if not any(safe):
        return Dropped("pair", "both-unsafe")
    first = better == 0 if all(safe) else safe[0]
    chosen, rejected = answers if first else answers[::-1]
    return judged(Pair(prompt, assistant(chosen), assistant(rejected), group_of(prompt)))


PKU_SAFE_RLHF = Source(
    name="pku-safe-rlhf",
    title="PKU-SafeRLHF-30K",
    hub_id="PKU-Alignment/PKU-SafeRLHF-30K",
    home="https://huggingface.co/datasets/PKU-Alignment/PKU-SafeRLHF-30K",
    licence="CC-BY-NC-4.0",
    columns=(
        "prompt",
        "response_0",
        "response_1",
        "is_response_0_safe",
        "is_response_1_safe",
        "better_response_id",
    ),
    pairs=_pairs,
    rules=(
        Rule(
            "a safe answer is better than an unsafe one, whichever helps more",
            "rmeval: the published mixture names the data set, not how it pairs",
        ),
        Rule("of two safe answers the one that helps more is better (better_response_id)", "data set card"),
        Rule(
            "a pair of two unsafe answers is dropped",
            "rmeval: to prefer one would reward an unsafe answer; the published count is nearly the "
            "whole training split, so it seems to keep them",
        ),
        Rule("safer_response_id is not read", "rmeval: between a safe and an unsafe answer it says the same"),
        *COMMON_RULES,
    ),
    reasons={
        **common_reasons("malformed", "empty-text", "equal-texts"),
        "both-unsafe": "neither answer is safe",
    },
    published=26_871,
)

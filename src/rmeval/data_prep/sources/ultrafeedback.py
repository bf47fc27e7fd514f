"""openbmb/UltraFeedback: GPT-4 rated four models' answers to a prompt in four aspects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.rows.reader import mend
from rmeval.data_prep.sources.base import Dropped, Made, Rule, Source
from rmeval.data_prep.sources.common import CARD, COMMON_RULES, RatedAnswer, all_pairs, common_reasons, number

_ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")


def _pairs(unit: Sequence[Row]) -> Iterator[Made]:
    for row in unit:
        instruction, completions = row.get("instruction"), row.get("completions")
        if not isinstance(instruction, str) or not isinstance(completions, list):
            yield Dropped("row", "malformed")
        elif len(completions) < 2:
            yield Dropped("row", "lone-answer")
        else:
            yield from all_pairs(mend(instruction), [_answer(each) for each in completions])


def _answer(completion: object) -> RatedAnswer | str:
    """Return an answer with the mean of its ratings, or why there is none."""
    if not isinstance(completion, Mapping) or not isinstance(completion.get("response"), str):
        return "malformed"
    ratings = [_rating(completion.get("annotations"), aspect) for aspect in _ASPECTS]
    known = [rating for rating in ratings if rating is not None]
    if len(known) < len(_ASPECTS):
        return "no-rating"
    return RatedAnswer(mend(completion["response"]), sum(known) / len(known))


def _rating(annotations: object, aspect: str) -> float | None:
    """Return what an aspect is rated, from 1 to 5; the data has strings, ``N/A`` among them."""
    annotation = annotations.get(aspect) if isinstance(annotations, Mapping) else None
    return number(annotation.get("Rating"), 1, 5) if isinstance(annotation, Mapping) else None


ULTRAFEEDBACK = Source(
    name="ultrafeedback",
    title="UltraFeedback",
    hub_id="openbmb/UltraFeedback",
    home="https://huggingface.co/datasets/openbmb/UltraFeedback",
    licence="MIT",
    columns=("instruction", "completions"),
    pairs=_pairs,
    rules=(
        Rule("an answer's score is the mean of its ratings in the four aspects", CARD),
        Rule("overall_score is not read", f"{CARD}; github.com/OpenBMB/UltraFeedback issue 8: some 1s stood as 10s"),
        Rule("all pairs of a prompt's answers, 6 where there are 4", CARD),
        Rule("a pair of equal scores is dropped", CARD),
        Rule(
            "an answer with a rating that is missing, 'N/A' or not from 1 to 5 makes no pair",
            "rmeval: a mean of other aspects is not comparable",
        ),
        Rule(
            "the system prompts that the answers were written under are left out",
            "rmeval: they differ between the answers of a prompt",
        ),
        *COMMON_RULES,
    ),
    reasons=common_reasons("malformed", "lone-answer", "empty-text", "equal-texts", "equal-scores", "no-rating"),
    published=267_416,
)

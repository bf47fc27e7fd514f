"""nvidia/HelpSteer: people rated up to four answers to a prompt; one answer a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.sources.base import Dropped, Made, Pair, Rule, Source
from rmeval.data_prep.sources.common import (
    CARD,
    COMMON_RULES,
    RatedAnswer,
    UnusableRow,
    all_pairs,
    common_reasons,
    group_of,
    is_blank,
    number,
    text,
)


def _prompt(row: Row) -> str | None:
    prompt = row.get("prompt")
    return prompt if isinstance(prompt, str) and not is_blank(prompt) else None


def _pairs(unit: Sequence[Row]) -> Iterator[Made]:
    answers: list[RatedAnswer | str] = []
    prompt = ""
    for row in unit:
        try:
            prompt = text(row, "prompt")
            answers.append(_answer(row))
        except UnusableRow as unusable:
            yield Dropped("row", unusable.reason)
    if len(answers) == 1:
        yield Dropped("row", "empty-text" if is_blank(prompt) else "lone-answer")
    else:
        for made in all_pairs(prompt, answers):
            yield replace(made, key=_key(made)) if isinstance(made, Pair) else made


def _key(pair: Pair) -> str:
    """Return what distinguishes a pair in its prompt, in whatever order the rows come: hashes of its two answers."""
    return "-".join(sorted(group_of(completion) for completion in (pair.chosen, pair.rejected)))


def _answer(row: Row) -> RatedAnswer | str:
    """Return the row's answer with its score, or why it has none."""
    response = text(row, "response")
    helpfulness, correctness = (number(row.get(aspect), 0, 4) for aspect in ("helpfulness", "correctness"))
    if helpfulness is None or correctness is None:
        return "no-rating"
    return RatedAnswer(response, (helpfulness + correctness) / 2)


HELPSTEER = Source(
    name="helpsteer",
    title="HelpSteer",
    hub_id="nvidia/HelpSteer",
    home="https://huggingface.co/datasets/nvidia/HelpSteer",
    licence="CC-BY-4.0",
    columns=("prompt", "response", "helpfulness", "correctness"),
    unit_key=_prompt,
    pairs=_pairs,
    rules=(
        Rule("an answer's score is the mean of helpfulness and correctness", CARD),
        Rule("all pairs of a prompt's answers, 6 where there are 4", CARD),
        Rule("a pair of equal scores is dropped", CARD),
        Rule(
            "the answers of a prompt are those of all rows with the same prompt",
            "rmeval: neighbours in the data set, and no longer where it was shuffled",
        ),
        Rule(
            "an answer with a rating that is missing or not from 0 to 4 makes no pair",
            "data set card: the scale; rmeval: half a mean is not comparable",
        ),
        *COMMON_RULES,
    ),
    reasons=common_reasons("malformed", "lone-answer", "empty-text", "equal-texts", "equal-scores", "no-rating"),
    published=21_576,
)

"""stanfordnlp/SHP: of two comments on a Reddit post, the one that more readers voted for, though it came later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.sources.base import Dropped, Made, Pair, Rule, Source
from rmeval.data_prep.sources.common import (
    CARD,
    COMMON_RULES,
    UnusableRow,
    assistant,
    common_reasons,
    judged,
    number,
    one_pair_a_row,
    text,
    user,
)


def _pairs(unit: Sequence[Row]) -> Iterator[Made]:
    return one_pair_a_row(unit, _pair)


def _pair(row: Row) -> Made:
    post, history = text(row, "post_id"), text(row, "history")
    if not post:  # Rows of unknown posts are not of one post.
        raise UnusableRow("malformed")
    key = "/".join(sorted([text(row, "c_root_id_A"), text(row, "c_root_id_B")]))
    label = number(row.get("labels"))
    if label not in (0, 1):
        raise UnusableRow("malformed")
    better, worse = "AB" if label == 1 else "BA"
    chosen, rejected = text(row, f"human_ref_{better}"), text(row, f"human_ref_{worse}")
    high, low = number(row.get(f"score_{better}")), number(row.get(f"score_{worse}"))
    if high is None or low is None:
        raise UnusableRow("malformed")
    if high < low:
        return Dropped("pair", "contradicting-scores")
    if low <= 0:
        return Dropped("pair", "no-ratio")
    if high <= 2 * low:
        return Dropped("pair", "ratio-too-low")
    return judged(Pair(user(history), assistant(chosen), assistant(rejected), post, high, low, key))


SHP = Source(
    name="shp",
    title="Stanford Human Preferences",
    hub_id="stanfordnlp/SHP",
    home="https://huggingface.co/datasets/stanfordnlp/SHP",
    licence="none granted: Reddit's API terms of use, the comments are their authors'",
    columns=(
        "post_id",
        "history",
        *(f"{name}_{comment}" for name in ("c_root_id", "score", "human_ref") for comment in "AB"),
        "labels",
    ),
    pairs=_pairs,
    rules=(
        Rule("labels is 1 where comment A is preferred, 0 where B is", "data set card"),
        Rule("the preferred comment's score is more than twice the other's", CARD),
        Rule(
            "the ratio is worked out from score_A and score_B; the column score_ratio is not read",
            "rmeval: it is rounded, and where the two disagree the scores are what was counted",
        ),
        Rule(
            "a pair whose label and scores disagree, or whose lower score is not above 0, is dropped",
            "rmeval: one of the two is wrong; and of such a score no ratio says anything",
        ),
        Rule("at most 5 pairs of a post", CARD),
        Rule("which 5: those with the lowest hash of seed, post and comments", "rmeval: the card does not say"),
        *COMMON_RULES,
    ),
    reasons={
        **common_reasons("malformed", "empty-text", "equal-texts", "contradicting-scores"),
        "no-ratio": "the lower score is not above 0",
        "ratio-too-low": "the higher score is not more than twice the lower one",
    },
    published=109_526,
    cap=5,
)

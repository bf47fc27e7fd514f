from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rmeval.data_prep.sources import Dropped, Pair
from tests.support.pairing import drops, make, pair, shown

USER = {"role": "user", "content": "Tea?"}
YES, NO = ({"role": "assistant", "content": text} for text in ("Yes.", "No."))
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Tea?", "chosen": "Yes.", "rejected": "No."},
        {"prompt": [USER], "chosen": [YES], "rejected": [NO]},  # TRL, explicit prompt
        {"prompt": "Tea?", "chosen": [USER, YES], "rejected": [USER, NO]},
        {"chosen": [USER, YES], "rejected": [USER, NO]},  # TRL, implicit prompt
        {"prompt": None, "chosen": [USER, YES], "rejected": [USER, NO]},
        {"chosen": "\n\nHuman: Tea?\n\nAssistant: Yes.", "rejected": "\n\nHuman: Tea?\n\nAssistant: No."},
    ],
)
def test_the_forms_of_a_pair(row: dict[str, object]) -> None:
    found = pair("pairs", row)
    assert shown(found) == ("u:Tea?", "a:Yes.", "a:No.")
    assert (found.chosen_score, found.rejected_score) == (None, None)
    assert found.group == pair("pairs", {"prompt": "Tea?", "chosen": "Yes.", "rejected": "Later."}).group


@pytest.mark.parametrize(
    "scores",
    [
        {"metadata": {"score_chosen": 8.5, "score_rejected": 3}},
        {"score_chosen": 8.5, "score_rejected": 3},
        {"chosen_score": 8.5, "rejected_score": 3},
        {"rating_chosen": 8.5, "rating_rejected": 3},
        {"chosen_score": "8.5", "rejected_score": "3"},  # as in CSV
        {"metadata": {"rating_chosen": 8.5, "rating_rejected": 3}, "chosen_score": 1, "rejected_score": 0},
        {"metadata": {"score_chosen": 8.5}, "chosen_score": 8.5, "rejected_score": 3},
        {"metadata": "x", "score_chosen": None, "score_rejected": 5, "chosen_score": 8.5, "rejected_score": 3},
    ],
)
def test_where_scores_may_stand(scores: dict[str, object]) -> None:
    found = pair("pairs", {"prompt": "Tea?", "chosen": "Yes.", "rejected": "No.", **scores})
    assert (found.chosen_score, found.rejected_score) == (8.5, 3.0)


@pytest.mark.parametrize("score", [None, True, "x", float("nan"), float("inf"), pytest.param(10**400, id="huge"), [8]])
def test_scores_that_are_none(score: object) -> None:
    row = {"prompt": "Tea?", "chosen": "Yes.", "rejected": "No.", "score_chosen": score, "score_rejected": 3}
    found = pair("pairs", row)
    assert (found.chosen_score, found.rejected_score) == (None, None)


def test_chosen_is_better_whatever_its_score() -> None:
    row = {"prompt": "Tea?", "chosen": "Yes.", "rejected": "No.", "chosen_score": 1, "rejected_score": 3}
    assert shown(pair("pairs", row))[1:] == ("a:Yes.", "a:No.")


def test_several_completions_make_every_pair() -> None:
    row = {"prompt": "Tea?", "chosen": ["Yes.", "Please."], "rejected": ["No.", "Yes.", " "], "score_chosen": 1}
    made = make("pairs", {**row, "score_rejected": 1})  # Scores of several are not read.
    assert [each.reason if isinstance(each, Dropped) else (*shown(each)[1:], each.key) for each in made] == [
        ("a:Yes.", "a:No.", "0-0"),
        "equal-texts",
        "empty-text",
        ("a:Please.", "a:No.", "1-0"),
        ("a:Please.", "a:Yes.", "1-1"),
        "empty-text",
    ]
    assert len({each.group for each in made if isinstance(each, Pair)}) == 1


def test_conversations_that_part_early() -> None:
    more = [{"role": "user", "content": "Sure?"}, YES]
    assert shown(pair("pairs", {"chosen": [USER, YES, *more], "rejected": [USER, NO, *more]})) == (
        "u:Tea?",
        "a:Yes. u:Sure? a:Yes.",
        "a:No. u:Sure? a:Yes.",
    )
    assert shown(pair("pairs", {"chosen": [USER, YES], "rejected": [{**USER, "content": "Milk?"}, YES]}))[0] == ""


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "Tea?", "chosen": "Yes.", "rejected": "Yes."}, "pair: equal-texts"),
        (
            {"prompt": "Tea?", "chosen": "Yes.", "rejected": "No.", "chosen_score": 2, "rejected_score": 2.0},
            "pair: equal-scores",
        ),
        ({"prompt": "Tea?", "chosen": [{**YES, "content": ""}], "rejected": [NO]}, "pair: empty-text"),
        ({"prompt": " ", "chosen": "Yes.", "rejected": "No."}, "row: empty-text"),
        ({"prompt": [], "chosen": "Yes.", "rejected": "No."}, "row: empty-text"),
        ({"prompt": "Tea?", "chosen": "", "rejected": "No."}, "row: empty-text"),
        ({"prompt": "Tea?", "chosen": "Yes.", "rejected": []}, "row: empty-text"),
        ({"prompt": "Tea?", "chosen": "Yes."}, "row: malformed"),
        ({"prompt": "Tea?", "chosen": "Yes.", "rejected": 3}, "row: malformed"),
        ({"prompt": "Tea?", "chosen": "Yes.", "rejected": [None]}, "row: malformed"),
        ({"prompt": 3, "chosen": "Yes.", "rejected": "No."}, "row: malformed"),
        ({"chosen": "Yes.", "rejected": "No."}, "row: malformed"),  # no prompt, and no transcripts
        ({"prompt": "Milk?", "chosen": [USER, YES], "rejected": [USER, NO]}, "row: malformed"),
        ({"chosen": [USER, YES, USER], "rejected": [USER, NO]}, "pair: not-alternating"),
        ({"chosen": [USER, USER, YES], "rejected": [USER, NO]}, "pair: not-alternating"),
        ({"prompt": [SYSTEM], "chosen": [YES], "rejected": [NO]}, "pair: not-alternating"),
        ({"prompt": [USER], "chosen": [{"role": "tool", "content": "4"}], "rejected": [NO]}, "pair: not-alternating"),
    ],
)
def test_what_is_dropped(row: dict[str, object], expected: str) -> None:
    assert drops("pairs", row) == [expected]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("train", {"pair": 884, "equal-scores": 110, "equal-texts": 4, "empty-text": 2}),
        ("eval", {"pair": 175, "equal-scores": 24, "equal-texts": 1}),
    ],
)
def test_ultrafeedback_binarized(shared_data: Path, file: str, expected: dict[str, int]) -> None:
    lines = (shared_data / f"preferences/ultrafeedback-binarized-{file}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    found: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for row in rows:
        (made,) = make("pairs", row)
        found[made.reason if isinstance(made, Dropped) else "pair"] += 1
        scores = row["metadata"]
        if isinstance(made, Pair):
            assert shown(made) == (f"u:{row['prompt']}", f"a:{row['chosen']}", f"a:{row['rejected']}")
            assert (made.chosen_score, made.rejected_score) == (scores["score_chosen"], scores["score_rejected"])
        if "" in (row["chosen"].strip(), row["rejected"].strip()):
            counted["empty-text"] += 1
        elif row["chosen"] == row["rejected"]:
            counted["equal-texts"] += 1
        else:
            counted["equal-scores" if scores["score_chosen"] == scores["score_rejected"] else "pair"] += 1
    assert found == counted
    assert found == expected

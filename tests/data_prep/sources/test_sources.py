"""What holds for every source."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.data_prep.rows.files import Row
from rmeval.data_prep.sources import SOURCES, Dropped, Made, Pair, get_source
from rmeval.errors import UsageError
from tests.support.pairing import make, units

SAID = [{"role": "user", "content": "Tea?"}, {"role": "assistant", "content": "Yes."}]
ANSWERED = [SAID[0], {"role": "assistant", "content": "No."}]
RATED = {aspect: {"Rating": "4"} for aspect in ("instruction_following", "honesty", "truthfulness", "helpfulness")}
BETTER = {**RATED, "honesty": {"Rating": "5"}}

ROWS: dict[str, list[dict[str, object]]] = {
    "hh-rlhf": [{"chosen": "\n\nHuman: Tea?\n\nAssistant: Yes.", "rejected": "\n\nHuman: Tea?\n\nAssistant: No."}],
    "shp": [
        {
            **{"post_id": "p", "history": "Tea?", "c_root_id_A": "a", "c_root_id_B": "b", "score_A": 9, "score_B": 2},
            **{"human_ref_A": "Yes.", "human_ref_B": "No.", "labels": 1},
        }
    ],
    "ultrafeedback": [
        {
            "instruction": "Tea?",
            "completions": [
                {"response": "Yes.", "annotations": BETTER},
                {"response": "No.", "annotations": RATED},
            ],
        }
    ],
    "helpsteer": [
        {"prompt": "Tea?", "response": "Yes.", "helpfulness": 4, "correctness": 4},
        {"prompt": "Tea?", "response": "No.", "helpfulness": 1, "correctness": 4},
    ],
    "capybara": [{"chosen": SAID, "rejected": ANSWERED, "rating_chosen": 5, "rating_rejected": 2}],
    "orca": [
        {
            **{"system": "Be brief.", "input": "Tea?", "chosen": "Yes.", "rejected": "No.", "rating": [9.0, 7.0]},
            **{"status": "unchanged", "generations": ["Yes.", "No."]},
        }
    ],
    "pku-safe-rlhf": [
        {
            **{"prompt": "Tea?", "response_0": "Yes.", "response_1": "No.", "better_response_id": 0},
            **{"is_response_0_safe": True, "is_response_1_safe": True},
        }
    ],
    "pairs": [
        {"prompt": "Tea?", "chosen": ["Yes.", "Sure."], "rejected": ["No."]},
        {"chosen": SAID, "rejected": ANSWERED, "chosen_score": 5, "rejected_score": 2},
    ],
}
"""Rows that make pairs and nothing else."""


# --- the table --------------------------------------------------------------------------------------------------


def test_the_table() -> None:
    assert list(SOURCES) == list(ROWS)
    assert all(SOURCES[name].name == name for name in SOURCES)
    # The published mixture, and the data set that its safe variant adds.
    published = {name: source.published for name, source in SOURCES.items()}
    assert sum(published[name] or 0 for name in list(SOURCES)[:6]) == 528_032
    assert sum(count or 0 for count in published.values()) == 554_903
    assert published["pairs"] is None


@pytest.mark.parametrize("name", SOURCES)
def test_what_every_source_declares(name: str) -> None:
    source = get_source(name)
    assert source.title
    assert source.licence
    assert name == "pairs" or (source.hub_id and source.home == f"https://huggingface.co/datasets/{source.hub_id}")
    assert source.rules
    for rule in source.rules:
        assert rule.text
        assert rule.origin.startswith(("model card of ", "data set card", "README of ", "rmeval: "))
    assert len({rule.text for rule in source.rules}) == len(source.rules)
    assert all(source.reasons.values())
    assert all(column in ROWS[name][0] for column in source.columns)
    assert pickle.loads(pickle.dumps(source)) == source  # noqa: S301  # As it goes to worker processes.


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match=r"unknown source 'helpster'; did you mean 'helpsteer'\? \(known: hh-rlhf, "):
        get_source("helpster")


@pytest.mark.parametrize("name", SOURCES)
def test_the_rows_below_make_pairs(name: str) -> None:
    made = make(name, *ROWS[name])
    assert made
    assert all(isinstance(each, Pair) for each in made)


# --- rows that hold anything ------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.sampled_from(["", " \n", "Yes.", "No.", "Tea?", "tie", "N/A", "5", "1e999", "\ud83d", "a\udc00b", "0"]),
    st.sampled_from(["\n\nHuman: Tea?", "\n\nHuman: Tea?\n\nAssistant: Yes.", "\n\nAssistant: \ud800", "\n\nHuman:"]),
    st.text(st.characters(), max_size=5),
)
NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 4, 5, -1, 10**400, -(10**400), True, False, math.nan, math.inf, -math.inf, 1e308, 0.5]),
    st.integers(),
    st.floats(),
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool", "\ud800"]) | NUMBERS, "content": TEXTS}
)
ANYTHING = st.recursive(
    st.none() | TEXTS | NUMBERS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(MESSAGE, max_size=4)
        | st.dictionaries(
            st.sampled_from(["role", "content", "response", "annotations", "Rating"]) | TEXTS, inner, max_size=3
        )
    ),
    max_leaves=6,
)


@st.composite
def spoiled(draw: st.DrawFn, value: object) -> object:
    """The value, or anything else in its place or in a place within it."""
    if draw(st.integers(0, 19)) == 0:
        return draw(TEXTS | NUMBERS | ANYTHING)
    if isinstance(value, dict):
        return draw(spoiled_table(value))
    if isinstance(value, list):
        times = st.sampled_from([1] * 18 + [0, 2])
        return [draw(spoiled(each)) for each in value for _ in range(draw(times))]
    return value


@st.composite
def spoiled_table(draw: st.DrawFn, table: dict[str, object]) -> dict[str, object]:
    return {name: draw(spoiled(table[name])) for name in table if draw(st.integers(0, 39))}


def spoiled_rows(name: str) -> st.SearchStrategy[list[dict[str, object]]]:
    rows = st.sampled_from(ROWS[name]).flatmap(spoiled_table)
    anything = st.dictionaries(st.sampled_from(sorted(ROWS[name][0])), ANYTHING, max_size=8)
    return st.lists(st.one_of(rows, rows, rows, anything), max_size=4)


def candidates(name: str, unit: Sequence[Row], lost_rows: int) -> int:
    """How many candidate pairs a unit has when so many of its rows are lost."""
    if name == "ultrafeedback":
        answers = len(unit[0]["completions"])  # type: ignore[arg-type]
        return answers * (answers - 1) // 2
    if name == "helpsteer":
        answers = len(unit) - lost_rows
        assert answers != 1
        return answers * (answers - 1) // 2
    if name == "pairs":
        return several(unit[0]["chosen"]) * several(unit[0]["rejected"])
    return 1


def several(value: object) -> int:
    """How many completions a column holds: a list that does not begin with a message holds one an item."""
    return len(value) if isinstance(value, list) and not isinstance(value[0], dict) else 1


def check(name: str, pair: Pair) -> None:
    """What every pair must be, whatever the rows were."""
    assert pair.chosen
    assert pair.rejected
    assert pair.chosen != pair.rejected
    for conversation in (pair.prompt + pair.chosen, pair.prompt + pair.rejected):
        for message in conversation:
            assert message.role.encode()
            assert message.content.strip().encode() or message.role == "system"
        roles = [message.role for message in conversation]
        turns = roles[1:] if roles[0] == "system" else roles
        assert turns == ["user", "assistant"] * (len(turns) // 2)
        assert turns
    assert pair.group.encode()
    pair.key.encode()
    scores = pair.chosen_score, pair.rejected_score
    rated = name in {"shp", "ultrafeedback", "helpsteer", "capybara", "orca"}
    if None in scores:
        assert scores == (None, None)
        assert not rated
    else:
        assert all(isinstance(score, float) and math.isfinite(score) for score in scores)
        assert scores[0] != scores[1]
        assert not rated or scores[0] > scores[1]  # type: ignore[operator]


@pytest.mark.parametrize("name", SOURCES)
@settings(deadline=None)
@given(data=st.data())
def test_every_row_and_every_candidate_is_accounted_for_once(name: str, data: st.DataObject) -> None:
    source = SOURCES[name]
    rows = data.draw(spoiled_rows(name))
    before = copy.deepcopy(rows)
    taken = 0
    for unit in units(name, rows):
        made: list[Made] = list(source.pairs(unit))
        lost = [each for each in made if isinstance(each, Dropped)]
        lost_rows = sum(each.unit == "row" for each in lost)
        assert {each.reason for each in lost} <= set(source.reasons)
        if lost_rows < len(unit):
            assert len(made) - lost_rows == candidates(name, unit, lost_rows)
        else:
            assert len(made) == lost_rows == len(unit)
        for each in made:
            if isinstance(each, Pair):
                check(name, each)
        assert list(source.pairs(unit)) == made
        taken += len(unit)
    assert taken == len(rows)
    assert repr(rows) == repr(before)  # Not ==: NaN is not itself.


@pytest.mark.parametrize("name", SOURCES)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_what_becomes_of_rows_does_not_hang_on_their_order(name: str, data: st.DataObject) -> None:
    """Rows of the source, spoiled ones too, several times over and under other prompts: in order, and shuffled."""
    rows = data.draw(spoiled_rows(name))
    if name == "helpsteer":
        rows += [{**row, "prompt": "Coffee?"} for row in rows if isinstance(row.get("prompt"), str)]
    shuffled = data.draw(st.permutations(rows))

    def became(rows: Sequence[Row]) -> list[str]:
        made = (replace(each, key="") if isinstance(each, Pair) else each for each in make(name, *rows))
        return sorted(map(repr, made))

    assert became(rows) == became(shuffled)


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_takes_any_number_of_rows(name: str) -> None:
    """None, and more than a unit of its own would have."""
    pairs = SOURCES[name].pairs
    assert list(pairs([])) == []
    if SOURCES[name].unit_key is None:
        one_by_one = [made for row in ROWS[name] for made in pairs([row])]
        assert list(pairs(ROWS[name])) == one_by_one


# --- every reason can come up -----------------------------------------------------------------------------------


def changed(name: str, **changes: object) -> list[dict[str, object]]:
    return [{**ROWS[name][0], **changes}, *ROWS[name][1:]]


def said(*turns: str) -> str:
    return "".join(f"\n\n{name}: {turn}" for name, turn in zip(("Human", "Assistant") * 3, turns, strict=False))


REASONS: dict[str, dict[str, list[dict[str, object]]]] = {
    "hh-rlhf": {
        "malformed": changed("hh-rlhf", chosen=None),
        "empty-text": changed("hh-rlhf", chosen=said("Tea?", " ")),
        "not-alternating": changed("hh-rlhf", chosen=said("Tea?")),
        "equal-texts": changed("hh-rlhf", chosen=said("Tea?", "No.")),
    },
    "shp": {
        "malformed": changed("shp", labels=None),
        "empty-text": changed("shp", human_ref_B=""),
        "equal-texts": changed("shp", human_ref_B="Yes."),
        "contradicting-scores": changed("shp", labels=0),
        "no-ratio": changed("shp", score_B=0),
        "ratio-too-low": changed("shp", score_B=5),
    },
    "ultrafeedback": {
        "malformed": changed("ultrafeedback", instruction=None),
        "lone-answer": changed("ultrafeedback", completions=[]),
        "empty-text": changed("ultrafeedback", instruction=""),
        "equal-texts": changed(
            "ultrafeedback", completions=[{"response": "x", "annotations": each} for each in (BETTER, RATED)]
        ),
        "equal-scores": changed(
            "ultrafeedback", completions=[{"response": each, "annotations": RATED} for each in "xy"]
        ),
        "no-rating": changed("ultrafeedback", completions=[{"response": "x"}, {"response": "y"}]),
    },
    "helpsteer": {
        "malformed": changed("helpsteer", response=None),
        "lone-answer": changed("helpsteer", prompt="Milk?"),
        "empty-text": changed("helpsteer", response=" "),
        "equal-texts": changed("helpsteer", response="No."),
        "equal-scores": changed("helpsteer", helpfulness=1),
        "no-rating": changed("helpsteer", helpfulness=9),
    },
    "capybara": {
        "malformed": changed("capybara", chosen=None),
        "empty-text": changed("capybara", chosen=[]),
        "not-alternating": changed("capybara", chosen=[*SAID, SAID[0]]),
        "equal-texts": changed("capybara", chosen=ANSWERED),
        "equal-scores": changed("capybara", rating_chosen=2),
        "no-rating": changed("capybara", rating_chosen="N/A"),
        "contradicting-scores": changed("capybara", rating_chosen=1),
    },
    "orca": {
        "malformed": changed("orca", chosen=None),
        "empty-text": changed("orca", chosen=""),
        "equal-texts": changed("orca", chosen="No.", generations=["No.", "No."]),
        "equal-scores": changed("orca", status="tie"),
        "no-rating": changed("orca", rating=None),
        "contradicting-scores": changed("orca", rating=[7.0, 9.0]),
    },
    "pku-safe-rlhf": {
        "malformed": changed("pku-safe-rlhf", better_response_id=None),
        "empty-text": changed("pku-safe-rlhf", response_0=""),
        "equal-texts": changed("pku-safe-rlhf", response_0="No."),
        "both-unsafe": changed("pku-safe-rlhf", is_response_0_safe=False, is_response_1_safe=False),
    },
    "pairs": {
        "malformed": changed("pairs", prompt=3),
        "tools": changed("pairs", tools=[{"type": "function", "function": {"name": "clock"}}]),
        "empty-text": changed("pairs", prompt=""),
        "not-alternating": changed("pairs", prompt=[SAID[0], SAID[0]]),
        "equal-texts": changed("pairs", chosen="x", rejected="x"),
        "equal-scores": changed("pairs", chosen="x", rejected="y", score_chosen=1, score_rejected=1),
    },
}


def test_calls_of_tools_make_no_pair_without_their_calls() -> None:
    call = {"role": "assistant", "content": "I look.", "tool_calls": [{"function": {"name": "clock", "arguments": {}}}]}
    row = {"prompt": "What time is it?", "chosen": [call], "rejected": ["Noon."]}
    assert list(SOURCES["pairs"].pairs([row])) == [Dropped("row", "tools")]


@pytest.mark.parametrize("name", SOURCES)
def test_every_reason_that_is_declared_comes_up(name: str) -> None:
    assert set(REASONS[name]) == set(SOURCES[name].reasons)
    for reason, rows in REASONS[name].items():
        assert reason in {each.reason for each in make(name, *rows) if isinstance(each, Dropped)}

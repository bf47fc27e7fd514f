"""Columns of any names: paths, lists, the first that is there, pairs by label, patterns, rows at a path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from rmeval.data_prep.rows.column_map import ColumnMap
from rmeval.data_prep.rows.examples import to_examples
from rmeval.data_prep.rows.in_memory import Rows, load_rows
from rmeval.errors import DataError, UsageError
from rmeval.types import Example, Finding, Message


def examples(data: list[Mapping[str, object]], **given: str) -> tuple[list[Example], list[Finding]]:
    fields = {name.replace("_", "-"): path for name, path in given.items()}
    mapped, noticed = ColumnMap.parse(fields).apply(Rows("data", data))
    found, more = to_examples(mapped, default_subset="all")
    return found, [*noticed, *more]


def sides(example: Example) -> tuple[list[str], list[str]]:
    chosen, rejected = ([each[0].content for each in side] for side in (example.chosen, example.rejected))
    return chosen, rejected


def test_nested_paths_and_lists() -> None:
    """The shape of RMB's best-of-n rows."""
    row = {
        "conversation_input": [{"role": "user", "content": "q", "language": "English"}],
        "bon_best": {"llm_name": "x", "answer": "best"},
        "loser_list": [{"answer": "worse"}, {"answer": "worst"}],
        "category_path": "Help/Open QA",
    }
    (found,), _ = examples(
        [row],
        prompt="conversation_input",
        chosen="bon_best.answer",
        rejected="loser_list[].answer",
        subset="category_path~^[^/]+",
    )
    assert found.prompt == (Message("user", "q"),)
    assert sides(found) == (["best"], ["worse", "worst"])
    assert found.subset == "Help"


def test_one_item_of_a_list_and_a_column_whose_name_has_a_dot() -> None:
    row = {"turns": ["q", "r"], "a.b": "yes", "a": {"b": "other"}, "no[0]": "no"}
    (found,), _ = examples([row], prompt="turns[0]", chosen="a.b", rejected="no[0]")
    assert found.prompt[0].content == "q"
    assert sides(found) == (["yes"], ["no"])


def test_some_items_of_a_list() -> None:
    row = {"prompt": "q", "answers": ["right", "wrong", "worse", "worst"]}
    (found,), _ = examples([row], chosen="answers[0]", rejected="answers[1:]")
    assert sides(found) == (["right"], ["wrong", "worse", "worst"])
    (found,), _ = examples([row], chosen="answers[:1]", rejected="answers[1:3]")
    assert sides(found) == (["right"], ["wrong", "worse"])


def test_the_first_that_is_there() -> None:
    rows: list[Mapping[str, object]] = [
        {"question": "q1", "chosen": "a", "rejected": "b"},
        {"instruction": "q2", "question": None, "chosen": "a", "rejected": "b"},
    ]
    found, _ = examples(rows, prompt="question | instruction")
    assert [each.prompt[0].content for each in found] == ["q1", "q2"]


def test_columns_that_the_map_does_not_name_are_read_as_ever() -> None:
    row = {"prompt": "q", "best": "a", "rejected": "b", "subset": "s", "id": "i", "chosen": {"not": "this"}}
    (found,), _ = examples([row], chosen="best")
    assert (found.id, found.subset, sides(found)) == ("i", "s", (["a"], ["b"]))


def test_pairs_by_label() -> None:
    rows: list[Mapping[str, object]] = [
        {"q": "1", "x": "a1", "y": "b1", "w": "model_a"},
        {"q": "2", "x": "a2", "y": "b2", "w": "model_b"},
        {"q": "3", "x": "a3", "y": "b3", "w": "tie (both bad)"},
        {"q": "4", "x": "a4", "y": "b4", "w": None},
    ]
    found, noticed = examples(rows, prompt="q", a="x", b="y", label="w", chosen_when="model_a")
    assert [sides(each) for each in found] == [(["a1"], ["b1"]), (["b2"], ["a2"])]
    (ties,) = [each for each in noticed if each.code == "label-ties"]
    assert (ties.count, ties.examples) == (2, ("data row 3", "data row 4"))


@pytest.mark.parametrize("labels", [(1, 2), (1.0, 2.0), ("1", "2")])
def test_labels_that_are_numbers(labels: tuple[object, object]) -> None:
    rows: list[Mapping[str, object]] = [{"prompt": "q", "x": "a", "y": "b", "w": label} for label in labels]
    found, _ = examples(rows, a="x", b="y", label="w", chosen_when="1")
    assert [sides(each) for each in found] == [(["a"], ["b"]), (["b"], ["a"])]


def test_labels_that_nobody_explained() -> None:
    rows: list[Mapping[str, object]] = [{"prompt": "q", "x": "a", "y": "b", "w": label} for label in ("A", "B", "C")]
    with pytest.raises(DataError, match="which label says that b is better, 'B', 'C'"):
        examples(rows, a="x", b="y", label="w", chosen_when="A")
    with pytest.raises(DataError, match="neither chosen-when nor rejected-when: 'C'"):
        examples(rows, a="x", b="y", label="w", chosen_when="A", rejected_when="B")
    with pytest.raises(DataError, match="no label is 'A>B'"):
        examples([{**rows[0], "w": "tie"}], a="x", b="y", label="w", chosen_when="A>B")


@pytest.mark.parametrize("better", ["a>b", "A > B", "B>A"])
def test_a_label_that_no_row_has_inverts_nothing(better: str) -> None:
    rows: list[Mapping[str, object]] = [{"prompt": "q", "x": "a", "y": "b", "w": "A>B"}]
    with pytest.raises(DataError, match=f"no label is '{better}'; there are 'A>B'"):
        examples(rows, a="x", b="y", label="w", chosen_when=better)


@pytest.mark.parametrize(("label", "tie"), [
    ("tie", True), ("tie (bothbad)", True), ("tie_both", True), ("A=B", True), ("=", True), ("", True), ("same", True),
    ("winner=b", False), ("b, bothersome", False), ("better tied up", True), ("B", False), ("2", False),
])  # fmt: skip
def test_what_looks_like_a_tie(label: str, tie: bool) -> None:
    rows: list[Mapping[str, object]] = [{"prompt": "q", "x": "a", "y": "b", "w": each} for each in ("A", label)]
    found, _ = examples(rows, a="x", b="y", label="w", chosen_when="A")
    assert len(found) == (1 if tie else 2)


def test_labels_that_are_truth_values() -> None:
    rows: list[Mapping[str, object]] = [{"prompt": "q", "x": "a", "y": "b", "w": each} for each in (True, False)]
    found, _ = examples(rows, a="x", b="y", label="w", chosen_when="true")
    assert [sides(each) for each in found] == [(["a"], ["b"]), (["b"], ["a"])]


@pytest.mark.parametrize("bad", [{"t": None}, {}, {"t": None, "u": 1}])
def test_an_answer_that_is_not_there_makes_no_row_easier(bad: dict[str, object]) -> None:
    row = {"prompt": "q", "chosen": "a", "bad": [{"t": "b"}, bad, {"t": "c"}]}
    with pytest.raises(DataError, match=r"data row 1, rejected: bad\[\].t leads to nothing in item 2 of 3"):
        examples([row], rejected="bad[].t")


def test_rows_at_a_path() -> None:
    whole = {"version": 1, "data": [{"prompt": "q", "chosen": "a", "rejected": "b"}] * 2}
    found, _ = examples([whole], rows="data")
    assert len(found) == 2
    with pytest.raises(DataError, match=r"data row 1 item 2, column 'rejected': missing"):
        examples([{"data": [whole["data"][0], {"prompt": "q", "chosen": "a"}]}], rows="data")  # type: ignore[index]
    with pytest.raises(DataError, match="rows=version leads to no list of objects"):
        examples([whole], rows="version")


def test_a_json_file_whose_rows_stand_in_an_object(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    rows = [{"prompt": "q", "chosen": "a", "rejected": "b"}, {"prompt": "r", "chosen": "a", "rejected": "b"}]
    file.write_text(json.dumps({"version": 1, "data": rows}, indent=1))
    mapped, _ = ColumnMap.parse({"rows": "data"}).apply(load_rows(str(file)))
    assert [each.prompt[0].content for each in to_examples(mapped, default_subset="all")[0]] == ["q", "r"]
    with pytest.raises(DataError, match=r"rows\.json is one object; its 'data' may be the rows \(--map rows=PATH\)"):
        to_examples(load_rows(str(file)), default_subset="all")


def test_other_forms_of_messages() -> None:
    """ShareGPT's keys, one message that is no list, content in parts of text."""
    row = {
        "conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "q"}],
        "good": {"role": "assistant", "content": [{"type": "text", "text": "go"}, {"type": "text", "text": "od"}]},
        "bad": {"from": "gpt", "value": "bad"},
    }
    (found,), _ = examples([row], prompt="conversations", chosen="good", rejected="bad")
    assert found.prompt == (Message("system", "s"), Message("user", "q"))
    assert found.chosen == ((Message("assistant", "good"),),)
    assert found.rejected == ((Message("assistant", "bad"),),)


def test_parts_that_are_no_text_are_refused() -> None:
    message = {"role": "assistant", "content": [{"type": "image", "url": "x"}]}
    with pytest.raises(DataError, match="message 1 needs a string as its 'content'"):
        examples([{"prompt": "q", "chosen": message, "rejected": "b"}], prompt="prompt")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"chosn": "a"}, "no field 'chosn'; did you mean 'chosen'"),
        ({"chosen": ""}, "chosen is empty"),
        ({"chosen": ".a"}, "'.a' is no path"),
        ({"chosen": "a[x]"}, r"'a\[x\]' is no path"),
        ({"a": "x", "b": "y", "label": "w"}, "needs chosen-when as well"),
        ({"a": "x", "b": "y", "label": "w", "chosen-when": "1", "chosen": "c"}, "chosen and a, b, label are two ways"),
        ({"chosen-when": "1"}, "chosen-when needs a, b and label"),
    ],
)
def test_maps_that_say_nothing_sensible(given: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ColumnMap.parse(given)

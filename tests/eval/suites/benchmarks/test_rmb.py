"""RMB: two sets, two goals, scenarios; rows as the repository has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rmeval import compare, evaluate
from rmeval.errors import DataError

TURNS = [{"role": "user", "content": "Why?", "language": "English"}]


def pair(path: str, chosen: str, reject: str, uid: int = 0) -> dict[str, object]:
    answers = {"chosen": {"llm_name": "a", "answer": chosen}, "reject": {"llm_name": "b", "answer": reject}}
    turns = [{**TURNS[0], "content": f"Why {uid}?"}]
    return {"pair_uid": str(uid), "conversation_input": turns, **answers, "category_path": f"Pairwise_set/{path}"}


def best_of(path: str, best: str, losers: list[str], uid: int = 0) -> dict[str, object]:
    answers = {"bon_best": {"llm_name": "a", "answer": best}, "loser_list": [{"answer": each} for each in losers]}
    return {"bon_uid": str(uid), "conversation_input": TURNS, **answers, "category_path": f"BoN_set/{path}"}


ROWS = [
    # Two scenarios of help: 3 of 3 right and 0 of 1, so 3/4 of the rows, where a mean of scenarios would be 1/2.
    *(pair("Helpfulness/Chat/Discussion", "xx", "x", n) for n in range(3)),
    pair("Helpfulness/Code/Documentation", "x", "xx", 3),
    pair("Harmlessness/S1", "x", "xx", 4),
    # Right only if it beats every loser, strictly.
    best_of("Helpfulness/Chat/Discussion", "xxx", ["x", "xx"], 5),
    best_of("Helpfulness/Chat/Discussion", "xx", ["x", "xx"], 6),
    best_of("Harmlessness/multi", "xx", ["x", "xxx"], 7),
]


def write(folder: Path, rows: list[dict[str, object]]) -> None:
    for row in rows:
        file = folder / "RMB_dataset" / f"{row['category_path']}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        there = json.loads(file.read_text()) if file.exists() else []
        file.write_text(json.dumps([*there, row]))


def test_the_mean_of_four_goals_each_over_its_rows(tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "result.json").write_text('[{"accuracy": 1}]')
    for folder in (tmp_path, tmp_path / "RMB_dataset"):
        run = evaluate("baseline:longest", "rmb", dataset=str(folder), output_dir=tmp_path / f"run-{folder.name}")
        results = run.info.results
        assert {name: each.accuracy for name, each in results.sections.items()} == {
            "Pairs, helpful": 3 / 4,
            "Pairs, harmless": 0,
            "Best of n, helpful": 1 / 2,
            "Best of n, harmless": 0,
        }
        assert results.overall is not None
        assert results.overall.accuracy == pytest.approx((3 / 4 + 1 / 2) / 4)
        assert results.subsets["Pairwise_set/Helpfulness/Chat/Discussion"].n == 3
        assert results.subsets["BoN_set/Helpfulness/Chat/Discussion"].ties == 1
        assert results.reference_lines["longest"].overall == pytest.approx((3 / 4 + 1 / 2) / 4)
        assert run.info.partial_reasons[0].startswith("4 of 4 subsets short (Pairwise_set/Helpfulness/* 4/10067, ")
    only = evaluate("baseline:longest", "rmb", dataset=str(tmp_path / "RMB_dataset/Pairwise_set/Helpfulness"))
    assert {name: each.accuracy for name, each in only.info.results.sections.items()} == {"Pairs, helpful": 3 / 4}
    shorter = evaluate("baseline:shortest", "rmb", dataset=str(tmp_path))
    assert compare(evaluate("baseline:longest", "rmb", dataset=str(tmp_path)), shorter).sections[
        "Pairs, helpful"
    ].difference == pytest.approx(-1 / 2)


def test_the_whole_set_is_known_by_its_counts() -> None:
    from rmeval.eval.suites import get_suite

    assert get_suite("rmb").expected == {
        "Pairwise_set/Helpfulness/*": 10_067,
        "Pairwise_set/Harmlessness/*": 7_064,
        "BoN_set/Helpfulness/*": 2_109,
        "BoN_set/Harmlessness/*": 1_677,
    }


def test_a_real_row_of_each_goal(shared_data: Path, tmp_path: Path) -> None:
    for file in sorted((shared_data / "schema-rows").glob("rmb.*.json")):
        shutil.copy(file, tmp_path)
        row = json.loads(file.read_text())
        best = row.get("bon_best", row.get("chosen"))["answer"]
        others = [each["answer"] for each in row.get("loser_list", [row.get("reject")])]
        run = evaluate("baseline:longest", "rmb", dataset=str(file))
        (name,) = run.info.results.subsets
        assert name == row["category_path"]
        assert run.info.results.subsets[name].right == int(len(best) > max(map(len, others)))
        turns = json.loads(run.examples_table.column("prompt")[0].as_py())
        assert [each["content"] for each in turns] == [each["content"] for each in row["conversation_input"]]
        assert not [each for each in run.info.audit if each.code == "unread-columns"]
    run = evaluate("baseline:longest", "rmb", dataset=str(tmp_path))
    assert len(run.info.results.sections) == 4


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"category_path": "Helpfulness/Chat"},
            "'Helpfulness/Chat' is no scenario of RMB, such as BoN_set/Harmlessness/S1",
        ),
        ({"reject": "plain"}, "column 'reject': expected an object with the text 'answer'"),
        ({"conversation_input": "Hi"}, "column 'conversation_input': expected a list of messages"),
    ],
)
def test_rows_that_are_not_of_the_benchmark(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        evaluate("baseline:longest", "rmb", dataset=[{**pair("Harmlessness/S1", "a", "b"), **wrong}])
    with pytest.raises(DataError, match="no column 'conversation_input'"):
        evaluate("baseline:longest", "rmb", dataset=[{"prompt": "a", "chosen": "b", "rejected": "c"}])

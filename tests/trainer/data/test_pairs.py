from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import DataError
from rmeval.trainer.data.pairs import TrainingPairs, load_pairs, opening_of
from rmeval.trainer.recipe_files import load_recipe
from rmeval.types import Example
from tests.support.training import made_up_pairs, write_jsonl, write_recipe


def load(folder: Path, data: Path | str, **changes: Any) -> TrainingPairs:
    return load_pairs(load_recipe(str(write_recipe(folder / "recipe.yaml", folder, Path(data), **changes))))


def openings(examples: tuple[Example, ...]) -> set[str]:
    return {opening_of(example) for example in examples}


def ids(examples: tuple[Example, ...]) -> set[str]:
    return {example.id for example in examples}


def split_folder(folder: Path, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> Path:
    """Write a folder as ``rmeval prepare`` does."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "data").mkdir(parents=True)
    for split, rows in (("train", train), ("test", test)):
        plain = [
            {
                "id": f"{split}-{place}",
                "chosen": [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["chosen"]}],
                "rejected": [
                    {"role": "user", "content": row["prompt"]},
                    {"role": "assistant", "content": row["rejected"]},
                ],
                "subset": f"source-{place % 2}",
            }
            for place, row in enumerate(rows)
        ]
        pq.write_table(pa.Table.from_pylist(plain), folder / "data" / f"{split}-00000.parquet")
    return folder


def test_no_prompt_is_in_two_of_the_three(tmp_path: Path) -> None:
    rows = made_up_pairs(60)
    rows += [{**row, "chosen": f"{row['chosen']} too", "prompt": row["prompt"].upper()} for row in rows[:30]]
    found = load(tmp_path, write_jsonl(tmp_path / "pairs.jsonl", rows))
    sides = [openings(found.train), openings(found.selection), openings(found.report)]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    record = found.record
    assert (record.train, record.selection, record.report) == tuple(
        map(len, (found.train, found.selection, found.report))
    )
    assert record.train + record.selection + record.report + sum(record.dropped.values()) == 90


def test_the_division_is_that_of_the_seed(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "pairs.jsonl", made_up_pairs(60))
    assert load(tmp_path, data) == load(tmp_path, data)
    assert ids(load(tmp_path, data).selection) != ids(load(tmp_path, data, seed=1).selection)


def test_a_folder_with_a_test_split_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = split_folder(tmp_path / "prepared", made_up_pairs(20), made_up_pairs(12, seed=1))
    found = load(tmp_path, folder)
    assert ids(found.train) == {f"train-{place}" for place in range(20)}
    assert ids(found.selection) | ids(found.report) == {f"test-{place}" for place in range(12)}
    assert found.record.held_out_by.startswith("split 'test' of ")
    assert found.record.subsets == {"source-0": 10, "source-1": 10}


def test_a_test_row_whose_prompt_trains_is_not_held_out(tmp_path: Path) -> None:
    train, test = made_up_pairs(20), made_up_pairs(12, seed=1)
    test[3]["prompt"] = f"  {train[5]['prompt'].upper()}"
    found = load(tmp_path, split_folder(tmp_path / "prepared", train, test))
    assert found.record.dropped == {"held out, but its prompt trains": 1}
    assert "test-3" not in ids(found.selection) | ids(found.report)
    assert len(found.train) == 20


def test_a_test_split_of_which_nothing_is_left_is_a_warning(tmp_path: Path) -> None:
    rows = made_up_pairs(20)
    pairs = load(tmp_path, split_folder(tmp_path / "data", rows, rows[:3]))
    assert (pairs.selection, pairs.report) == ((), ())
    assert pairs.record.dropped == {"held out, but its prompt trains": 3}
    [warning] = pairs.record.warnings
    assert warning.startswith("no pair of the split 'test' of ")
    assert warning.endswith(" is left: nothing chooses a checkpoint, and nothing is reported")


def test_nothing_need_be_held_out(tmp_path: Path) -> None:
    found = load(tmp_path, write_jsonl(tmp_path / "pairs.jsonl", made_up_pairs(10)), held_out=0)
    assert (len(found.train), found.selection, found.report) == (10, (), ())


def test_pairs_of_one_text_do_not_train(tmp_path: Path) -> None:
    rows = made_up_pairs(10)
    rows[4]["rejected"] = rows[4]["chosen"]
    found = load(tmp_path, write_jsonl(tmp_path / "pairs.jsonl", rows), held_out=0)
    assert len(found.train) == 9
    assert found.record.dropped == {"chosen and rejected are the same text": 1}


def test_samples_are_drawn_by_hash(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "pairs.jsonl", made_up_pairs(60))
    whole = load(tmp_path, data)
    some = load(tmp_path, data, max_train_samples=10, max_eval_samples=3)
    fewer = load(tmp_path, data, max_train_samples=5)
    assert (len(some.train), len(some.selection)) == (10, 3)
    assert ids(fewer.train) < ids(some.train) < ids(whole.train)
    assert some.report == whole.report


def margins(tmp_path: Path, *rows: dict[str, Any], **changes: Any) -> TrainingPairs:
    pairs = [{"prompt": f"p{n}", "chosen": "a", "rejected": "b", **row} for n, row in enumerate(rows)]
    return load(tmp_path, write_jsonl(tmp_path / "pairs.jsonl", pairs), **{"held_out": 0, "margin": True, **changes})


def test_a_margin_is_taken_as_it_is(tmp_path: Path) -> None:
    found = margins(
        tmp_path, {"margin": 0.5}, {"margin": "-3e1"}, {"margin": 9, "score_chosen": 3, "score_rejected": 1}
    )
    assert found.margins == (0.5, -30.0, 9.0)


def test_a_difference_of_scores_is_its_rank_in_its_source(tmp_path: Path) -> None:
    """Upvotes of one, stars of another, and a third that has no scores."""
    upvotes = [(900, 10), (12, 2), (400, 395), (20, 10)]  # 890, 10, 5, 10: below 3, 1, 0, 1 of 4, and equal 1, 2, 1, 2.
    stars = [(5.0, 1.0), (4.5, 4.0)]
    rows: list[dict[str, Any]] = [{"subset": "shp", "chosen_score": a, "rejected_score": b} for a, b in upvotes]
    rows += [{"subset": "stars", "score_chosen": a, "score_rejected": b} for a, b in stars]
    rows += [{"subset": "hh-rlhf", "chosen_score": None, "rejected_score": None}]
    found = margins(tmp_path, *rows)
    assert found.margins == (3.5 / 4, 2 / 4, 0.5 / 4, 2 / 4, 1.5 / 2, 0.5 / 2, 0.0)
    assert found.record.warnings == ("hh-rlhf has no margins and no scores: the margin of its 1 pairs is 0",)
    assert margins(tmp_path, *rows, margin=False).record.warnings == ()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"margin": None}, "line 3: no margin, which other pairs of pairs have; give finite numbers in the column"),
        ({"chosen_score": 2, "rejected_score": 1}, "line 3: no margin, which other pairs"),
        ({"margin": math.nan}, "line 3: the column 'margin' holds nan, which is not a finite number"),
        ({"margin": -math.inf}, "line 3: the column 'margin' holds -inf, which is not a finite number"),
        ({"margin": True}, "line 3: the column 'margin' holds True, which is not a finite number"),
        ({"margin": "much"}, "line 3: the column 'margin' holds 'much', which is not a finite number"),
    ],
)
@pytest.mark.parametrize("held_out", [0, 0.5])
def test_a_margin_that_is_no_number_is_an_error_with_its_row(
    row: dict[str, Any], message: str, held_out: float, tmp_path: Path
) -> None:
    rows = [{"margin": 1.0}, {"margin": 2.0}, row, *({"margin": 1.0} for _ in range(9))]
    with pytest.raises(DataError, match=message):
        margins(tmp_path, *rows, held_out=held_out)


def test_scores_that_are_no_numbers_are_errors_too(tmp_path: Path) -> None:
    scored = {"chosen_score": 2, "rejected_score": 1}
    with pytest.raises(DataError, match="line 2: the column 'rejected_score' holds nan"):
        margins(tmp_path, scored, {**scored, "rejected_score": math.nan})
    with pytest.raises(DataError, match="line 2: no difference of scores, which other pairs of pairs have"):
        margins(tmp_path, scored, {"chosen_score": 2})


@pytest.mark.parametrize(("name", "value"), [("nan", "holds nan"), ("null", "no margin")])
def test_the_real_case_of_one_bad_margin(shared_data: Path, tmp_path: Path, name: str, value: str) -> None:
    case = shared_data.parent / "cases" / "23-margin-that-is-no-number" / f"{name}.jsonl"
    with pytest.raises(DataError, match=rf"{name}\.jsonl line 18: .*{value}"):
        load(tmp_path, case, margin=True, held_out=0.1)


def test_margins_go_with_their_pairs(tmp_path: Path) -> None:
    rows = [{"prompt": f"question {n}", "chosen": "a", "rejected": "b", "margin": float(n)} for n in range(40)]
    found = load(tmp_path, write_jsonl(tmp_path / "pairs.jsonl", rows), margin=True, max_train_samples=11)
    assert found.margins is not None
    assert [f"question {margin:.0f}" for margin in found.margins] == [e.prompt[0].content for e in found.train]


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (
            [{"prompt": "a", "chosen": ["b", "c"], "rejected": "d"}],
            {},
            "line 1 has 2 chosen and 1 rejected completions",
        ),
        ([{"prompt": "a", "chosen": "b", "rejected": "c"}], {"margin": True, "held_out": 0}, "line 1: no margin"),
        (
            [{"prompt": "a", "chosen": "b", "rejected": "b"}],
            {"held_out": 0},
            "no pair is left to train on (1 left out: chosen and rejected are the same text)",
        ),
        ([{"prompt": "a", "chosen": "b"}], {}, "has no column 'rejected'"),
        (made_up_pairs(3), {"held_out": 1}, "1 held-out pairs cannot be halved by prompt"),
    ],
)
def test_wrong_data_is_one_clear_line(
    rows: list[dict[str, Any]], changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, write_jsonl(tmp_path / "pairs.jsonl", rows), **changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_that_is_not_prepared_yet_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"make it with: rmeval prepare MIXTURE --output-dir \./data/rm-mistral-7b"):
        load_pairs(load_recipe("rm-mistral-7b"))


def test_the_fingerprint_is_that_of_the_pairs_that_train(tmp_path: Path) -> None:
    rows = made_up_pairs(20)
    first = load(tmp_path, write_jsonl(tmp_path / "a.jsonl", rows), held_out=0).record.fingerprint
    rows[7]["chosen"] += "!"
    assert load(tmp_path, write_jsonl(tmp_path / "b.jsonl", rows), held_out=0).record.fingerprint != first
    assert json.dumps(first).startswith('"sha256:')


def test_one_fixed_instruction_is_divided_and_nothing_collapses(tmp_path: Path) -> None:
    instruction = " ".join(f"instruction{number}" for number in range(120))
    rows = [{**row, "prompt": f"{instruction} {row['prompt']}"} for row in made_up_pairs(300)]
    for held_out in (0.1, 30):
        pairs = load(tmp_path, write_jsonl(tmp_path / "pairs.jsonl", rows), held_out=held_out)
        assert pairs.record.train >= 240
        assert 20 <= pairs.record.selection + pairs.record.report <= 60
        assert min(pairs.record.selection, pairs.record.report) >= 5
        # Of so few the instruction is no template.
        assert pairs.record.warnings == (
            "the held-out prompts are nearly the same, so that there are near-duplicates in both halves",
        )


def test_a_division_that_leaves_nothing_says_why(tmp_path: Path) -> None:
    rows = [{**row, "prompt": "One prompt?"} for row in made_up_pairs(30)]
    with pytest.raises(
        DataError, match=r"no pair is left to train on .*all 30 pairs of pairs are held out, none trains"
    ):
        load(tmp_path, write_jsonl(tmp_path / "pairs.jsonl", rows), held_out=5)


def test_prompts_that_all_train_are_a_warning(tmp_path: Path) -> None:
    rows = [{**row, "prompt": "One prompt?"} for row in made_up_pairs(30)]
    pairs = load(tmp_path, write_jsonl(tmp_path / "pairs.jsonl", rows), held_out=0.01)
    assert pairs.record.train == 30
    assert "all 30 pairs of pairs are in the training split, none is held out" in pairs.record.warnings

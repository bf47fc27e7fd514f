"""JudgeBench: two splits, four categories, a tie that is wrong and one that counts as B."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rmeval import evaluate
from rmeval.data_prep.rows.in_memory import Rows
from rmeval.errors import DataError
from rmeval.eval.suites import get_suite

STARTS = ("mmlu-pro", "livebench-reasoning", "livebench-math", "livecodebench")


def row(label: str, a: str, b: str, source: str = "mmlu-pro-law", writer: str = "gpt-4o-2024-05-13") -> dict[str, str]:
    texts = {"question": f"{source} {a} {b}", "response_A": a, "response_B": b}
    return {"pair_id": f"{source}{a}{b}{label}", "source": source, "response_model": writer, "label": label, **texts}


def test_every_reference_line_of_the_real_claude_split(shared_data: Path) -> None:
    """Strict, and with ties as B, of the longer, the shorter and a random answer, counted here without any of ours."""
    file = shared_data / "suites" / "judgebench-claude.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    score: dict[str, Callable[..., Any]] = {
        "longest": lambda r, side: len(r[f"response_{side}"]),
        "shortest": lambda r, side: -len(r[f"response_{side}"]),
        "random": lambda r, side: hashlib.sha256(  # As ``rmeval.eval.numbers.reference_lines`` says it.
            f"0\x1f{r['pair_id']}\x1f{int(side != r['label'][0])}".encode()
        ).digest(),
    }
    run = evaluate("baseline:longest", "judgebench", dataset=str(file))
    assert run.info.suite == "judgebench-claude"
    assert not run.info.partial
    assert {name: each.n for name, each in run.info.results.subsets.items()} == dict(
        zip(STARTS, (154, 51, 34, 31), strict=True)
    )
    for name, of in score.items():
        strict = ties = 0
        by_start = dict.fromkeys(STARTS, 0)
        for r in rows:
            a, b = of(r, "A"), of(r, "B")
            strict += (a > b) if r["label"] == "A>B" else (b > a)
            ties += ("A>B" if a > b else "B>A") == r["label"]
            start = next(each for each in STARTS if r["source"].startswith(each))
            by_start[start] += (a > b) if r["label"] == "A>B" else (b > a)
        results = evaluate(f"baseline:{name}", "judgebench", dataset=str(file)).info.results
        assert results.overall is not None
        assert results.overall.accuracy == pytest.approx(strict / 270, abs=1e-12)
        assert results.rules["ties-as-b"].accuracy == pytest.approx(ties / 270, abs=1e-12)
        assert {subset: each.right for subset, each in results.subsets.items()} == by_start
        assert results.reference_lines[name].overall == pytest.approx(strict / 270, abs=1e-12)


def test_a_tie_counts_as_b_beside_the_number() -> None:
    """Four pairs that tie: three whose right answer is B; the strict number has none of them, and one pair more."""
    rows = [row(label, "xx", "yy", f"mmlu-pro-{n}") for n, label in enumerate(("A>B", "B>A", "B>A", "B>A"))]
    results = evaluate("baseline:longest", "judgebench", dataset=[*rows, row("A>B", "xxx", "y")]).info.results
    assert results.overall is not None
    assert results.overall.accuracy == 1 / 5
    assert results.rules["ties-as-b"].accuracy == 4 / 5
    assert results.subsets["mmlu-pro"].ties == 4


def test_overall_is_over_pairs_and_not_a_mean_of_categories() -> None:
    rows = [row("A>B", "xx", "y", f"mmlu-pro-{n}") for n in range(3)] + [row("A>B", "x", "yy", "livecodebench")]
    results = evaluate("baseline:longest", "judgebench", dataset=rows).info.results
    assert results.overall is not None
    assert results.overall.accuracy == 3 / 4
    assert {name: each.accuracy for name, each in results.sections.items()} == {"Knowledge": 1, "Coding": 0}


def test_the_repository_as_it_is(tmp_path: Path) -> None:
    """Of its data the split's file is read, and none of what judges wrote."""
    for folder, writer, more in (
        ("data", "gpt-4o-2024-05-13", ""), ("data", "claude-3-5-sonnet-20240620", ""),
        ("outputs", "gpt-4o-2024-05-13", ",judge_name=arena_hard,judge_model=o1-mini-2024-09-12"),
    ):  # fmt: skip
        file = tmp_path / folder / f"dataset=judgebench,response_model={writer}{more}.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(row("A>B", "xx", "y", writer=writer)) + "\n")
    for name, where in (("judgebench", tmp_path), ("judgebench-claude", tmp_path), ("judgebench", tmp_path / "data")):
        run = evaluate("baseline:longest", name, dataset=str(where))
        assert (run.info.suite, run.info.data.rows) == (name, 1)


def test_rows_that_are_not_of_the_benchmark() -> None:
    suite = get_suite("judgebench")
    with pytest.raises(
        DataError, match="made row 1, column 'source': 'poetry' is of no category; sources begin with mmlu"
    ):
        suite.read(Rows("made", [row("A>B", "a", "b", "poetry")]))
    both = [row("A>B", "a", "b"), row("A>B", "a", "b", writer="claude-3-5-sonnet-20240620")]
    with pytest.raises(DataError, match="has answers of gpt-4o-2024-05-13 and claude-3-5-sonnet-20240620"):
        evaluate("baseline:longest", "judgebench", dataset=both)
    lacking = {key: value for key, value in row("A>B", "a", "b").items() if key != "response_B"}
    with pytest.raises(
        DataError, match=r"row 1: no column 'response_B' \(it has: .*\); did you mean 'response_A'\?; a row"
    ):
        evaluate("baseline:longest", "judgebench", dataset=[lacking])

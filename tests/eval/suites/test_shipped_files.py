"""The benchmarks that are YAML files: each works like any other, and reads what its authors' repository holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rmeval import evaluate
from rmeval.errors import DataError
from rmeval.eval.suites import SUITES

JUDGE = (
    "###Task Description:\nSay.\n\n###The instruction to evaluate:\n{}\n\n\n###Response to evaluate:\n{}\n\n"
    "###Score Rubrics:\n[Is it?]\nScore 1: no\n\n###Feedback: "
)


def test_every_reference_line_of_the_real_evalbiasbench(shared_data: Path) -> None:
    file = shared_data / "suites" / "evalbiasbench.json"
    score: dict[str, Callable[..., Any]] = {
        "longest": lambda example, place, text: len(text),
        "shortest": lambda example, place, text: -len(text),
        "random": lambda example, place, text: hashlib.sha256(f"0\x1f{example}\x1f{place}".encode()).digest()[:8],
    }
    run = evaluate("baseline:longest", "evalbiasbench", dataset=str(file))
    assert not run.info.partial
    assert run.info.suite_file is None
    ids = iter(run.examples_table.column("example_id").to_pylist())
    by_bias = {
        bias: [(next(ids), row["response1"], row["response2"]) for row in rows]
        for bias, rows in json.loads(file.read_text()).items()
    }
    for name, of in score.items():
        right = {bias: sum(of(e, 0, one) > of(e, 1, two) for e, one, two in rows) for bias, rows in by_bias.items()}
        results = evaluate(f"baseline:{name}", "evalbiasbench", dataset=str(file)).info.results
        assert {bias: (each.right, each.n) for bias, each in results.subsets.items()} == {
            bias: (right[bias], len(rows)) for bias, rows in by_bias.items()
        }
        assert results.overall is not None
        assert results.overall.accuracy == pytest.approx(sum(right.values()) / 80, abs=1e-12)
        assert results.reference_lines[name].overall == pytest.approx(sum(right.values()) / 80, abs=1e-12)


def test_evalbiasbench_reads_its_rows_one_by_one_too(shared_data: Path, tmp_path: Path) -> None:
    real = json.loads((shared_data / "schema-rows" / "evalbiasbench.row0.json").read_text())
    assert evaluate("baseline:shortest", "evalbiasbench", dataset=[real]).info.results.subsets["length bias"].right == 1
    (tmp_path / "flat.json").write_text(json.dumps(list(real.values())))
    run = evaluate("baseline:shortest", "evalbiasbench", dataset=str(tmp_path / "flat.json"))
    assert run.info.results.subsets["length bias"].right == 1


def test_llmbar_takes_its_subsets_from_folders(tmp_path: Path) -> None:
    rows = {
        "Dataset/LLMBar/Natural": [("x", "xx", 2), ("x", "xx", 1)],
        "Dataset/LLMBar/Adversarial/GPTInst": [("xx", "x", 1)],
        "Dataset/LLMBar/Natural/evaluators/GPT-4": [("x", "x", 1)],
        "Dataset/CaseStudy/Normal": [("x", "x", 1)],
        "Dataset/Processed/FairEval": [("x", "x", 1)],
    }
    for folder, own in rows.items():
        (tmp_path / folder).mkdir(parents=True)
        name = "result.json" if "evaluators" in folder else "dataset.json"
        made = [{"input": f"{folder} {n}", "output_1": a, "output_2": b, "label": k} for n, (a, b, k) in enumerate(own)]
        (tmp_path / folder / name).write_text(json.dumps(made))
    for whole in (tmp_path, tmp_path / "Dataset" / "LLMBar"):
        results = evaluate("baseline:longest", "llmbar", dataset=str(whole)).info.results
        assert {name: (each.right, each.n) for name, each in results.subsets.items()} == {
            "natural": (1, 2),
            "gptinst": (1, 1),
        }
        assert results.overall is not None
        assert results.overall.accuracy == 2 / 3
    file = tmp_path / "Dataset/LLMBar/Adversarial/GPTInst/dataset.json"
    assert list(evaluate("baseline:longest", "llmbar", dataset=str(file)).info.results.subsets) == ["gptinst"]
    assert sum(SUITES["llmbar"].expected.values()) == 419


def test_hhh_finds_the_pairs_in_a_judges_prompts(tmp_path: Path) -> None:
    rows = [
        {
            "source": kind,
            "chosen_instruction": JUDGE.format("Why?\nReally?", a),
            "rejected_instruction": JUDGE.format("Why?\nReally?", b),
        }
        for kind, a, b in (("honest", "It is\n\nso.", "No."), ("other", "A", "Long"))
    ]
    (tmp_path / "hhh_alignment_eval.json").write_text(json.dumps(rows))
    for dataset in (tmp_path, tmp_path / "hhh_alignment_eval.json"):
        run = evaluate("baseline:longest", "hhh", dataset=str(dataset))
        assert {name: each.right for name, each in run.info.results.subsets.items()} == {"honest": 1, "other": 0}
    prompts = run.examples_table.column("prompt").to_pylist()
    answers = json.loads(run.examples_table.column("completions")[0].as_py())
    assert json.loads(prompts[0])[0]["content"] == "Why?\nReally?"
    assert [each[0]["content"] for each in answers] == ["It is\n\nso.", "No."]
    assert sum(SUITES["hhh"].expected.values()) == 221


def test_auto_j_leaves_out_the_ties_that_labels_say() -> None:
    pairs = [(0, "xx", "x"), (1, "x", "xx"), (1, "xx", "x"), (2, "x", "xx"), (2, "x", "x")]
    rows = [
        {"scenario": f"s{n % 2}", "label": label, "prompt": f"p{n}", "response 1": one, "response 2": two}
        for n, (label, one, two) in enumerate(pairs)
    ]
    run = evaluate("baseline:longest", "auto-j", dataset=rows)
    results = run.info.results
    assert {name: (each.right, each.n) for name, each in results.subsets.items()} == {"s0": (1, 2), "s1": (1, 1)}
    assert [each.count for each in run.info.audit if each.code == "label-ties"] == [2]
    assert run.info.partial_reasons == ("1 of 1 subsets short (* 3/1019)",)
    assert SUITES["auto-j"].expected == {"*": 520 + 499}


def test_rows_of_another_benchmark_name_the_command(shared_data: Path) -> None:
    """Each real row goes to the suite that it is of, and all others are told which."""
    homes = {
        "evalbiasbench": "evalbiasbench", "judgebench.claude": "judgebench", "judgebench.gpt": "judgebench",
        "rewardmath": "rewardmath", "rm-bench": "rm-bench", "rmb": "rmb",
    }  # fmt: skip
    for file in sorted((shared_data / "schema-rows").glob("*.json")):
        home = next((name for start, name in homes.items() if file.name.startswith(start)), None)
        for suite in ("pairs", "rewardbench", "hhh", "rmb", "rm-bench") if home else ():
            if suite != home:
                with pytest.raises(DataError, match=rf"score them with rmeval {home} --dataset \S+{file.name} "):
                    evaluate("baseline:longest", suite, dataset=str(file))


def test_a_missing_column_is_one_line() -> None:
    rows = [{"input": "a", "output_1": "b", "label": 1}]
    with pytest.raises(
        DataError, match=r"row 1: no column 'output_2' \(it has: .*\); did you mean 'output_1'\?; a row of LLMBar"
    ):
        evaluate("baseline:longest", "llmbar", dataset=rows)

"""Suites without code: YAML files, good and bad; JudgeBench written that way."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rmeval import compare, evaluate, leaderboard, load_run
from rmeval.errors import DataError, RmevalError, RunError, UsageError
from rmeval.eval.runner import recompute
from rmeval.eval.suites import SUITES, suite_of
from rmeval.eval.suites.credit_rules import TIES
from rmeval.eval.suites.file import load_suite
from rmeval.reports.run.report import write_report
from tests.support.ranking import as_models

JUDGEBENCH = """
name: own-judgebench-claude
title: JudgeBench, claude
dataset: judgebench-claude.jsonl
map:
  prompt: question
  a: response_A
  b: response_B
  label: label
  chosen-when: A>B
  id: pair_id
  subset: source~^(mmlu-pro|livebench-reasoning|livebench-math|livecodebench)
sections:
  Knowledge: [mmlu-pro]
  Reasoning: [livebench-reasoning]
  Math: [livebench-math]
  Coding: [livecodebench]
overall: examples
expected: {mmlu-pro: 154, livebench-reasoning: 51, livebench-math: 34, livecodebench: 31}
"""


def write(folder: Path, text: str, *rows: object) -> Path:
    file = folder / "suite.yaml"
    file.write_text(text)
    if rows:
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def pair(subset: str, chosen: str, rejected: str, number: int = 0) -> dict[str, str]:
    return {"prompt": f"{subset} {number}", "subset": subset, "chosen": chosen, "rejected": rejected}


def test_judgebench_by_yaml(shared_data: Path, tmp_path: Path) -> None:
    """43.70: the longer answer, counted by other code; equal lengths are wrong."""
    source = shared_data / "suites" / "judgebench-claude.jsonl"
    shutil.copy(source, tmp_path)
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    right = sum((len(r["response_A"]) - len(r["response_B"])) * (1 if r["label"] == "A>B" else -1) > 0 for r in rows)
    suite = load_suite(write(tmp_path, JUDGEBENCH), SUITES)
    run = evaluate("baseline:longest", suite)
    results = run.info.results
    assert {name: each.n for name, each in results.subsets.items()} == {
        "mmlu-pro": 154, "livebench-reasoning": 51, "livebench-math": 34, "livecodebench": 31,
    }  # fmt: skip
    assert list(results.sections) == ["Knowledge", "Reasoning", "Math", "Coding"]
    assert results.overall is not None
    assert results.overall.accuracy == right / 270
    assert round(100 * right / 270, 2) == 43.70
    assert not run.info.partial


def test_a_run_carries_its_suite(tmp_path: Path) -> None:
    rows = [pair("a", "xx", "x", n) for n in range(3)] + [pair("b", "x", "x", n) for n in range(3)]
    text = "name: own\ndataset: rows.jsonl\nties: half\nsections: {A: {a: 3}, B: [b]}\nweights: {A: 3, B: 1}\n"
    suite = load_suite(write(tmp_path, text, *rows), SUITES)
    for name, model in (("one", "baseline:longest"), ("two", "baseline:shortest")):
        evaluate(model, suite, output_dir=tmp_path / name)
    (tmp_path / "suite.yaml").unlink()
    one, two = load_run(tmp_path / "one"), load_run(tmp_path / "two")
    assert recompute(one) == one.info.results
    assert one.info.results.overall is not None
    assert one.info.results.overall.accuracy == 3 / 4 + 1 / 4 * 1 / 2
    assert one.info.results.subsets["b"].ties == 3
    assert suite_of(one.info).weights == suite.weights
    assert compare(one, two).sections["A"].difference == -1
    write_report([one, two], tmp_path / "page.html")
    as_models(tmp_path)
    (table,) = leaderboard([tmp_path / "one", tmp_path / "two"], tmp_path / "site").tables
    assert [row.label for row in table.rows] == ["baseline:longest", "baseline:shortest"]


def test_runs_of_two_files_of_one_name_are_not_compared(tmp_path: Path) -> None:
    rows = [pair("a", "xx", "x", n) for n in range(3)]
    for name, ties in (("one", "half"), ("two", "wrong"), ("three", "half")):
        suite = load_suite(write(tmp_path, f"name: own\ndataset: rows.jsonl\nties: {ties}\n", *rows), SUITES)
        evaluate("baseline:longest", suite, output_dir=tmp_path / name)
    with pytest.raises(UsageError, match="their suite files of own differ"):
        compare(load_run(tmp_path / "one"), load_run(tmp_path / "two"))
    as_models(tmp_path)
    board = leaderboard([tmp_path / name for name in ("one", "two", "three")], tmp_path / "site")
    assert [len(table.rows) for table in board.tables] == [2, 1]


def test_a_suite_of_a_file_that_code_changed(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, "name: own\ndataset: rows.jsonl\n", pair("a", "xx", "x")), SUITES)
    changed = replace(suite, rule=TIES["half"])
    with pytest.raises(UsageError, match="the suite own says something else than its file: set file=None as well"):
        evaluate("baseline:longest", changed)
    assert evaluate("baseline:longest", replace(changed, name="mine", file=None)).info.suite_file is None


def test_a_damaged_suite_in_a_run(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, "name: own\ndataset: rows.jsonl\n", pair("a", "xx", "x")), SUITES)
    run = evaluate("baseline:longest", suite)
    with pytest.raises(RunError, match="the suite file in the run is damaged: it is not JSON"):
        suite_of(run.with_info(suite_file="{").info)


def test_a_copy_with_the_known_fingerprint_is_the_benchmark(tmp_path: Path) -> None:
    rows = [pair("a", "xx", "x", n) for n in range(3)]
    suite = load_suite(write(tmp_path, "name: own\ndataset: rows.jsonl\n", *rows), SUITES)
    known = evaluate("baseline:longest", suite).info.data.fingerprint
    suite = load_suite(write(tmp_path, f"name: own\ndataset: x/hub\nfingerprint: {known}\n"), SUITES)
    same = evaluate("baseline:longest", suite, dataset=str(tmp_path / "rows.jsonl"))
    assert not same.info.partial
    assert evaluate("baseline:longest", suite, dataset=rows[:2]).info.partial_reasons == (
        "unverified local copy (rows of rows in memory, not of x/hub)",
    )
    limited = evaluate("baseline:longest", suite, dataset=rows, limit=2)
    assert limited.info.partial_reasons == ("only the first 2 examples asked for",)


@pytest.mark.parametrize(
    ("lists", "ids", "accuracy"), [("all", 1, 0.0), ("each", 2, 0.5), ("grid", 4, 0.75)], ids=["all", "each", "grid"]
)
def test_what_lists_mean(tmp_path: Path, lists: str, ids: int, accuracy: float) -> None:
    """Right answers of 3 and 1 characters, wrong ones of 2 and 0 ("-" is 1): see the parameters for each reading."""
    row = {"prompt": "p", "chosen": ["xxx", "yy"], "rejected": ["zz", "z"]}
    suite = load_suite(write(tmp_path, f"name: own\ndataset: rows.jsonl\nlists: {lists}\n", row), SUITES)
    run = evaluate("baseline:longest", suite)
    assert run.info.data.rows == ids
    assert run.info.results.overall is not None
    assert run.info.results.overall.accuracy == accuracy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nam: x\n", "the key 'name' is missing"),
        ("name: x\nsplt: test\n", "unknown key 'splt'; did you mean 'split'?"),
        ("name: ../x\n", "name: '../x' is no name"),
        ("name: mini\n", "there is a suite 'mini' already"),
        ("name: x\nties: maybe\n", "ties: input should be 'wrong', 'half' or 'right', found 'maybe'"),
        ("name: x\nmap: {promt: q}\n", "map: no field 'promt'; did you mean 'prompt'?"),
        ("name: x\nmap: {a: q}\n", "map: a pair by label needs b and label and chosen-when as well"),
        ("name: x\nmap: {prompt: 'a..b'}\n", "map: 'a..b' is no path"),
        ("name: x\nmap: {prompt: 'a~('}\n", r"map: prompt: '\(' is not a regular expression"),
        ("name: x\nsections: {A: [a]}\nweights: {B: 1}\n", "weights: no section 'B'"),
        ("name: x\nsections: {A: [a]}\nweights: {A: 0}\n", "weights: no section has one above 0"),
        ("name: x\nsections: {A: {a: -1}}\n", "section A: the weight of a is -1, not a number above 0"),
        ("name: x\nsections: {A: []}\n", "section A has no subset"),
        ("name: x\nsections: {A: [a, b]}\nexpected: {a: 1}\n", "sections: 'b' is not in expected"),
        ("name: x\nname: y\n", "line 2 is not YAML that can be read: 'name' is there twice"),
        ("name: x\nexpected: {a: -3}\n", "expected: a: input should be greater than or equal to 1"),
        ("name: x\nexpected: {a: true}\n", "expected: a is True, not a number"),
        ("name: x\nfingerprint: nonsense\n", "fingerprint: string should match pattern"),
        ("name: x\nsections: {A: [a, a]}\n", "section A names a subset twice"),
        ("name: x\nsections: {A: [a]}\nweights: {A: 1.0e+308}\n", "weights: that of A is 1e.308, not 0 or more"),
        ("name: [\n", "is not YAML that can be read"),
        ("- name\n", "is no suite file: it needs keys"),
        ("", "is no suite file: it needs keys"),
    ],
)
def test_bad_files_are_one_line_each(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        load_suite(write(tmp_path, text), SUITES)
    assert str(tmp_path / "suite.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("map: {prompt: qestion}\n", r"prompt: qestion leads to nothing in any row; did you mean 'question'\?"),
        ("map: {prompt: question}\nsections: {A: [z]}\n", "section A counts the subset 'z', of which .* has no row"),
        ("map: {prompt: question, subset: 'chosen~^q'}\n", r"subset: no value of chosen matches '\^q'"),
        ("", "there is no column 'prompt', but there is 'question'"),
    ],
)
def test_files_that_do_not_fit_the_rows(tmp_path: Path, text: str, words: str) -> None:
    row = {"question": "q", "chosen": "a", "rejected": "b"}
    suite = load_suite(write(tmp_path, f"name: own\ndataset: rows.jsonl\n{text}", row), SUITES)
    with pytest.raises(DataError, match=words):
        evaluate("baseline:longest", suite)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(RmevalError, match=f"no such file: {tmp_path / 'none.yaml'}"):
        load_suite(tmp_path / "none.yaml", SUITES)


def test_how_lists_were_read_is_recorded() -> None:
    rows = [{"prompt": "p", "chosen": ["xxx", "yy"], "rejected": ["z"]}]
    assert evaluate("baseline:longest", "pairs", dataset=rows, lists="each").info.settings == {
        "lists": "each",
        "seed": 0,
    }
    with pytest.raises(UsageError, match="lists is all, each, grid, not 'bogus'"):
        evaluate("baseline:longest", "pairs", dataset=rows, lists="bogus")  # type: ignore[arg-type]


def test_names_of_sections_are_text_in_every_file_of_a_board(tmp_path: Path) -> None:
    text = 'name: own\ndataset: rows.jsonl\nsections: {"=1|<b>": [a]}\n'
    suite = load_suite(write(tmp_path, text, *(pair("a", "xx", "x", n) for n in range(3))), SUITES)
    evaluate("baseline:longest", suite, output_dir=tmp_path / "run")
    as_models(tmp_path)
    leaderboard([tmp_path / "run"], tmp_path / "site")
    assert r"| =1\|&lt;b&gt; |" in (tmp_path / "site" / "leaderboard.md").read_text()
    assert ",'=1|<b>," in (tmp_path / "site" / "leaderboard.csv").read_text()

"""Each benchmark's command on files as its authors, or the Hub, have them: made-up rows, real names and forms.

Nobody's rows are at hand for most of these, so what stands here are columns, folders and kinds of files; each mistake
in them is one line that says what to do.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.cli import main

Row = dict[str, object]
Files = Mapping[str, Sequence[Mapping[str, object]]]
SHORT, LONG = "No.", "Yes, and here is why."
TURN = [{"role": "user", "content": "Is it so?", "language": "English"}]
JUDGE = (
    "###Task Description:\nSay.\n\n###The instruction to evaluate:\n{}\n\n###Response to evaluate:\n{}\n\n"
    "###Score Rubrics:\n[Is it?]\nScore 1: no\n\n###Feedback: "
)


def vote(number: int, winner: str, language: str | None, **groups: object) -> Row:
    """A row of PPE Preference with all columns of the card; the first answer is the longer one."""
    return {
        "question_id": f"q{number}",
        "model_a": "one",
        "model_b": "two",
        "winner": winner,
        "prompt": f"Is it so, {number}?",
        "response_1": LONG,
        "response_2": SHORT,
        "language": language,
        "conv_metadata": {"turns": 1, "bold_count": {"**": 2}},
        "category_tag": {"math_v0.1": {"math": False}},
        "length_a": 7,
        "token_diff": -5.0,
        "longer_won": None,
        "is_code": False,
        "hard_prompt": True,
        **groups,
    }


def answered(number: int, scores: list[object], pairs: list[list[int]] | None) -> Row:
    """A row of PPE Correctness; every answer is longer than the one before."""
    answers = {f"response_{k + 1}": "x" * (k + 1) for k in range(len(scores))}
    named = {"question_id": number, "model_name": "writer", "prompt": f"Task {number}", "mean_score": 0.5}
    return {**named, "scores": scores, "sampled_conflict_pairs": pairs, "conflict_pairs": None, **answers}


def translated(language: str, source: str, number: int) -> Row:
    """A row of M-RewardBench as it was put on the Hub: the subset is called source."""
    texts = {"prompt": f"{source} {number}?", "chosen": LONG, "rejected": SHORT}
    return {"id": number, "language": language, **texts, "chosen_model": "a", "rejected_model": "b"} | {
        "source": source,
        "category": "Safety",
    }


def rmb_pair(path: str, better: str = LONG, worse: str = SHORT, column: str = "reject") -> Row:
    answers = {"chosen": {"llm_name": "a", "answer": better}, column: {"llm_name": "b", "answer": worse}}
    return {"pair_uid": "12", "conversation_input": TURN, **answers, "category_path": f"Pairwise_set/{path}"}


def rmb_list(path: str) -> Row:
    answers = {"bon_best": {"llm_name": "a", "answer": LONG}, "loser_list": [{"llm_name": "b", "answer": SHORT}] * 3}
    # The first column holds an object: the row is no table of rows for that.
    return {**answers, "conversation_input": TURN, "bon_uid": "7", "category_path": f"BoN_set/{path}"}


def barred(number: int, label: object) -> Row:
    return {"input": f"Say {number}.", "output_1": LONG, "output_2": SHORT, "label": label}


def in_judges_prompt(source: str) -> Row:
    made = {side: JUDGE.format("Is it so?", text) for side, text in (("chosen", LONG), ("rejected", SHORT))}
    return {"source": source, **{f"{side}_instruction": text for side, text in made.items()}}


def scenario(number: int, label: object) -> Row:
    row = {"scenario": "seeking_advice", "label": label, "prompt": f"What, {number}?"}
    return {**row, "response 1": LONG, "response 2": SHORT}


@dataclass(frozen=True)
class Case:
    """A benchmark's files, and what the length baseline reaches on them."""

    command: str
    files: Files
    subsets: Mapping[str, tuple[int, float]]
    """Subset -> pairs, and the share that the longer answer has right."""
    rows: str = "dataset"
    """The file or folder that is handed to the command."""


CASES = {
    "ppe-preference parquet": Case(
        "ppe-preference",
        {
            "dataset/data/test-00000-of-00001.parquet": [
                vote(1, "model_a", "English", is_code=True),
                vote(2, "model_b", "English"),
                vote(3, "tie", "English"),
                vote(4, "tie (bothbad)", None),
                vote(5, "model_a", "German"),
            ]
        },
        {"English": (2, 1 / 2), "German": (1, 1)},
    ),
    "ppe-preference packed lines": Case(
        "ppe-preference",
        {"votes.jsonl.gz": [vote(1, "model_a", "English", is_code=1), vote(2, "model_b", "unknown", is_code="True")]},
        {"English": (1, 1), "unknown": (1, 0)},
        "votes.jsonl.gz",
    ),
    "ppe-correctness parquet of the Hub": Case(
        "ppe-correctness",
        {
            "dataset/PPE-MMLU-Pro-Best-of-K/data/train-00000-of-00001.parquet": [
                answered(1, [False, True, True], [[0, 1], [2, 0]]),
                answered(2, [True, True, False], None),  # A prompt without a conflict.
            ],
            "dataset/PPE-GPQA-Best-of-K/data/train-00000-of-00001.parquet": [answered(1, [True, False], [[0, 1]])],
        },
        {"gpqa": (1, 0), "mmlu-pro": (2, 1)},
    ),
    "ppe-correctness packed lines": Case(
        "ppe-correctness",
        {
            "dataset/math_best_of_k.jsonl.gz": [answered(1, [0.0, 1.0, 0.5], [[0, 1], [1, 2]])],
            "dataset/mbpp_plus_best_of_k.jsonl.gz": [answered(1, [0, 1], [[0, 1]])],
            "dataset/ifeval_best_of_k.jsonl.gz": [answered(1, [1, 0], [[1, 0]])],
        },
        {"ifeval": (1, 0), "math": (2, 1 / 2), "mbpp-plus": (1, 1)},
    ),
    "m-rewardbench parquet of the Hub": Case(
        "m-rewardbench",
        {
            "dataset/deu_Latn/test-00000-of-00001.parquet": [
                translated("deu_Latn", "donotanswer", k) for k in range(2)
            ],
            "dataset/zho_Hans/test-00000-of-00001.parquet": [translated("zho_Hans", "hep-go", 1)],
            "dataset/translation/test-00000-of-00001.parquet": [{"id": 1, "prompt": "x", "chosen": "y"}],
        },
        {"deu_Latn/donotanswer": (2, 1), "zho_Hans/hep-go": (1, 1)},
    ),
    "m-rewardbench as it was before": Case(
        "m-rewardbench",
        {
            "dataset/fra_Latn/filtered.json": [
                {"prompt": "q", "chosen": SHORT, "rejected": LONG, "subset": "math-prm", "chosen_model": "a"}
                | {"target_language": "fra_Latn", "source": "PRM800k"}
            ],
            "dataset/fra_Latn/raw.json": [{"prompt": "q", "chosen": "not", "rejected": "read"}],
        },
        {"fra_Latn/math-prm": (1, 0)},
    ),
    "rmb repository": Case(
        "rmb",
        {
            "dataset/RMB_dataset/Pairwise_set/Helpfulness/Open QA/Factual.json": [
                rmb_pair("Helpfulness/Open QA/Factual")
            ],
            "dataset/RMB_dataset/Pairwise_set/Harmlessness/multi.json": [rmb_pair("Harmlessness/multi", SHORT, LONG)],
            "dataset/RMB_dataset/BoN_set/Helpfulness/Chat/Discussion.json": [rmb_list("Helpfulness/Chat/Discussion")],
            "dataset/eval/results/gpt.json": [{"accuracy": 0.5}],
        },
        {
            "Pairwise_set/Helpfulness/Open QA/Factual": (1, 1),
            "Pairwise_set/Harmlessness/multi": (1, 0),
            "BoN_set/Helpfulness/Chat/Discussion": (1, 1),
        },
    ),
    "rmb spelt as other data sets": Case(
        "rmb",
        {"pairs.jsonl": [rmb_pair("Harmlessness/S1", column="rejected")]},
        {"Pairwise_set/Harmlessness/S1": (1, 1)},
        "pairs.jsonl",
    ),
    "llmbar repository below a folder of an unlucky name": Case(
        "llmbar",
        {
            "manual/Dataset/LLMBar/Natural/dataset.json": [barred(1, 1), barred(2, 2.0)],
            "manual/Dataset/LLMBar/Adversarial/GPTOut/dataset.json": [barred(1, "2")],
            "manual/Dataset/LLMBar/Adversarial/GPTOut/evaluators/GPT-4/CoT/result.json": [barred(1, 1)],
            "manual/Dataset/CaseStudy/Base-9/dataset.json": [barred(1, 1)],
        },
        {"natural": (2, 1 / 2), "gptout": (1, 0)},
        "manual",
    ),
    "llmbar one packed file": Case(
        "llmbar",
        {"natural/llmbar-neighbor.json.gz": [barred(1, 1)]},
        {"neighbor": (1, 1)},
        "natural/llmbar-neighbor.json.gz",
    ),
    "hhh repository": Case(
        "hhh",
        {
            "dataset/eval/benchmark/data/hhh_alignment_eval.json": [
                in_judges_prompt("harmless"),
                in_judges_prompt("other"),
            ],
            "dataset/eval/benchmark/data/mt_bench_eval.json": [{"instruction": "x"}],
        },
        {"harmless": (1, 1), "other": (1, 1)},
    ),
    "auto-j repository": Case(
        "auto-j",
        {
            "dataset/data/test/testdata_pairwise.jsonl": [
                scenario(1, 0),
                scenario(2, 1),
                scenario(3, 2),
                scenario(4, "0"),
            ],
            "dataset/data/test/testdata_critique.jsonl": [{"scenario": "x", "critique": "y"}],
        },
        {"seeking_advice": (3, 2 / 3)},
    ),
}


def write(folder: Path, files: Files) -> None:
    for name, rows in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".parquet"):
            pq.write_table(pa.Table.from_pylist(list(rows)), path)
        elif ".json" in name and "jsonl" not in name:
            text = json.dumps(rows)
            path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        else:
            text = "".join(json.dumps(row) + "\n" for row in rows)
            path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


def line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a command that failed said: one line."""
    said = capsys.readouterr()
    assert said.err.count("\n") == 1, said.err
    return said.err


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_the_command_reads_them(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    write(tmp_path, case.files)
    command = (case.command, "--model", "baseline:longest", "--dataset", case.rows, "--output-dir", "run", "--json")
    assert run(*command) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    assert {name: (each["n"], each["accuracy"]) for name, each in found["subsets"].items()} == case.subsets
    assert found["partial"] or case.command == "ppe-preference"
    assert (tmp_path / "run" / "report.html").exists()


def test_groups_are_counted_however_truth_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, CASES["ppe-preference packed lines"].files)
    assert run("ppe-preference", "--model", "baseline:longest", "--dataset", "votes.jsonl.gz", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: each["n"] for name, each in found["views"].items()} == {"code": 2, "hard prompt": 2}


COLUMNS: dict[str, tuple[Callable[[], Row], str, str]] = {
    "ppe-preference": (lambda: vote(1, "model_a", "English"), "winner", "no column 'winner'"),
    "ppe-correctness": (lambda: answered(1, [0, 1], [[0, 1]]), "scores", "no column 'scores'"),
    "m-rewardbench": (lambda: translated("deu_Latn", "hep-go", 1), "source", "column 'subset': None is no subset"),
    "rmb": (lambda: rmb_pair("Harmlessness/S1"), "category_path", "no column 'category_path'"),
    "llmbar": (lambda: barred(1, 1), "output_2", "no column 'output_2'"),
    "hhh": (lambda: in_judges_prompt("other"), "rejected_instruction", "no column 'rejected_instruction'"),
    "auto-j": (lambda: scenario(1, 0), "response 2", "no column 'response 2'"),
}
"""A row of each, a column of it, and what is said where it is missing."""


@pytest.mark.parametrize("command", COLUMNS)
def test_a_missing_column_is_one_line(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, column, words = COLUMNS[command]
    row = make()
    del row[column]
    write(tmp_path, {"rows.json": [row]})
    assert run(command, "--model", "baseline:longest", "--dataset", "rows.json") == 2
    said = line(capsys)
    assert words in said
    assert "rows.json row 1" in said


@pytest.mark.parametrize("command", COLUMNS)
def test_another_benchmarks_file_names_its_command(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"natural.json": [COLUMNS[command][0]()]})
    for other in ("pairs", "rewardbench", *(name for name in COLUMNS if name != command)):
        assert run(other, "--model", "baseline:longest", "--dataset", "natural.json") == 2, other
        assert f"score them with rmeval {command} --dataset natural.json" in line(capsys)
    assert run(command, "--model", "baseline:longest", "--dataset", "natural.json") in (0, 2)


SUBSETS = {
    "ppe-preference parquet": ("Germn", "German"),
    "ppe-correctness packed lines": ("ifevall", "ifeval"),
    "m-rewardbench parquet of the Hub": ("deu_Latn/donotanswr", "deu_Latn/donotanswer"),
    "rmb repository": ("Pairwise_set/Harmlessness/mult", "Pairwise_set/Harmlessness/multi"),
    "llmbar repository below a folder of an unlucky name": ("natual", "natural"),
    "hhh repository": ("harmles", "harmless"),
    "auto-j repository": ("seeking_advise", "seeking_advice"),
}
"""A subset that is spelt wrong, and the one that was meant."""


@pytest.mark.parametrize("name", SUBSETS)
def test_an_unknown_subset_is_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, (wrong, meant) = CASES[name], SUBSETS[name]
    write(tmp_path, case.files)
    assert run(case.command, "--model", "baseline:longest", "--dataset", case.rows, "--subset", wrong) == 2
    said = line(capsys)
    assert f"no subset {wrong!r} in the data; did you mean {meant!r}?" in said


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (answered(1, [0, None], [[0, 1]]), "column 'scores': no number for answer 2"),
        (answered(1, [0, float("nan")], [[0, 1]]), "column 'scores': no number for answer 2"),
        (answered(1, [0, 1], None), "no row has a pair of answers with other labels"),
    ],
)
def test_labels_that_are_no_numbers(row: Row, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A label that is NaN is above and below nothing: the pair would have been read the wrong way round."""
    write(tmp_path, {"math.jsonl": [row]})
    assert run("ppe-correctness", "--model", "baseline:longest", "--dataset", "math.jsonl") == 2
    assert words in line(capsys)

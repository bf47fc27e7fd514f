"""The report as a file: what is in it, how big and how fast, what is refused. The browser's tests read it."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rmeval import RunRecord, evaluate
from rmeval.errors import RunError, UsageError
from rmeval.eval.scorers.base import Pointwise
from rmeval.records import load_run
from rmeval.reports.run.provenance import command_line
from rmeval.reports.run.report import report_page, write_report
from rmeval.run_info import ModelInfo
from rmeval.types import Conversation, Finding, Progress, Score
from tests.reports.made import Hashed, made_run, rows, write_rows


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return made_run(tmp_path_factory.mktemp("one"))


def unpacked(html: str, name: str) -> Any:
    (text,) = re.findall(rf'<script type="application/gzip\+base64" id="{name}">([^<]+)</script>', html)
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_the_same_bytes_for_the_same_run(run: RunRecord) -> None:
    assert report_page([run]) == report_page([run])


def test_the_numbers_of_the_examples(run: RunRecord) -> None:
    index = unpacked(report_page([run]), "examples-index")
    (own,) = index["runs"]
    table = run.scores.set_index(["example_id", "role"]).score
    assert index["ids"] == list(run.examples.example_id)
    assert [index["subsets"][place] for place in index["subset"]] == list(run.examples.subset)
    for place, name in enumerate(index["ids"]):
        scores = [table[name, "chosen"], table[name, "rejected"]]
        assert own["scores"][2 * place] == scores[0]
        if own["outcomes"][place] == "i":
            assert own["scores"][2 * place + 1] is None
            continue
        assert own["margins"][place] == scores[0] - scores[1]
        assert own["outcomes"][place] == ("r" if scores[0] > scores[1] else "t" if scores[0] == scores[1] else "w")
        assert (place in own["undecided"]) == (abs(scores[0] - scores[1]) <= Hashed.drift)
    assert [place for place, cut in enumerate(run.scores.truncated) if cut] == own["truncated"] != []
    assert set(own["outcomes"]) == set("rwti")


def test_the_texts(run: RunRecord) -> None:
    html = report_page([run])
    texts, made = unpacked(html, "examples-text"), rows()
    assert len(texts["prompts"]) == 40  # Each prompt stands twice in the rows, once here.
    for place, row in enumerate(made):
        assert texts["prompts"][texts["prompt"][place]] == [["user", row["prompt"]]]
        own = [texts["completions"][text] for text in texts["completion"][2 * place : 2 * place + 2]]
        assert own == [
            [["assistant", row["chosen"]]],
            [["assistant", row["rejected"]]],
        ]


def test_tools_and_their_calls_are_shown(tmp_path: Path) -> None:
    tools = json.dumps([{"name": "clock"}])
    call = {"role": "assistant", "content": None, "tool_calls": [{"name": "clock"}]}
    says = {"role": "assistant", "content": "Look.", "thinking": "hm"}
    made = [{"prompt": "Time?", "chosen": [call], "rejected": [says], "tools": tools}, {"prompt": "Time?", **PLAIN}]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in made))
    run = evaluate("baseline:longest", "pairs", dataset=str(file), output_dir=tmp_path / "run")
    texts = unpacked(report_page([run]), "examples-text")
    assert texts["prompts"] == [[["tools", tools], ["user", "Time?"]], [["user", "Time?"]]]
    assert texts["prompt"] == [0, 1]
    assert texts["completions"] == [
        [["assistant", '{"tool_calls": [{"name": "clock"}]}']],
        [["assistant", 'Look.\n{"thinking": "hm"}']],
        [["assistant", "now"]],
        [["assistant", ""]],
    ]


PLAIN = {"chosen": "now", "rejected": ""}


def test_a_run_without_texts(tmp_path: Path) -> None:
    run = made_run(tmp_path, keep_text=False)
    html = report_page([run])
    assert 'id="examples-text"' not in html
    assert "No run here has kept its texts" in html
    assert "Perhaps." not in html
    index = unpacked(html, "examples-index")
    assert index["prompt_hashes"] == list(run.examples.prompt_hash)
    assert index["hashes"] == [each for own in run.examples.completion_hashes for each in own]


def test_texts_come_from_whichever_run_has_them(tmp_path: Path) -> None:
    without, with_text = made_run(tmp_path, 0, keep_text=False), made_run(tmp_path, 1)
    assert unpacked(report_page([without, with_text]), "examples-text")["prompts"]


def test_what_is_partial_says_so_at_the_top(run: RunRecord) -> None:
    html = report_page([run])
    head = html[html.index('id="top"') : html.index('id="subsets"')]
    assert "PARTIAL: not a RewardBench result</span></h1>" in head
    for reason in run.info.partial_reasons:
        assert str(reason).replace("'", "&#39;") in head
    assert "missing-bos × 3" in head
    assert "pad-is-eos" not in head
    assert "pad-is-eos" in html
    whole = report_page([evaluate("baseline:longest", "mini")])
    assert "rmeval mini (smoke test)" in whole
    assert "PARTIAL" not in whole


def test_errors_come_before_warnings(run: RunRecord) -> None:
    audit = (Finding("truncated", "warning", 1), Finding("untrained-head", "error", 1))
    html = report_page([run.with_info(audit=audit)])
    assert html.index("untrained-head × 1") < html.index("truncated × 1")


class Numbers(Pointwise):
    """Scores in the order given, again and again."""

    info = ModelInfo("numbers", "classifier", "numbers")

    def __init__(self, *values: float) -> None:
        self._values = values

    def score_conversations(
        self, conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> list[Score]:
        return [Score(self._values[place % len(self._values)], 1) for place in range(len(conversations))]

    def findings(self) -> Sequence[Finding]:
        return ()


@pytest.mark.parametrize(
    "scorer",
    [
        Numbers(float("nan")),
        Numbers(float("inf"), 0.0),
        Numbers(1.0),
        Numbers(1e308, -1e308),
        Numbers(1e-310, 0.0),
        Numbers(0.0, 1.0, float("nan"), 0.0),
    ],
)
@pytest.mark.parametrize("number", [1, 9])
def test_odd_scores(scorer: Numbers, number: int, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", rows(number))
    html = report_page([evaluate(scorer, "pairs", dataset=str(data))])
    assert unpacked(html, "examples-index")["runs"][0]["outcomes"]
    assert not re.search(r"[\s\">−-](nan|inf)[\s\"<]", html), "a number that is none"


def test_a_ruler_has_no_calibration_and_counts_characters(tmp_path: Path) -> None:
    html = report_page([evaluate("baseline:longest", "mini")])
    assert "plot-calibration" not in html
    assert "Accuracy by character length" in html


@pytest.mark.parametrize("completions", [(2, 1), (1, 3)])
def test_several_right_or_wrong_answers(run: RunRecord, completions: tuple[int, int]) -> None:
    """A pair's scores, again as more completions: the page has them all."""
    chosen, rejected = completions
    scores, examples = [], []
    for row in run.examples_table.to_pylist()[:6]:
        texts = json.loads(row["completions"])
        row["completions"] = json.dumps([texts[0]] * chosen + [texts[1]] * rejected)
        row["completion_hashes"] = [row["completion_hashes"][0]] * chosen + [row["completion_hashes"][1]] * rejected
        row["completion_chars"] = [row["completion_chars"][0]] * chosen + [row["completion_chars"][1]] * rejected
        examples.append(row)
        own = [item for item in run.scores_table.to_pylist() if item["example_id"] == row["example_id"]]
        both = [own[0]] * chosen + [own[1]] * rejected
        scores += [{**item, "completion": place} for place, item in enumerate(both)]
    several = replace(
        run,
        scores_table=pa.Table.from_pylist(scores, run.scores_table.schema),
        examples_table=pa.Table.from_pylist(examples, run.examples_table.schema),
    )
    index = unpacked(report_page([several]), "examples-index")
    assert index["chosen"] == [chosen] * 6
    assert index["completions"] == [chosen + rejected] * 6
    assert len(index["runs"][0]["scores"]) == 6 * (chosen + rejected)


def test_lists_say_what_a_right_example_is(run: RunRecord, tmp_path: Path) -> None:
    lists = [{"prompt": f"p{i}", "chosen": ["a", "b"], "rejected": ["d", "e", "f"]} for i in range(3)]
    several = evaluate(Hashed(), "pairs", dataset=str(write_rows(tmp_path / "lists.jsonl", lists)))
    said = "3 examples, 2 chosen × 3 rejected: right only if every chosen beats every rejected"
    assert said in report_page([several])
    assert "right only if" not in report_page([run])


def test_rows_of_scores_in_another_order_are_refused(run: RunRecord) -> None:
    order = pa.array(range(run.scores_table.num_rows - 1, -1, -1))
    with pytest.raises(RunError, match="order"):
        report_page([replace(run, scores_table=run.scores_table.take(order))])


def test_runs_that_cannot_be_compared(run: RunRecord, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="suite"):
        report_page([run, evaluate("baseline:longest", "mini")])
    (tmp_path / "less").mkdir()
    less = made_run(tmp_path / "less", 1, number=70)
    with pytest.raises(UsageError, match="--common-only"):
        report_page([run, less])
    index = unpacked(report_page([run, less], common_only=True), "examples-index")
    assert len(index["ids"]) == 80
    assert index["runs"][1]["outcomes"][70:] == "-" * 10
    assert index["runs"][1]["scores"][140:] == [None] * 20
    assert "-" not in index["runs"][1]["outcomes"][:70]


@pytest.mark.parametrize("number", [0, 9])
def test_none_or_too_many_runs(run: RunRecord, number: int) -> None:
    with pytest.raises(UsageError, match="leaderboard"):
        report_page([run] * number)


def test_the_command_is_pinned(run: RunRecord) -> None:
    command = ("rmeval", "rewardbench", "--model", "org/a b")
    model = replace(run.info.model, revision=f"{0:040d}")
    pinned = run.with_info(command=command, data=replace(run.info.data, revision="abc"), model=model).info
    expected = f"rmeval rewardbench --model 'org/a b' --revision {0:040d} --dataset-revision abc"
    assert command_line(pinned) == expected
    # A branch moves: what is repeated is the commit that it was.
    given = (*command, "--revision=main", "--dataset-revision", "main")
    assert command_line(replace(pinned, command=given)) == expected
    # An adapter's fingerprint names two commits; its own is the one to ask for.
    adapter = replace(pinned.model, fingerprint=f"hub:{0:040d}+hub:{1:040d}", revision=f"{0:040d}")
    assert command_line(replace(pinned, model=adapter)) == expected
    assert command_line(replace(pinned, command=())) is None
    local = replace(pinned, model=replace(pinned.model, fingerprint="sha256:1", revision=None), data=run.info.data)
    assert command_line(local) == "rmeval rewardbench --model 'org/a b'"


def test_three_thousand_examples_within_five_seconds_without_torch(tmp_path: Path) -> None:
    """Processor time of a Python of its own, from start to end."""
    items = [
        {**row, "id": str(place), "prompt": f"{place} {row['prompt']}"}
        for place, row in enumerate(rows(3000))
        if row["rejected"] != "nan"
    ]
    data = write_rows(tmp_path / "rows.jsonl", items)
    evaluate(Hashed(), "rewardbench", dataset=str(data), output_dir=tmp_path / "run")
    program = (
        "import resource, sys; from pathlib import Path; from rmeval.records import load_run;"
        "from rmeval.reports.run.report import write_report;"
        f"write_report([load_run({str(tmp_path / 'run')!r})], Path({str(tmp_path / 'report.html')!r}));"
        "own = resource.getrusage(resource.RUSAGE_SELF);"
        "print(own.ru_utime + own.ru_stime, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds, torch = done.stdout.split()
    assert torch == "False"
    assert float(seconds) < 5
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_written_again_from_disk(run: RunRecord, tmp_path: Path) -> None:
    assert run.path is not None
    size = write_report([load_run(run.path)], tmp_path / "a" / "report.html")
    assert (tmp_path / "a" / "report.html").stat().st_size == size


def test_accuracy_by_length_is_in_every_report(run: RunRecord) -> None:
    """The rows' lengths alone say which group is which; the page has the numbers of the tables."""
    html = report_page([run])
    (cells,) = [re.findall(r"<td[^>]*data-value=\"([^\"]*)\"", part) for part in _rows(html, "data-length")["shorter"]]
    right, wrong = np.array(run.examples.completion_chars.tolist()).T
    own = wrong - right > 0.1 * wrong
    scores = run.scores.score.to_numpy().reshape(-1, 2)[own]
    finite = scores[np.isfinite(scores).all(axis=1)]
    assert (float(cells[0]), float(cells[1])) == (len(finite), (finite[:, 0] > finite[:, 1]).mean())
    assert "at most 10% of the longer one apart" in html


def _rows(html: str, attribute: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, row in re.findall(rf'<tr {attribute}="([^"]+)">(.*?)</tr>', html, re.DOTALL):
        found.setdefault(name, []).append(row)
    return found

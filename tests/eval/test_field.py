"""Several suites with one model: one load, nothing computed twice, gone on with where it was stopped."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rmeval import Example, ModelOptions, RunRecord, evaluate, load_run
from rmeval.errors import DataError, RunError, UsageError
from rmeval.eval import field as module
from rmeval.eval.field import FIELD, Field, SuiteRun, evaluate_field
from rmeval.eval.scorers.classifier import ClassifierScorer
from rmeval.eval.suites import Suite
from rmeval.eval.suites import data as data_module
from rmeval.eval.suites.data import DataOptions, Dataset
from rmeval.run_info import Estimate
from rmeval.types import Conversation

EXACT = ModelOptions(dtype="float32", device="cpu")


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMEVAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    """Two suites that share half of their conversations."""
    pairs = [
        {"id": f"p{k}", "prompt": f"question {k}", "chosen": f"right {k} " * (1 + k % 5), "rejected": f"wrong {k}"}
        for k in range(40)
    ]
    rows = [{**row, "subset": "alpacaeval-easy"} for row in pairs[20:]]
    found = {"pairs": tmp_path / "pairs.jsonl", "rewardbench": tmp_path / "rows.jsonl"}
    for name, own in (("pairs", pairs), ("rewardbench", rows)):
        found[name].write_text("".join(json.dumps(row) + "\n" for row in own))
    return {name: str(path) for name, path in found.items()}


@pytest.mark.parametrize("cache", [True, False])
def test_one_load_and_what_suites_share_is_computed_once(
    tiny_model: Path, data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: bool
) -> None:
    loads = []
    make = ClassifierScorer.__init__

    def counted(self: ClassifierScorer, *arguments: object) -> None:
        loads.append(arguments[0])
        make(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ClassifierScorer, "__init__", counted)
    options = replace(EXACT, cache=cache)
    found = evaluate_field(
        str(tiny_model), ("pairs", "rewardbench"), output_dir=tmp_path / "f", datasets=data, model_options=options
    )
    assert loads == [str(tiny_model)]
    first, second = (load_run(tmp_path / "f" / name) for name in ("pairs", "rewardbench"))
    accounts = [run.info.accounting for run in (first, second)]
    assert [each and each.recalled for each in accounts] == [0, 40]
    assert [each and each.computed for each in accounts][1] == 0
    assert second.scores["score"].tolist() == first.scores["score"].tolist()[40:]
    assert [(entry.suite, entry.error) for entry in found.entries] == [("pairs", None), ("rewardbench", None)]
    # The numbers are those of each suite by itself.
    alone = evaluate(
        str(tiny_model), "rewardbench", dataset=data["rewardbench"], model_options=replace(EXACT, cache=False)
    )
    assert second.info.results.subsets == alone.info.results.subsets
    assert second.info.settings == {**alone.info.settings, "cache": cache}
    assert [each.code for each in second.info.audit] == [each.code for each in alone.info.audit]
    assert not (tmp_path / "f" / ".field").exists()
    summary = json.loads((tmp_path / "f" / "field.json").read_text())
    assert [each["suite"] for each in summary["suites"]] == ["pairs", "rewardbench"]
    assert summary["mean"] is None


@pytest.mark.parametrize("cache", [True, False])
def test_nothing_of_a_suite_is_in_memory_when_the_next_one_is_read(
    tiny_model: Path, data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: bool
) -> None:
    """Neither its run with the tables nor its examples with the texts: else the field needs the sum of its suites."""
    kinds, load, left = {RunRecord, Dataset, Example, Conversation}, data_module.load_dataset, []

    def counted(suite: Suite, options: DataOptions) -> Dataset:
        gc.collect()
        things = [each for each in gc.get_objects() if type(each) in kinds]
        left.append([type(each).__name__ for each in things if id(each) not in before])
        return load(suite, options)

    before = {id(each) for each in gc.get_objects() if type(each) in kinds}
    monkeypatch.setattr(module, "load_dataset", counted)
    options = replace(EXACT, cache=cache)
    again = {**data, "evalbiasbench": data["pairs"]}  # Left out: what it read is gone too.
    evaluate_field(
        str(tiny_model),
        ("pairs", "evalbiasbench", "rewardbench"),
        output_dir=tmp_path / "f",
        datasets=again,
        model_options=options,
    )
    assert left == [[], [], []]


def test_a_suite_without_data_is_a_line_and_all_without_is_an_error(data: dict[str, str], tmp_path: Path) -> None:
    said: list[str] = []
    found = evaluate_field(
        "baseline:longest",
        ("rm-bench", "pairs"),
        output_dir=tmp_path / "f",
        datasets={"pairs": data["pairs"], "rm-bench": str(tmp_path / "nowhere.json")},
        note=said.append,
    )
    assert [entry.info is None for entry in found.entries] == [True, False]
    assert "nowhere.json" in (found.entries[0].error or "")
    assert said[0].startswith("rm-bench: left out: ")
    with pytest.raises(DataError, match="no suite could be had; the first: rm-bench: "):
        evaluate_field(
            "baseline:longest",
            ("rm-bench",),
            output_dir=tmp_path / "g",
            datasets={"rm-bench": str(tmp_path / "no.json")},
        )
    assert not (tmp_path / "g" / "field.json").exists()


@pytest.mark.parametrize(
    ("suites", "datasets", "words"),
    [
        (("paris",), {}, "unknown suite 'paris'; did you mean 'pairs'"),
        (("pairs", "pairs"), {}, "--suites names one twice: pairs,pairs"),
        (("pairs",), {"rm-bench": "x"}, "--dataset rm-bench=… is of a suite that is not asked for"),
        (("pairs",), {"paris": "x"}, "unknown suite 'paris'"),
    ],
)
def test_mistakes(suites: tuple[str, ...], datasets: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        evaluate_field("baseline:longest", suites, output_dir=tmp_path / "f", datasets=datasets)
    assert not (tmp_path / "f").exists()


def test_a_finished_one_is_not_replaced_and_another_leaves_nothing_behind(data: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "f"
    evaluate_field("baseline:longest", ("pairs", "rewardbench"), output_dir=path, datasets=data)
    with pytest.raises(RunError, match="holds a finished field"):
        evaluate_field("baseline:longest", ("pairs", "rewardbench"), output_dir=path, datasets=data)
    own = {"pairs": data["pairs"]}
    (path / "rewardbench" / "mine.txt").write_text("kept")
    evaluate_field("baseline:shortest", ("pairs",), output_dir=path, datasets=own, overwrite=True)
    assert [each.name for each in (path / "rewardbench").iterdir()] == ["mine.txt"]
    assert load_run(path / "pairs").info.model.name == "baseline:shortest"


def test_an_unfinished_one_of_another_command_is_not_gone_on_with(
    data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    monkeypatch.setattr(module, "_summary", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate_field("baseline:longest", ("pairs", "rewardbench"), output_dir=path, datasets=data)
    monkeypatch.undo()
    with pytest.raises(RunError, match="holds a field of another command"):
        evaluate_field("baseline:shortest", ("pairs", "rewardbench"), output_dir=path, datasets=data)
    before = (path / "pairs" / "run.json").read_bytes()
    said: list[str] = []
    evaluate_field("baseline:longest", ("pairs", "rewardbench"), output_dir=path, datasets=data, note=said.append)
    assert said == ["pairs: done before", "rewardbench: done before"]
    assert (path / "pairs" / "run.json").read_bytes() == before


@pytest.mark.parametrize("changed", ["template", "rows"])
def test_what_was_finished_with_other_files_is_scored_again(
    tiny_model: Path, data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """A file of the same name may hold another template, or other rows, when the command is given again."""
    template = tmp_path / "template.jinja"
    template.write_text("{% for message in messages %}{{ message['content'] }}<|im_end|>{% endfor %}")
    options, said = replace(EXACT, chat_template=str(template)), list[str]()

    def start() -> None:
        evaluate_field(
            str(tiny_model), tuple(data), output_dir=tmp_path / "f", datasets=data, model_options=options,
            note=said.append,
        )  # fmt: skip

    with monkeypatch.context() as patched:
        patched.setattr(module, "_summary", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            start()
    if changed == "template":
        template.write_text("{% for message in messages %}{{ message['content'] }}\n<|im_end|>{% endfor %}")
    else:
        rows = Path(data["pairs"]).read_text().splitlines(keepends=True)
        Path(data["pairs"]).write_text("".join(rows[1:]))
    said.clear()
    start()
    other = "done" if changed == "template" else "done before"
    assert said == ["pairs: done", f"rewardbench: {other}"]


def _interrupted(*_: object) -> dict[str, object]:
    raise KeyboardInterrupt


KILLED = """
import sys
from rmeval import ModelOptions
from rmeval.eval.field import evaluate_field
model, folder, pairs, rows, cache = sys.argv[1:]
options = ModelOptions(dtype="bfloat16", device="cpu", batch_size=2, cache=cache == "cache")
data = {"pairs": pairs, "rewardbench": rows}
evaluate_field(model, tuple(data), output_dir=folder, datasets=data, model_options=options)
"""


@pytest.mark.parametrize("cache", ["cache", "none"])
def test_killed_and_started_again_it_ends_with_the_same_bytes(
    tiny_model: Path, data: dict[str, str], tmp_path: Path, cache: str
) -> None:
    def start(name: str) -> subprocess.Popen[bytes]:
        arguments = [str(tiny_model), str(tmp_path / name), data["pairs"], data["rewardbench"], cache]
        return subprocess.Popen(
            [sys.executable, "-c", KILLED, *arguments], env={**os.environ, "RMEVAL_CACHE": str(tmp_path / f"j-{name}")},
            stderr=subprocess.PIPE,
        )  # fmt: skip

    whole = start("whole")
    assert whole.wait() == 0, whole.stderr and whole.stderr.read()
    kills = 0
    while not (tmp_path / "killed" / "field.json").exists():
        child = start("killed")
        # The first starts are killed as soon as they hold the folder, and a suite later.
        wanted = (".field", "pairs/run.json")[kills] if kills < 2 else "field.json"
        while child.poll() is None and not (tmp_path / "killed" / wanted).exists():
            time.sleep(0.005)
        if kills < 2:
            child.send_signal(signal.SIGKILL)
        child.wait()
        kills += 1
        assert kills < 6
    assert kills >= 2
    for name in ("pairs/scores.parquet", "pairs/examples.parquet", "rewardbench/scores.parquet"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_mean_takes_all_of_the_field_whole(data: dict[str, str], tmp_path: Path) -> None:
    info = evaluate("baseline:longest", "pairs", dataset=data["pairs"]).info
    numbers = (0.5, 0.25, 0.75, 0.5, 0.125, 1.0, 0.375)
    infos = [
        replace(info, partial=False, results=replace(info.results, overall=Estimate(number, 0.0, 1.0)))
        for number in numbers
    ]
    entries = [SuiteRun(name, tmp_path, each) for name, each in zip(FIELD, infos, strict=True)]
    assert Field("m", tuple(entries), tmp_path).mean == 3.5 / 7
    assert Field("m", (*entries, SuiteRun("pairs", tmp_path, info)), tmp_path).mean == 3.5 / 7
    assert Field("m", tuple(entries[:6]), tmp_path).mean is None
    partial = SuiteRun(FIELD[6], tmp_path, replace(infos[6], partial=True))
    assert Field("m", (*entries[:6], partial), tmp_path).mean is None
    assert Field("m", (*entries[:6], SuiteRun(FIELD[6], None, None, "no data")), tmp_path).mean is None


def test_a_quick_look_at_every_subset_of_every_suite(data: dict[str, str], tmp_path: Path) -> None:
    found = evaluate_field(
        "baseline:longest",
        ("pairs", "mini"),
        output_dir=tmp_path / "f",
        datasets={"pairs": data["pairs"]},
        limit_per_subset=3,
        seed=5,
    )
    runs = [load_run(folder) for folder in found.runs]
    assert [run.info.data.rows for run in runs] == [3, 24]
    for run in runs:
        assert run.info.partial_reasons == ("a quick look: only 3 examples of each subset asked for",)
        alone = evaluate(
            "baseline:longest", run.info.suite, dataset=data.get(run.info.suite), limit_per_subset=3, seed=5
        )
        assert alone.info.data.fingerprint == run.info.data.fingerprint
    assert json.loads((tmp_path / "f" / "field.json").read_text())["asked"]["limit_per_subset"] == 3
    with pytest.raises(UsageError, match="exclude each other"):
        evaluate_field("baseline:longest", ("mini",), output_dir=tmp_path / "g", limit=3, limit_per_subset=3)
    assert not (tmp_path / "g").exists()

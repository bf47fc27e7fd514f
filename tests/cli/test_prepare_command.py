from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rmeval.cli import _run
from tests.support.preparing import contents, hh_row, hh_rows, rows_of, write_rows

MIXTURE = """
held_out: 10
sources:
  - {name: hh-rlhf, label: soup, path: soup.jsonl}
  - {name: hh-rlhf, label: bread, path: bread.jsonl}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a mixture and its rows."""
    for topic in ("soup", "bread"):
        write_rows(tmp_path / f"{topic}.jsonl", [*hh_rows(40, topic), hh_row("Same?", "Yes.", "Yes.")])
    (tmp_path / "mixture.yaml").write_text(MIXTURE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_ledger_is_printed_and_the_page_is_written(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(["prepare", "mixture.yaml", "--output-dir", "out"]) == 0
    out, err = capfd.readouterr()
    lines = [line.split() for line in out.splitlines()]
    assert ["soup", "41", "41", "41", "40", "30", "10", "115,547", "-115,507"] in lines
    assert ["all", "82", "82", "82", "80", "60", "20", "231,094", "-231,014"] in lines
    assert any(line[:4] == ["bread", "pairs", "equal-texts", "1"] for line in lines)
    assert "contamination with mini: 256 examples" in out
    assert err == "data set written to out; look at statistics.html in it\n"
    assert b"soup" in (here / "out" / "statistics.html").read_bytes()
    assert not list((here / "out").rglob(".*"))


def test_json_is_all_that_stdout_has(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["prepare", "mixture.yaml", "--output-dir", "out", "--seed", "7", "--workers", "1", "--json"]
    assert _run(arguments) == 0
    out, err = capfd.readouterr()
    found = json.loads(out)
    assert (found["path"], found["mixture"], found["seed"]) == ("out", "mixture", 7)
    assert found["totals"]["pairs"] == 80
    assert found["contaminated"] == 0
    assert {each["benchmark"] for each in found["overlap"]} == {"mini"}
    assert err.count("\n") == 1


def test_the_same_bytes_whatever_the_hash_seed_and_the_workers(here: Path) -> None:
    builds = []
    for number, seed in enumerate(("0", "1")):
        command = [sys.executable, "-m", "rmeval", "prepare", "mixture.yaml", "--output-dir", f"out{number}"]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command += ["--workers", str(1 + number)]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
        builds.append(contents(here / f"out{number}"))
    assert builds[0] == builds[1]
    assert "statistics.html" in builds[0]


def test_a_packaged_mixture_reads_what_source_says(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The six sources, each of one row in its real schema, and their own rules."""
    names = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
    ratings = [{"Rating": str(score)} for score in (5, 4)]
    aspects = ("instruction_following", "honesty", "truthfulness", "helpfulness")
    conversation = [{"role": "user", "content": "jam?"}, {"role": "assistant", "content": "Boil it."}]
    rows: dict[str, list[Any]] = {
        "hh-rlhf": hh_rows(3),
        "shp": [
            {
                "post_id": "a",
                "history": "Which pan?",
                "c_root_id_A": "1",
                "c_root_id_B": "2",
                "score_A": 9,
                "score_B": 3,
            }
            | {"human_ref_A": "Iron.", "human_ref_B": "Tin.", "labels": 1}
        ],
        "ultrafeedback": [
            {
                "instruction": "Which oven?",
                "completions": [
                    {"response": f"answer {n}", "annotations": dict.fromkeys(aspects, rating)}
                    for n, rating in enumerate(ratings)
                ],
            }
        ],
        "helpsteer": [
            {"prompt": "Which knife?", "response": f"knife {n}", **dict.fromkeys(names, n)} for n in range(3)
        ],
        "capybara": [
            {
                "chosen": conversation,
                "rejected": [conversation[0], {"role": "assistant", "content": "No."}],
                "rating_chosen": 5,
                "rating_rejected": 2,
            }
        ],
        "orca": [
            {"system": "", "input": "Which bowl?", "chosen": "Glass.", "rejected": "None.", "rating": [9, 3]}
            | {"status": "unchanged", "generations": ["Glass.", "None."]}
        ],
    }
    arguments = ["prepare", "rm-mistral-7b", "--output-dir", "out", "--json"]
    for name, found in rows.items():
        arguments += ["--source", f"{name}={write_rows(here / 'six' / f'{name}.jsonl', found)}"]
    # 500 pairs a source are more than there are: all would be held out, and nothing left to train on.
    assert _run(arguments) == 2
    assert "no training pair is left" in capfd.readouterr().err
    text = (Path(__file__).parents[2] / "src/rmeval/data_prep/mixtures/rm-mistral-7b.yaml").read_text()
    (here / "small.yaml").write_text(text.replace("held_out: 500", "held_out: 0"))
    assert _run(["prepare", "small.yaml", *arguments[2:]]) == 0
    pairs = {source["name"]: source["pairs"] for source in json.loads(capfd.readouterr().out)["sources"]}
    assert pairs == {"hh-rlhf": 3, "shp": 1, "ultrafeedback": 1, "helpsteer": 3, "capybara": 1, "orca": 1}


def test_against_other_benchmarks(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(["prepare", "mixture.yaml", "--output-dir", "plain"]) == 0
    messages: Any = rows_of(here / "plain", "train")[0]["chosen"]
    prompt = messages[0]["content"]
    row = {"prompt": prompt.upper(), "chosen": "x", "rejected": "y", "subset": "kitchen"}
    write_rows(here / "bench.jsonl", [row])
    capfd.readouterr()
    arguments = ["prepare", "mixture.yaml", "--against", "mini", "--against", "bench.jsonl", "--drop-overlap", "--json"]
    assert _run([*arguments, "--output-dir", "out"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["contaminated"] == 1
    assert {each["benchmark"]: each["exact"] for each in found["overlap"]} == {"mini": 0, "bench.jsonl": 1}
    assert found["sources"][0]["dropped_pairs"] == {"benchmark-overlap": 1, "equal-texts": 1}
    assert len(rows_of(here / "out", "train")) == 59
    assert f'"{prompt}"' not in json.dumps(rows_of(here / "out", "train"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rm-mistral-7"], ["unknown mixture 'rm-mistral-7'; did you mean 'rm-mistral-7b'?"]),
        (["absent.yaml"], ["cannot read the mixture absent.yaml"]),
        (["mixture.yaml", "--source", "sop=x.jsonl"], ["no source 'sop'; did you mean 'soup'?"]),
        (["mixture.yaml", "--source", "soup"], ["--source takes NAME=PATH", "'soup'"]),
        (["mixture.yaml", "--source", "soup=a", "--source", "soup=b"], ["--source names soup twice"]),
        (
            ["mixture.yaml", "--source", "bread=x.jsonl"],
            ["source bread: no such file", "kept for the next start: soup"],
        ),
        (["mixture.yaml", "--source", "soup=no/such"], ["source soup: data set 'no/such'", "give a local path"]),
        (
            ["mixture.yaml", "--source", "soup=other.jsonl"],
            ["source soup: other.jsonl", "lacks 'rejected'", "'chosen'"],
        ),
        (["mixture.yaml", "--against", "mni"], ["--against", "did you mean 'mini'?"]),
        (["mixture.yaml", "--against", "absent.jsonl"], ["no such file or folder: absent.jsonl"]),
        (["mixture.yaml", "--workers", "0"], ["workers must be at least 1"]),
        (["mixture.yaml", "--output-dir", "soup.jsonl"], ["cannot write to the output folder soup.jsonl"]),
        (["mixture.yaml", "--outputdir", "x"], ["--outputdir", "--output-dir"]),
        (["unknown-key.yaml"], ["unknown-key.yaml: source 1: unknown key 'max_pair'; did you mean 'max_pairs'?"]),
        (["unknown-source.yaml"], ["unknown-source.yaml: source 1: unknown source 'shpp'; did you mean 'shp'?"]),
        ([], ["Missing argument", "MIXTURE"]),
    ],
)
def test_mistakes(arguments: list[str], words: list[str], here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_rows(here / "other.jsonl", [{"chosen": "x"}])
    (here / "unknown-key.yaml").write_text("held_out: 1\nsources: [{name: shp, max_pair: 3}]")
    (here / "unknown-source.yaml").write_text("held_out: 1\nsources: [{name: shpp}]")
    given = ["prepare", *([] if "--output-dir" in arguments else ["--output-dir", "out"]), *arguments]
    assert _run(given) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("rmeval: error: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert not (here / "out" / "ledger.json").exists()


def test_a_finished_build_is_not_written_over(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["prepare", "mixture.yaml", "--output-dir", "out"]
    assert _run(arguments) == 0
    before = contents(here / "out")
    assert _run(arguments) == 2
    assert (
        "out holds a finished build of a mixture; choose another --output-dir or pass --overwrite"
        in capfd.readouterr().err
    )
    assert _run([*arguments, "--overwrite"]) == 0
    assert contents(here / "out") == before


def test_ctrl_c_says_how_to_go_on_and_it_does(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """To the whole group of processes, as a terminal sends it, while workers are at work."""
    write_rows(here / "bread.jsonl", hh_rows(30_000, "bread"))
    arguments = ["prepare", "mixture.yaml", "--output-dir", "out", "--workers", "2"]
    command = [sys.executable, "-m", "rmeval", *arguments]
    child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if list((here / "out").glob(".work/sources/bread/made_0000*")) or child.poll() is not None:
            break
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "")
    assert err == f"interrupted: go on with rmeval {' '.join(arguments)}\n"
    write_rows(here / "bread.jsonl", hh_rows(40, "bread"))
    assert _run(arguments) == 0
    assert "built before and kept: soup" in capfd.readouterr().err


def test_a_source_that_is_held_out_whole_is_a_warning(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_rows(here / "soup.jsonl", hh_rows(5, "soup"))
    assert _run(["prepare", "mixture.yaml", "--output-dir", "out", "--json"]) == 0
    out, err = capfd.readouterr()
    warning = "all 5 pairs of soup are held out, none trains"
    assert err.splitlines()[0] == f"warning: {warning}"
    assert json.loads(out)["warnings"] == [warning]
    assert f"Take care: {warning}." in (here / "out" / "README.md").read_text()

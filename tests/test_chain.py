"""The whole way, by the commands of the README: prepare, train, rewardbench, report, check, leaderboard."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from rmeval.cli import _run
from tests.conftest import REPOSITORY
from tests.support.training import made_up_pairs, save_mistral, write_jsonl, write_recipe

MIXTURE = """
held_out: 0.3
sources:
  - {name: pairs, label: desk, path: desk.jsonl}
  - {name: helpsteer, label: rated, path: rated.jsonl}
"""


def commands() -> list[list[str]]:
    """The block of the README that begins with prepare, without its remarks."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    [block] = [each for each in re.findall(r"```\n(.*?)```", text, re.DOTALL) if each.startswith("rmeval prepare")]
    return [shlex.split(line, comments=True) for line in block.splitlines()]


def write_inputs(folder: Path) -> None:
    """A base model, rows of two sources, a mixture and a recipe: what the README takes as given."""
    save_mistral(folder / "base")
    write_jsonl(folder / "desk.jsonl", [*made_up_pairs(60), {"prompt": "p", "chosen": "same", "rejected": "same"}])
    answers = [
        {"prompt": row["prompt"], "response": row[side], "helpfulness": score, "correctness": score}
        for row in made_up_pairs(20, seed=1)
        for side, score in (("chosen", 4), ("rejected", 1))
    ]
    write_jsonl(folder / "rated.jsonl", answers[::2] + answers[1::2])  # A prompt's rows are not neighbours.
    (folder / "mixture.yaml").write_text(MIXTURE)
    write_recipe(folder / "recipe.yaml", Path("base"), Path("data"), max_steps=2, save_steps=2, eval_steps=2)


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_whole_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = commands()
    verbs = ["prepare", "train", "rewardbench", "rewardbench", "report", "check", "leaderboard"]
    assert [command[:2] for command in found] == [["rmeval", verb] for verb in verbs]
    codes = {}
    for command in found:
        codes[command[1]] = _run(command[1:])
        print(f"{shlex.join(command)}: {codes[command[1]]}")
    out, err = capfd.readouterr()
    assert "rmeval: error" not in err
    check = codes.pop("check")
    assert set(codes.values()) == {0}
    assert check in (0, 1)

    ledger = load(tmp_path / "data" / "ledger.json")["totals"]
    assert (ledger["rows"], ledger["pairs"]) == (61 + 40, 60 + 20)
    record = load(tmp_path / "model" / "training.json")
    assert record["data"]["train"] == ledger["train"]
    assert record["data"]["selection"] + record["data"]["report"] == ledger["test"]
    assert [each["name"] for each in record["licences"]] == ["desk", "rated"]

    before, after = (load(tmp_path / "runs" / name / "run.json") for name in ("before", "after"))
    assert (before["model"]["name"], after["model"]["name"]) == ("quickstart", "./model")
    assert before["data"]["fingerprint"] == after["data"]["fingerprint"]
    accuracies = [run["results"]["overall"]["accuracy"] for run in (before, after)]
    # Two steps of training are no match for the model that ships.
    assert accuracies[1] < accuracies[0] - 0.05
    assert ("FAIL:" in out, "regression: overall dropped" in out) == (check == 1, check == 1)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "quickstart" in page
    assert "./model" in page
    board = load(tmp_path / "site" / "leaderboard.json")
    rows = {row["model"]: row["overall"]["accuracy"] for table in board["tables"] for row in table["rows"]}
    assert rows == pytest.approx(dict(zip(("quickstart", "./model"), accuracies, strict=True)))

"""The GitHub Action and the workflow to copy: they are valid, and no input can run as a command."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from rmeval.cli import check
from tests.conftest import REPOSITORY

INPUTS = {"candidate", "baseline", "fail-on", "alpha", "mode", "margin", "thresholds", "common-only", "report", "junit"}


def load(name: str) -> dict[str, Any]:
    found = yaml.safe_load((REPOSITORY / name).read_text())
    assert isinstance(found, dict)
    return found


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load("action.yml")["runs"]["steps"]
    return found


def test_the_action_is_composite_and_documented() -> None:
    action = load("action.yml")
    assert action["runs"]["using"] == "composite"
    assert set(action["inputs"]) == INPUTS | {"markdown", "install"}
    assert all(each["description"] for each in action["inputs"].values())
    options = {name.replace("_", "-") for name in inspect.signature(check.command).parameters}
    assert set(action["inputs"]) - {"install"} == options - {"seed", "as-json"}


def test_no_expression_stands_in_a_script() -> None:
    for step in steps():
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
    environment = steps()[-1]["env"]
    for name in INPUTS | {"markdown"}:
        assert environment[f"INPUT_{name.upper().replace('-', '_')}"] == f"${{{{ inputs.{name} }}}}"


def run_script(folder: Path, **inputs: str) -> list[str]:
    """Run the step with a ``python`` that prints its arguments; return what rmeval would get."""
    fake = folder / "bin" / "python"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text('#!/bin/bash\nprintf "%s\\0" "$@"\n')
    fake.chmod(0o755)
    named = {key: inputs.get(key.removeprefix("INPUT_").lower(), "") for key in steps()[-1]["env"]}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps()[-1]["run"]],
        env={"PATH": f"{fake.parent}:{os.environ['PATH']}", **named},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    module, *arguments = done.stdout.rstrip("\0").split("\0")[1:]
    assert module == "rmeval"
    return arguments


def test_inputs_become_options(tmp_path: Path) -> None:
    rules = "overall:1%\n\n section:Chat Hard:0\n"
    found = run_script(tmp_path, candidate="a b", baseline="c", fail_on=rules, common_only="true")
    assert found == [
        "check",
        "--candidate=a b",
        "--baseline=c",
        "--fail-on=overall:1%",
        "--fail-on= section:Chat Hard:0",
        "--common-only",
    ]
    assert run_script(tmp_path, candidate="a", common_only="false") == ["check", "--candidate=a"]


def test_inputs_do_not_run(tmp_path: Path) -> None:
    evil = "$(touch pwned); `touch pwned` && touch pwned | '\" --json"
    found = run_script(tmp_path, candidate=evil, fail_on=f"overall:{evil}", report=evil)
    assert found == ["check", f"--candidate={evil}", f"--report={evil}", f"--fail-on=overall:{evil}"]
    assert not (tmp_path / "pwned").exists()


def test_the_workflow_to_copy_is_valid_and_knows_the_actions_inputs() -> None:
    workflow = load("docs/rmeval-check.yml")
    events = dict(workflow.items())[True]  # type: ignore[index]  # YAML 1.1 reads "on" as true.
    assert events == {"pull_request": None}  # Not pull_request_target, which holds secrets.
    (step,) = [step for step in workflow["jobs"]["check"]["steps"] if "rmeval@" in step.get("uses", "")]
    assert set(step["with"]) <= set(load("action.yml")["inputs"])
    assert not re.search(r"run:.*\$\{\{", (REPOSITORY / "docs" / "rmeval-check.yml").read_text())

"""The GitHub Action and the workflow to copy: they are valid, and no input can run as a command."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmeval.cli import check
from tests.conftest import REPOSITORY
from tests.support.comparing import run_of, write_rows

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
    assert set(action["inputs"]) - {"install"} == options - {"seed", "as-json", "verbose"}


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


# --- the steps, as they stand, from a wheel -----------------------------------------------------------------------

STEP = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``bin/python``, into which the first step has installed a wheel of rmeval; no other rmeval there.

    Its dependencies are those of the tests: there is no network.
    """
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("action")
    python = folder / "bin" / "python"
    python.parent.mkdir()
    fake = f"""#!/bin/bash
case " $* " in *" pip install numpy "*) printf "%s\\n" "$PIP_CONSTRAINT" "$@" >{folder}/dependencies; exit 0;; esac
# Without a network the wheel is built by what is installed; pip takes no constraints for that.
unset PIP_BUILD_CONSTRAINT
exec {sys.executable} "$@"
"""
    python.write_text(fake)
    python.chmod(0o755)
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_TARGET": str(folder / "site")}
    path = f"{python.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GITHUB_ACTION_PATH": str(REPOSITORY), **offline}
    done = subprocess.run([*STEP, steps()[0]["run"]], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_dependencies_are_pinned(installed: Path) -> None:
    constraints, *arguments = (installed / "dependencies").read_text().splitlines()
    pinned = {line.partition("==")[0].lower() for line in Path(constraints).read_text().splitlines() if "==" in line}
    asked = arguments[arguments.index("install") + 1 :]
    assert set(asked) <= pinned
    assert "hatchling" in pinned  # What the wheel is built with.


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    data = write_rows(folder / "rows.jsonl", ["a"] * 60)
    decided = {"before": "+" * 60, "same": "+" * 60, "worse": "-" * 20 + "+" * 40, "hardly": "-" + "+" * 59}
    for name, decisions in decided.items():
        run_of(data, decisions, output=folder / name)
    shutil.copytree(folder / "same", folder / "damaged")
    (folder / "damaged" / "run.json").write_text("{")
    return folder


@pytest.mark.parametrize(
    ("candidate", "code", "outputs"),
    [
        ("same", 0, {"result": "pass", "failed": "0", "exit-code": "0"}),
        ("worse", 1, {"result": "regression", "failed": "1", "exit-code": "1"}),
        ("hardly", 0, {"result": "cannot tell", "failed": "0", "exit-code": "0"}),
        ("damaged", 2, {"result": "error", "exit-code": "2"}),
        ("crash", 70, {"result": "error", "exit-code": "70"}),
        ("absent rmeval", 70, {"result": "error", "exit-code": "70"}),
    ],
)
def test_the_step_as_it_stands(
    candidate: str, code: int, outputs: dict[str, str], installed: Path, runs: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    named = dict.fromkeys(steps()[-1]["env"], "")
    named |= {"INPUT_CANDIDATE": "same" if " " in candidate else candidate, "INPUT_BASELINE": "before"}
    site = [str(installed / "site")]
    if candidate == "crash":  # A fault of our own, in what the verb loads first.
        named["INPUT_CANDIDATE"] = "same"
        (tmp_path / "sitecustomize.py").write_text(
            "import rmeval.records\ndef fail(path):\n    raise ZeroDivisionError\nrmeval.records.load_run = fail\n"
        )
        site.append(str(tmp_path))
    if " " in candidate:
        (tmp_path / "rmeval").mkdir()
        (tmp_path / "rmeval" / "__init__.py").write_text("raise ImportError\n")
        site.insert(0, str(tmp_path))
    environment = {**os.environ, **named, "PYTHONPATH": ":".join(site), "GITHUB_ACTIONS": "true"}
    environment |= {"PATH": f"{installed / 'bin'}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(output)}
    environment.pop("GITHUB_STEP_SUMMARY", None)
    done = subprocess.run(
        [*STEP, steps()[-1]["run"]], env=environment, cwd=runs, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert dict(line.split("=", 1) for line in output.read_text().splitlines()) == outputs
    assert ("ZeroDivisionError" in done.stderr) == (candidate == "crash")

"""The Dockerfile: what goes into the image, as whom it runs, and that its steps can be run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import REPOSITORY

Step = tuple[str, str]


def steps(text: str) -> list[Step]:
    """The instructions of a Dockerfile: name and what it is told, lines that go on joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [line.strip().partition(" ") for line in whole.splitlines() if line.strip()]
    return [(name.upper(), told.strip()) for name, _, told in found]


STEPS = steps((REPOSITORY / "Dockerfile").read_text())
LAST = STEPS[max(place for place, (name, _) in enumerate(STEPS) if name == "FROM") :]
"""The stage that becomes the image."""


def of(name: str, among: list[Step] = STEPS) -> list[str]:
    return [told for each, told in among if each == name]


def ignored(path: str) -> bool:
    """Whether ``.dockerignore`` leaves a path out: the last pattern that fits it, or a folder above it, decides."""
    left_out = False
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        kept, pattern = pattern.startswith("!"), pattern.removeprefix("!")
        above = [path, *(str(each) for each in Path(path).parents if str(each) != ".")]
        if any(fnmatchcase(each, pattern) or fnmatchcase(f"/{each}", pattern.replace("**", "*")) for each in above):
            left_out = not kept
    return left_out


def test_every_instruction_is_one_that_docker_has() -> None:
    known = {"FROM", "ARG", "RUN", "COPY", "ENV", "VOLUME", "WORKDIR", "USER", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in STEPS} == known
    assert steps("# a\nRUN b \\\n    c\n  # d\ncmd []") == [("RUN", "b c"), ("CMD", "[]")]


def test_it_runs_rmeval_as_somebody_who_is_not_root() -> None:
    (user,) = of("USER", LAST)
    names = [name for name, _ in LAST]
    assert f"--uid 1000 {user}" in " ".join(of("RUN", LAST))
    assert user != "root"
    assert "RUN" not in names[names.index("USER") :]  # What is installed is root's, and stays as it is.
    assert json.loads(of("ENTRYPOINT", LAST)[0]) == ["rmeval"]
    assert json.loads(of("CMD", LAST)[0]) == ["--help"]


def test_caches_are_volumes_that_the_user_may_write_to() -> None:
    variables = dict(each.split("=") for each in of("ENV", LAST)[0].split())
    volumes = json.loads(of("VOLUME", LAST)[0])
    assert volumes == [variables["HF_HOME"], variables["RMEVAL_CACHE"]]
    made = next(told for told in of("RUN", LAST) if "mkdir" in told)
    assert set(volumes) <= set(made.split())


def test_one_argument_chooses_cpu_or_cuda_and_the_hosts_are_the_public_ones() -> None:
    assert of("ARG") == ["TORCH=cpu"]
    hosts = re.findall(r"https?://[^\s\"']+", " ".join(told for _, told in STEPS))
    assert hosts == ["https://download.pytorch.org/whl/$TORCH"]
    for told in of("RUN"):
        if "pip install" in told:
            assert "--constraint /opt/rmeval/constraints.txt" in told
    assert not re.search(r"token|secret|password", " ".join(told for _, told in STEPS), re.IGNORECASE)


def test_its_commands_are_ones_that_a_shell_can_read() -> None:
    for told in of("RUN"):
        subprocess.run(["sh", "-n", "-c", told], check=True)


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("src/rmeval/cli/__init__.py", False),
        ("constraints.txt", False),
        ("src/rmeval/cli/__pycache__/train.cpython-311.pyc", True),
        (".git/config", True),
        (".env", True),
        ("runs/mine/run.json", True),
        ("tests/conftest.py", True),
    ],
)
def test_the_image_is_made_of_the_package_alone(path: str, left_out: bool) -> None:
    assert ignored(path) is left_out


def test_the_wheel_is_made_of_what_is_copied(tmp_path: Path) -> None:
    """The first stage, by hand: its files in a folder, its command there, and the wheel has all of the package."""
    pytest.importorskip("hatchling")
    build = tmp_path / "build"
    build.mkdir()
    first = STEPS[: STEPS.index(("FROM", "python:3.11-slim"))]
    for told in of("COPY", first):
        *sources, target = told.split()
        for source in sources:
            assert not ignored(source), f"{source} is not in the context"
            if (REPOSITORY / source).is_dir():
                shutil.copytree(REPOSITORY / source, build / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(REPOSITORY / source, build / target)
    (command,) = of("RUN", first)
    # Without a network, by the hatchling that is installed, which takes no constraints.
    command = re.sub(r"\w+=/build/constraints.txt ", "", command).replace("/wheels", str(tmp_path / "wheels"))
    command = command.replace("python", f"{sys.executable}", 1) + " --no-build-isolation --quiet"
    subprocess.run(["sh", "-c", command.replace(" . ", f" {build} ")], cwd=build, check=True, env=os.environ)
    (wheel,) = (tmp_path / "wheels").glob("rmeval-*.whl")
    package = REPOSITORY / "src" / "rmeval"
    there = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    held = {name.removeprefix("rmeval/") for name in ZipFile(wheel).namelist() if name.startswith("rmeval/")}
    assert {name for name in there if "__pycache__" not in name} == held

"""What docs/architecture.md and CONTRIBUTING.md say of the tree is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rmeval
from tests.conftest import REPOSITORY
from tests.test_imports import BELOW, LAYERS

SOURCE = Path(rmeval.__file__).parent
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text()
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text()


def blocks(text: str) -> list[str]:
    return re.findall(r"```\n(.*?)```", text, re.DOTALL)


def named() -> list[str]:
    """The rooms and files in the page's tree, as paths below src/rmeval, in its order."""
    found: list[str] = []
    above: list[str] = []
    for line in blocks(PAGE)[0].splitlines():
        if line:
            depth = (len(line) - len(line.lstrip())) // 2
            above[depth:] = [line.split()[0].removesuffix("/")]
            found.append("/".join(above))
    return found


def test_every_room_that_is_named_exists_and_every_room_that_exists_is_named() -> None:
    rooms = {path.parent.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("__init__.py")} - {"."}
    rooms |= {path.name for path in SOURCE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert sorted(set(named())) == sorted(named())
    assert {name for name in named() if not (SOURCE / name).exists()} == set()
    assert rooms - set(named()) == set()


@pytest.mark.parametrize("part", LAYERS)
def test_what_stands_in_a_part_stands_in_the_order_of_its_layers(part: str) -> None:
    order = [
        name.split("/")[1].removesuffix(".py") for name in named() if name.count("/") == 1 and name.startswith(part)
    ]
    assert order == [name for name in reversed(LAYERS[part]) if name in order]


def test_the_parts_stand_in_the_order_of_their_arrows() -> None:
    tops = [name.removesuffix(".py") for name in named() if "/" not in name]
    assert set(tops) == set(BELOW)
    for place, name in enumerate(tops):
        assert BELOW[name] <= set(tops[place + 1 :]), name


@pytest.mark.parametrize("text", [PAGE, CONTRIBUTING], ids=["page", "contributing"])
def test_the_line_of_arrows(text: str) -> None:
    (line,) = [line for line in "\n".join(blocks(text)).splitlines() if line.startswith("cli →")]
    levels = [level.split(", ") for level in line.split(" → ")]
    assert {name for level in levels for name in level} == set(BELOW) - {"pytest_plugin"}
    for place, level in enumerate(levels):
        below = {name for lower in levels[place + 1 :] for name in lower}
        for name in level:
            assert BELOW[name] - (set(level) if place == len(levels) - 1 else set()) <= below, name


@pytest.mark.parametrize("text", [PAGE, CONTRIBUTING], ids=["page", "contributing"])
def test_every_file_that_is_named_exists(text: str) -> None:
    names = {name for name in re.findall(r"`([\w./-]+(?:\.py|/))`", text) if not name.startswith(("./", "docs/"))}
    assert len(names) > 5
    assert {name for name in names if not (SOURCE / name).exists() and not (REPOSITORY / name).exists()} == set()

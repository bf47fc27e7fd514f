"""A pytest session inside this process, so that pytest-benchmark's own fixture times the cells."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from rmeval.bench.cells import Cells

_TIMED = Path(__file__).with_name("timed.py")
_ARGUMENTS = (
    *(f"-pno:{name}" for name in ("terminal", "cacheprovider", "faulthandler", "logging", "junitxml", "doctest")),
    "-ppytest_benchmark.plugin", "--benchmark-quiet", "--capture=no", "--assert=plain", "--noconftest",
    "--import-mode=importlib", "-opython_functions=score", "-c", os.devnull,
)  # fmt: skip
_SURROUNDINGS = {
    "PYTEST_ADDOPTS": None, "PYTEST_PLUGINS": None, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_XDIST_WORKER": None,
}  # fmt: skip
"""What of the user's pytest must not leak into a bench; in a worker of xdist, pytest-benchmark times nothing."""


def run_session(cells: Cells, arguments: Sequence[str] = ()) -> None:
    """Measure the cells that are left.

    Args:
        cells: The plugin.
        arguments: More of pytest's, such as ``--benchmark-compare``.

    Raises:
        KeyboardInterrupt: on Ctrl-C, with every finished cell written.
    """
    root = Path(__file__).parents[2]  # So that a cell has the same name wherever rmeval is installed.
    with _surroundings():
        code = pytest.main([*_ARGUMENTS, f"--rootdir={root}", *arguments, str(_TIMED)], plugins=[cells])
    if cells.failure is not None:
        raise cells.failure
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise RuntimeError(f"pytest ended with {code!r}")


@contextmanager
def _surroundings() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _SURROUNDINGS}
    try:
        _set(_SURROUNDINGS)
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

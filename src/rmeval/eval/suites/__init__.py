"""The benchmarks. A new one is a file here and a line in ``SUITES``, or a YAML file in ``files``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import RunError, UsageError
from rmeval.eval.suites.base import About, Formula, Option, Part, Section, Suite
from rmeval.eval.suites.benchmarks.judgebench import JUDGEBENCH, JUDGEBENCH_CLAUDE
from rmeval.eval.suites.benchmarks.m_rewardbench import M_REWARDBENCH
from rmeval.eval.suites.benchmarks.ppe import PPE_CORRECTNESS, PPE_PREFERENCE
from rmeval.eval.suites.benchmarks.rewardmath import REWARDMATH
from rmeval.eval.suites.benchmarks.rmb import RMB
from rmeval.eval.suites.mini import MINI
from rmeval.eval.suites.pairs import PAIRS
from rmeval.eval.suites.rewardbench import REWARDBENCH
from rmeval.eval.suites.rewardbench2 import REWARDBENCH2
from rmeval.eval.suites.rm_bench import RM_BENCH
from rmeval.run_info import RunInfo

__all__ = ["SUITES", "About", "Formula", "Option", "Part", "Section", "Suite", "get_suite", "know", "suite_of"]


def _of_files() -> list[Suite]:
    """Return the suites that ship as files; none where pydantic, which checks them, is not installed."""
    if find_spec("pydantic") is None:
        return []
    from rmeval.eval.suites.file import shipped_suites

    return shipped_suites()


_SUITES = (
    REWARDBENCH,
    REWARDBENCH2,
    RM_BENCH,
    JUDGEBENCH,
    JUDGEBENCH_CLAUDE,
    RMB,
    PPE_PREFERENCE,
    PPE_CORRECTNESS,
    M_REWARDBENCH,
    REWARDMATH,
    *_of_files(),
    PAIRS,
    MINI,
)
SUITES: dict[str, Suite] = {suite.name: suite for suite in _SUITES}


def get_suite(name: str) -> Suite:
    """Return the suite of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in SUITES | _given:
        raise UsageError(f"unknown suite {name!r}{did_you_mean(name, SUITES)} (known: {', '.join(SUITES | _given)})")
    return SUITES.get(name) or _given[name]


_given: dict[str, Suite] = {}
"""Suites that a caller made in Python and handed over."""


def know(suites: Iterable[Suite]) -> None:
    """Let the runs of these suites be read in this process: what Python defines, no run can carry.

    Raises:
        UsageError: if another suite has one's name.
    """
    for suite in suites:
        if suite.name in SUITES and SUITES[suite.name] is not suite:
            raise UsageError(f"there is a suite {suite.name!r} already: give yours another name")
        if suite.file is not None:
            from rmeval.eval.suites.file import read_text

            if suite.rule is not read_text(suite.file).rule or suite.formulas:
                raise UsageError(f"the suite {suite.name} says something else than its file: set file=None as well")
        elif suite.name not in SUITES and _given.setdefault(suite.name, suite) is not suite:
            raise UsageError(
                f"another suite called {suite.name!r} was handed over before: give this one another name, so that runs"
                " of the two are told apart"
            )


def suite_of(info: RunInfo) -> Suite:
    """Return the suite of a run: the one in the run's own suite file, else the one of its name.

    Raises:
        RunError: if the suite file in the run is damaged.
        UsageError: if this rmeval knows no suite of that name.
    """
    if info.suite_file is not None:
        from rmeval.eval.suites.file import read_text

        try:
            return read_text(info.suite_file)
        except UsageError as error:
            raise RunError(f"the suite file in the run is damaged: {error}") from None
    if info.suite not in SUITES | _given:
        meant = did_you_mean(info.suite, SUITES | _given)
        known = f"the run is of the suite {info.suite!r}, which this rmeval does not know{meant}"
        raise UsageError(f"{known}; one made in Python has to be handed over, from Python: suites=[...]")
    return get_suite(info.suite)

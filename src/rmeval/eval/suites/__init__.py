"""The benchmarks. A new one is a file here and a line in ``SUITES``."""

from __future__ import annotations

from rmeval.errors import UsageError, did_you_mean
from rmeval.eval.suites.base import Section, Suite
from rmeval.eval.suites.mini import MINI
from rmeval.eval.suites.pairs import PAIRS
from rmeval.eval.suites.rewardbench import REWARDBENCH

__all__ = ["SUITES", "Section", "Suite", "get_suite"]

SUITES: dict[str, Suite] = {suite.name: suite for suite in (REWARDBENCH, PAIRS, MINI)}


def get_suite(name: str) -> Suite:
    """Return the suite of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in SUITES:
        raise UsageError(f"unknown suite {name!r}{did_you_mean(name, SUITES)} (known: {', '.join(SUITES)})")
    return SUITES[name]

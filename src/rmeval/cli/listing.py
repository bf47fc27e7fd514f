"""``rmeval list``: what names there are."""

from __future__ import annotations

from typing import Annotated

import typer

from rmeval.errors import UsageError, did_you_mean


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list")(command)


def command(what: Annotated[str, typer.Argument(help="suites, baselines or findings.")]) -> None:
    """List the suites, the baselines, or what the audit can find."""
    if what not in _LISTS:
        raise UsageError(f"nothing called {what!r} to list{did_you_mean(what, _LISTS)} (known: {', '.join(_LISTS)})")
    from rmeval.reports.console import print_names

    print_names(_LISTS[what]())


def _suites() -> list[tuple[str, str]]:
    from rmeval.eval.suites import SUITES

    return [(suite.name, suite.description) for suite in SUITES.values()]


def _baselines() -> list[tuple[str, str]]:
    from rmeval.eval.scorers.baseline import PREFIX, RULERS

    meaning = {"longest": "the longer answer wins", "shortest": "the shorter answer wins", "random": "a coin decides"}
    return [(PREFIX + name, meaning[name]) for name in RULERS]


def _findings() -> list[tuple[str, str]]:
    from rmeval.data_prep.audit import CODES

    return [(code, f"{severity}: {meaning}") for code, (severity, meaning) in CODES.items()]


_LISTS = {"suites": _suites, "baselines": _baselines, "findings": _findings}

"""``rmeval list``: what names there are."""

from __future__ import annotations

from typing import Annotated

import typer

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list")(command)


def command(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="WHAT",
            help="suites, kinds, heads, models, baselines, findings, sources, mixtures or recipes; these without it.",
            autocompletion=lambda: list(_LISTS),
            show_default=False,
        ),
    ] = None,
) -> None:
    """List what there is of a kind: a name a line, with what it means."""
    from rmeval.reports.run.console import print_names

    if what is None:
        print_names(list(_MEANINGS.items()))
        return
    if what not in _LISTS:
        raise UsageError(f"nothing called {what!r} to list{did_you_mean(what, _LISTS)} (known: {', '.join(_LISTS)})")
    print_names(_LISTS[what]())


def _suites() -> list[tuple[str, str]]:
    from rmeval.eval.suites import SUITES

    return [(suite.name, suite.description) for suite in SUITES.values()]


def _kinds() -> list[tuple[str, str]]:
    from rmeval.eval.scorers import KINDS

    return [
        (kind.name, f"--model {kind.form}: {kind.description}; e.g. rmeval rewardbench {kind.command}")
        for kind in KINDS
    ]


def _heads() -> list[tuple[str, str]]:
    from rmeval.eval.models.heads import FAMILIES

    return [(family.name, family.description) for family in FAMILIES]


def _models() -> list[tuple[str, str]]:
    from rmeval.eval.models.shipped import SHIPPED

    return list(SHIPPED.items())


def _baselines() -> list[tuple[str, str]]:
    from rmeval.eval.numbers.reference_lines import PREFIX, REFERENCE_LINES

    meaning = {
        "longest": "the longer completion has the higher score",
        "shortest": "the shorter completion has the higher score",
        "random": "scores are drawn at random, by --seed",
    }
    return [(PREFIX + name, meaning[name]) for name in REFERENCE_LINES]


def _findings() -> list[tuple[str, str]]:
    from rmeval.data_prep.text.audit import CODES

    return [(code, f"{severity}: {meaning}") for code, (severity, meaning) in CODES.items()]


def _sources() -> list[tuple[str, str]]:
    from rmeval.data_prep.sources import SOURCES

    return [
        (name, f"{source.title}: {source.hub_id or 'pairs of your own'}, {source.licence}")
        for name, source in SOURCES.items()
    ]


def _mixtures() -> list[tuple[str, str]]:
    from rmeval.data_prep.mixture import load_mixture, mixture_names

    return [
        (name, f"pairs of {', '.join(entry.label for entry in load_mixture(name).sources)}") for name in mixture_names()
    ]


def _recipes() -> list[tuple[str, str]]:
    from rmeval.trainer.recipe_files import recipe_names

    return list(recipe_names().items())


_LISTS = {
    "suites": _suites,
    "kinds": _kinds,
    "heads": _heads,
    "models": _models,
    "baselines": _baselines,
    "findings": _findings,
    "sources": _sources,
    "mixtures": _mixtures,
    "recipes": _recipes,
}
_MEANINGS = {  # What each list is of, in the order of _LISTS.
    "suites": "benchmarks, and suites for pairs of your own: rmeval SUITE --model MODEL",
    "kinds": "kinds of reward model, and what --model takes for each",
    "heads": "reward heads that are known beyond those of transformers",
    "models": "models that ship with rmeval",
    "baselines": "reference lines that can be run as models",
    "findings": "what the audit can find in data and models",
    "sources": "preference data sets that rmeval prepare reads",
    "mixtures": "mixtures that ship with rmeval: rmeval prepare MIXTURE",
    "recipes": "recipes that ship with rmeval: rmeval train RECIPE",
}

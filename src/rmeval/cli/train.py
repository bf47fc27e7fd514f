"""``rmeval train``: a reward model, from a recipe to a folder that scores."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmeval.cli.shared.streams import tell
from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError

if TYPE_CHECKING:
    from rmeval.trainer.trained import Trained

_HELP = """Train a reward model by a recipe: a .yaml file, or one that ships with rmeval.

Called again after it was stopped, it goes on. With several GPUs: accelerate launch -m rmeval train …"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train", help=_HELP)(command)


def _launch_config(name: str | None) -> None:
    """Print the path of a configuration for ``accelerate launch`` and exit."""
    if name is None:
        return
    folder = Path(__file__).parents[1] / "trainer" / "launch"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise UsageError(f"no launch configuration {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})")
    print(folder / f"{name}.yaml")
    raise typer.Exit


def _names(context: typer.Context) -> list[str]:
    """Return what a shell completes: names of recipes, or keys after ``--explain``."""
    from rmeval.trainer.recipe_files import recipe_names
    from rmeval.trainer.recipe_keys import keys

    return [key.name for key in keys()] if context.params.get("explain") else list(recipe_names())


def command(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE", help="A .yaml file, or a name: `rmeval list recipes`.", autocompletion=_names),
    ] = None,
    output_dir: Annotated[Path | None, typer.Option(help="The model's folder.")] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe; may be repeated."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what was trained there before.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the whole recipe, as changed, and exit.")] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say what a recipe's keys mean, or the one KEY in RECIPE's place, and exit."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print training.json on stdout.")] = False,
    launch_config: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Print the path of a configuration for `accelerate launch` and exit: fsdp-8x80gb or ddp-8.",
            callback=_launch_config,
            is_eager=True,
        ),
    ] = None,
) -> None:
    """Train, write the model's folder, and say what it reaches."""
    if explain:
        _explain(recipe)
        return
    if recipe is None:
        raise UsageError("which recipe? give a .yaml file, or a name of `rmeval list recipes`")
    from rmeval.trainer.recipe_files import load_recipe

    if show:
        print(load_recipe(recipe, values or ()).to_yaml(), end="")
        return
    if output_dir is None:
        raise UsageError("where to? give the model's folder with --output-dir")
    from rmeval.cli.shared.progress import progress_bar
    from rmeval.trainer.train import train

    first = os.environ.get("RANK", "0") == "0"
    with progress_bar("training") as progress:
        done = train(
            recipe,
            output_dir,
            overrides=values or (),
            overwrite=overwrite,
            command=["rmeval", *sys.argv[1:]],
            progress=progress if first else None,
            note=_note if first else None,
        )
    if done is not None:
        _publish(done, as_json)


def _publish(done: Trained, as_json: bool) -> None:
    """Write the page of a training, and say where the model is."""
    from rmeval.reports.training.page import write_training_page

    write_training_page(done.info, done.path / "curves.html")
    if as_json:
        print(json.dumps(done.record, ensure_ascii=False))
    folder = shlex.quote(str(done.path))
    tell(f"model written to {folder}")
    tell(f"score it: rmeval rewardbench --model {folder}")


def _explain(name: str | None) -> None:
    """Print what one key of a recipe means, with those within it; or a line on each key there is."""
    from rmeval.reports.run.console import print_names
    from rmeval.trainer.recipe_keys import find_keys, keys

    if name is None:
        print_names([(key.name, f"{key.takes}; default {key.default or 'none'}. {key.meaning}") for key in keys()])
        return
    for place, key in enumerate(find_keys(name)):
        if place:
            print()
        print_names(
            [
                ("key", key.name),
                ("takes", key.takes),
                ("default", key.default or "none: it must be given"),
                ("meaning", key.meaning),
                *([("why", key.why)] if key.why else []),
            ]
        )


def _note(line: str) -> None:
    tell(line)

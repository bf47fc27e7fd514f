"""From a recipe to a folder that scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from rmeval.errors import ModelError, RmevalError, UsageError
from rmeval.eval.suites import get_suite
from rmeval.trainer.recipe import Recipe
from rmeval.trainer.recipe_files import load_recipe
from rmeval.trainer.trained import Trained
from rmeval.types import Progress

__all__ = ["Trained", "in_recipes", "require_extra", "train"]

_IN_RECIPES = {
    "--chat-template FILE": "--set chat_template_path=FILE",
    ", or pass --allow-pickle if you trust them": "",
    "; if you trust it, run it with --trust-remote-code": ", and training runs no code of a model's",
}
"""An option of the evaluator -> what it is in a recipe."""


def train(
    recipe: str,
    output_dir: str | Path,
    *,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    command: Sequence[str] = (),
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Trained | None:
    """Train a reward model and write it to a folder.

    Called again with the same arguments after it was stopped, however that was, it goes on from the last checkpoint and
    ends with the weights that it would have had.

    Args:
        recipe: a YAML file, or the name of a recipe that ships with rmeval.
        output_dir: the model's folder.
        overrides: ``key=value`` for values of the recipe, the value in YAML.
        overwrite: replace a finished model, or an unfinished one of something else, that was trained there.
        command: what to record as the command that trained the model.
        progress: called with work done and work in all: prompts compared, pairs encoded, steps, tokens scored.
        note: called with a line now and then that says what was measured.

    Returns:
        The finished training; None in all processes but the first, where several train together.

    Raises:
        RmevalError: with one line that says what is wrong, in the classes of ``rmeval.errors``.
    """
    require_extra()
    loaded = load_recipe(recipe, overrides)
    _check(loaded)

    from rmeval.trainer.session import run  # Imports TRL.

    try:
        return run(loaded, Path(output_dir), overwrite=overwrite, command=command, progress=progress, note=note)
    except RmevalError as error:
        error.args = (in_recipes(str(error)),)
        raise


def in_recipes(message: str) -> str:
    """Return the message of an error that the evaluator may raise too, with advice that a training can follow."""
    for option, value in _IN_RECIPES.items():
        message = message.replace(option, value)
    return message


def _check(recipe: Recipe) -> None:
    """See, before torch is imported, that what a recipe names is there.

    Raises:
        UsageError: if there is no such suite, or it has no rows of its own.
        ModelError: if there is no such file of a chat template.
    """
    if recipe.eval_suite is not None and get_suite(recipe.eval_suite).dataset is None:
        raise UsageError(
            f"eval_suite {recipe.eval_suite!r} has no rows of its own: give a suite that has, such as mini"
        )
    if recipe.chat_template_path is not None and not Path(recipe.chat_template_path).exists():
        raise ModelError(f"cannot read the chat template {recipe.chat_template_path}: no such file")


def require_extra() -> None:
    """See that what training needs is installed.

    Raises:
        UsageError: if it is not.
    """
    missing = [name for name in ("trl", "accelerate", "peft") if find_spec(name) is None]
    if missing:
        raise UsageError(f"training needs {', '.join(missing)}: pip install 'rmeval[train]'")

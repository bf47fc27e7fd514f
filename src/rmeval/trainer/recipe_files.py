"""Reading a recipe: a YAML file, or one that ships with rmeval, with values changed by ``--set``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError
from rmeval.trainer.recipe import Lora, Recipe
from rmeval.yaml_files import explain, parse_yaml

__all__ = ["load_recipe", "recipe_names", "recipe_text"]


def recipe_names() -> dict[str, str]:
    """Return the recipes that ship with rmeval: name -> description."""
    files = sorted(_packaged(), key=lambda name: name)
    return {name: load_recipe(name).description for name in files}


def recipe_text(source: str) -> str:
    """Return the text of a recipe: a YAML file, or one that ships with rmeval, by its name.

    Raises:
        UsageError: if there is none.
    """
    path = Path(source).expanduser()
    packaged = _packaged()
    if source in packaged:
        return packaged[source]
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the recipe {source}: {error}") from None
    if path.suffix in (".yaml", ".yml"):
        raise UsageError(f"no such file: {source}")
    known = ", ".join(packaged)
    raise UsageError(f"no recipe {source!r}{did_you_mean(source, packaged)} (known: {known}; or a .yaml file)")


def load_recipe(source: str, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe and change values of it.

    Args:
        source: a YAML file, or the name of a recipe that ships with rmeval.
        overrides: ``key=value``, the value in YAML; ``lora.r=8`` changes a value within a value.

    Raises:
        UsageError: if there is no such recipe, or a key or a value of it is not what it should be.
    """
    values = parse_yaml(recipe_text(source), f"the recipe {source}")
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise UsageError(f"the recipe {source} is not a list of keys with values")
    for override in overrides:
        _override(values, override)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"the recipe {source}: {explain(error, Recipe, lora=Lora)}") from None


def _packaged() -> dict[str, str]:
    folder = resources.files("rmeval.trainer") / "recipes"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".yaml")), key=lambda item: item.name)
    return {item.name.removesuffix(".yaml"): item.read_text(encoding="utf-8") for item in files}


def _override(values: dict[str, Any], override: str) -> None:
    """Set one value, in place; ``a.b`` is the key ``b`` of the value of ``a``."""
    name, equals, text = override.partition("=")
    *parents, key = [part.strip().replace("-", "_") for part in name.split(".")]
    if not equals or not key or not all(parents):
        raise UsageError(f"{override!r} is not of the form key=value, such as learning_rate=1e-5")
    inner = values
    for parent in parents:
        if not isinstance(inner.get(parent), dict):
            inner[parent] = {}
        inner = inner[parent]
    inner[key] = parse_yaml(text, f"the value of {name}")

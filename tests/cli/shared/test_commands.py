from __future__ import annotations

from dataclasses import fields
from inspect import signature
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from rmeval.cli.shared import options as opt
from rmeval.cli.shared.commands import as_command, with_model_options
from rmeval.eval.model_options import ModelOptions

NAMES = [field.name for field in fields(ModelOptions)]


def names(command: Any) -> list[str]:
    return list(signature(command).parameters)


def test_the_options_follow_the_one_that_is_named_and_an_own_one_takes_its_place() -> None:
    @with_model_options(after="first", without=("refine", "steps"))
    def command(
        context: typer.Context, first: int = 1, last: int = 2, dtype: Annotated[str, typer.Option()] = "own"
    ) -> None:
        """Do it."""

    shared = [name for name in NAMES if name not in ("refine", "steps")]
    assert names(command) == ["context", "first", *shared, "last"]
    assert signature(command).parameters["dtype"].default == "own"
    assert command.__doc__ == "Do it."


def test_every_option_of_a_model_is_declared() -> None:
    @with_model_options()
    def command(context: typer.Context, model: opt.Model) -> None:
        """Do nothing."""

    assert names(command) == ["context", "model", *NAMES]


def test_a_command_is_called_with_its_own_and_its_context_knows_the_rest() -> None:
    called: list[tuple[str, int]] = []

    @with_model_options()
    def command(context: typer.Context, model: opt.Model, last: int = 2) -> None:
        called.append((model, last))
        assert opt.model_options(context) == ModelOptions(revision="v1", max_length=7)

    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, ["--model", "m", "--last", "3", "--revision", "v1", "--max-length", "7"])
    assert (done.exit_code, done.exception) == (0, None)
    assert called == [("m", 3)]


def test_an_option_that_no_command_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="'nowhere' is not in list"):

        @with_model_options(after="nowhere")
        def command(context: typer.Context) -> None:
            """Do nothing."""


def test_a_command_of_parameters_gives_them_by_name() -> None:
    given: dict[str, Any] = {}
    command = as_command(given.update, signature(lambda a, b=2: None).parameters.values())
    command(a=1, b=5)
    assert given == {"a": 1, "b": 5}
    assert names(command) == ["a", "b"]

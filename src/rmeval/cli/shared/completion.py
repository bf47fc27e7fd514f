"""What makes a shell complete commands, options and names: ``rmeval --show-completion SHELL``."""

from __future__ import annotations

import os

import typer

from rmeval.did_you_mean import did_you_mean
from rmeval.errors import UsageError

__all__ = ["SHELLS", "prepare_completion", "print_completion"]

SHELLS = ("bash", "zsh", "fish")

_VARIABLE = "_RMEVAL_COMPLETE"
"""Set by the script that a shell loads, when it asks what may come next."""


def prepare_completion() -> None:
    """Let typer answer where a shell asks; else this costs nothing."""
    if os.environ.get(_VARIABLE):
        from typer._completion_classes import completion_init

        completion_init()


def print_completion(shell: str | None) -> None:
    """Print the script that a shell loads, and exit.

    Raises:
        UsageError: if there is none for this shell.
    """
    if shell is None:
        return
    if shell not in SHELLS:
        hint = did_you_mean(shell, SHELLS)
        raise UsageError(f"no completion for the shell {shell!r}{hint} (known: {', '.join(SHELLS)})")
    from typer._completion_shared import get_completion_script

    print(get_completion_script(prog_name="rmeval", complete_var=_VARIABLE, shell=shell))
    raise typer.Exit

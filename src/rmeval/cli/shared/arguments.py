"""What is wrong with a command line and passes through its parser in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rmeval.errors import UsageError

__all__ = ["check_arguments"]


def check_arguments(group: Any, given: Sequence[str]) -> None:
    """Refuse empty values, and options that are given twice where the parser would take the last.

    An empty value is a variable that was never set: as a path it would mean the current folder.

    Args:
        group: The command line, as typer builds it.
        given: The arguments.

    Raises:
        UsageError: naming the option.
    """
    before = ""
    for argument in given:
        option, equals, value = argument.partition("=")
        if not argument.strip():
            name = before if before.startswith("-") else "an argument"
            raise UsageError(f"{name} is empty: is a variable not set?")
        if option.startswith("--") and equals and not value.strip():
            raise UsageError(f"{option} is empty: is a variable not set?")
        before = argument
    seen: set[str] = set()
    known = _single_options(group, given)
    is_value = False
    for argument in given:
        option = argument.partition("=")[0]
        if is_value or option not in known:
            is_value = False
            continue
        name, is_value = known[option], "=" not in argument
        if name in seen:
            raise UsageError(f"{name} is given twice: give it once")
        seen.add(name)


def _single_options(command: Any, given: Sequence[str]) -> dict[str, str]:
    """Return each way to write an option of the chosen command that takes one value, with its first name."""
    for argument in given:
        if argument not in getattr(command, "commands", {}):
            break
        command = command.commands[argument]
    return {
        option: each.opts[0]
        for each in command.params
        if each.param_type_name == "option" and not each.is_flag and not each.multiple
        for option in each.opts
    }

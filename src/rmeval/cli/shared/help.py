"""``--help`` as plain text: no name is cut, whatever the width of the terminal."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

__all__ = ["Command", "CommandGroup"]

_TYPES = {"str": "TEXT", "int": "NUMBER", "float": "NUMBER", "path": "PATH"}
_TYPE = re.compile(r" <(?:list\[)?([^\]>]+)\]?>")
"""Typer's name of a type: ``<list[str]>``."""


class Command(TyperCommand):
    """A command whose help lists its options in groups, by ``rich_help_panel``."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            if record is not None:
                is_argument = each.param_type_name == "argument"
                name = _TYPE.sub("" if is_argument else _type, record[0])
                group = getattr(each, "rich_help_panel", None) or ("Arguments" if is_argument else "Options")
                groups.setdefault(group, []).append((name, record[1]))
        groups["Options"] = groups.pop("Options")  # Those without a group of their own, such as --help, come last.
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _type(found: re.Match[str]) -> str:
    return " " + _TYPES.get(found[1].lower(), found[1])  # Else the choices there are: auto|on|off.


class CommandGroup(TyperGroup):
    """A group of commands whose help says the whole first sentence of each."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, (each.help or "").partition("\n\n")[0]) for name, each in found if each])

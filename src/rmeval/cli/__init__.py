"""The command line: one file a verb, each parses, calls one public function and prints.

Nothing here imports torch at the top: help and wrong flags answer at once.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import sys
import traceback
from typing import Annotated

import typer

from rmeval.cli import (
    bench,
    cache,
    check,
    export,
    field,
    leaderboard,
    listing,
    prepare,
    report,
    score,
    selftest,
    suites,
    train,
)
from rmeval.cli.exit_codes import ExitCode
from rmeval.cli.shared.arguments import check_arguments
from rmeval.cli.shared.completion import SHELLS, prepare_completion, print_completion
from rmeval.cli.shared.help import Command, CommandGroup
from rmeval.cli.shared.streams import abandon_stdout, no_room, prepare_streams, reader_left, tell
from rmeval.errors import RmevalError

app = typer.Typer(
    name="rmeval",
    cls=CommandGroup,
    help="Evaluate reward models: accuracy with intervals, on data you can name, in runs you can repeat.",
    no_args_is_help=True,
    add_completion=False,  # --show-completion is our own: it takes the shell's name and changes no file.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
suites.register(app)
field.register(app)
score.register(app)
selftest.register(app)
prepare.register(app)
train.register(app)
bench.register(app)
report.register(app)
leaderboard.register(app)
check.register(app)
export.register(app)
cache.register(app)
listing.register(app)
for _each in app.registered_commands:
    _each.cls = Command


def _print_version(asked: bool) -> None:
    if asked:
        from importlib import metadata

        print(metadata.version("rmeval"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Print the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
    completion: Annotated[
        str | None,
        typer.Option(
            "--show-completion",
            metavar="SHELL",
            help="Print what makes bash, zsh or fish complete commands and options, and exit.",
            is_eager=True,
            callback=print_completion,
            autocompletion=lambda: list(SHELLS),
        ),
    ] = None,
) -> None:
    """Take what stands before the verb."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with an ``ExitCode``."""
    prepare_streams()
    code = _run(arguments)
    try:
        if sys.stdout is not None:  # The shell may have closed it.
            sys.stdout.flush()
    except OSError as error:
        abandon_stdout()
        code = code if reader_left(error) else _told(error)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    for name in ("torchao", "torch.utils._pytree"):  # Where torchao is installed, transformers' import of it is loud.
        logging.getLogger(name).setLevel(logging.ERROR)
    given = sys.argv[1:] if arguments is None else arguments
    if any(argument.encode("utf-8", "replace").decode() != argument for argument in given):
        return _fail("an argument is not valid UTF-8")
    try:
        prepare_completion()
        group = typer.main.get_command(app)
        check_arguments(group, given)
        code = group(given, prog_name="rmeval", standalone_mode=False)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except SystemExit as error:
        if not reader_left(error):
            raise
        abandon_stdout()
        return ExitCode.NO_READER
    except Exception as error:
        return _told(error)
    if code == ExitCode.INTERRUPTED:
        tell(f"interrupted: go on with {shlex.join(['rmeval', *given])}")
    return code if isinstance(code, int) else ExitCode.FINE


def _told(error: Exception) -> int:
    """Say what went wrong, and return the exit code."""
    if isinstance(error, RmevalError):
        return _fail(str(error))
    if no_room(error):  # On stdout: of a file it is said where the file is written.
        abandon_stdout()
        return _fail(f"cannot write what is printed: {os.strerror(errno.ENOSPC)}")
    # Typer's parser raises classes of its own, which have moved between its releases; all can format themselves.
    if not hasattr(error, "format_message"):
        traceback.print_exception(error)
        return ExitCode.INTERNAL
    if type(error).__name__ == "NoArgsIsHelpError":  # A bare `rmeval`, or `rmeval cache`: its message is the help.
        print(error.format_message(), file=sys.stderr)
        return ExitCode.MISTAKE
    return _fail(error.format_message())


def _fail(message: str) -> int:
    line = " ".join(message.split())
    tell(f"rmeval: error: {line}")
    return ExitCode.MISTAKE

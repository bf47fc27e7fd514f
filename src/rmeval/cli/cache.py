"""``rmeval cache``: the journal of scores, seen and emptied."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rmeval.cli.shared.help import CommandGroup
from rmeval.cli.shared.streams import tell
from rmeval.errors import RunError, UsageError

if TYPE_CHECKING:
    from rmeval.eval.journal.journal import Journal


def register(app: typer.Typer) -> None:
    """Add the commands ``cache info`` and ``cache clear``."""
    cache = typer.Typer(
        name="cache",
        cls=CommandGroup,
        help="The scores kept for later runs.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    cache.command("info")(info)
    cache.command("clear")(clear)
    app.add_typer(cache)


def info() -> None:
    """Say where the scores are, how many there are, and how much space they take."""
    with _open() as journal:
        found = journal.info()
    print(f"path     {found.path}")
    print(f"scores   {found.scores:,}")
    print(f"size     {_size(found.bytes)}")
    for file in found.set_aside:
        print(f"aside    {file} (damaged or not of rmeval; yours to look at or delete)")


def clear(yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove all kept scores, and give their space back."""
    if not yes and not (sys.stdin and sys.stdin.isatty()):
        raise UsageError("there is nobody to ask whether the scores may go; say so with --yes")
    with _open() as journal:
        found = journal.info()
        if not yes and not _agreed(f"Remove {found.scores:,} scores ({_size(found.bytes)}) from {found.path}?"):
            print("nothing removed")
            return
        journal.clear()
        freed = max(0, found.bytes - journal.info().bytes)
    print(f"removed {found.scores:,} scores ({_size(freed)}) from {found.path}")


def _open() -> Journal:
    from rmeval.eval.journal.journal import Journal

    journal = Journal.open()
    if not journal.persistent:
        journal.close()
        raise RunError(journal.warnings[-1])
    for warning in journal.warnings:
        tell(f"rmeval: warning: {warning}")
    return journal


def _agreed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C or the end of the input is no yes.
        print(file=sys.stderr)
        return False


def _size(count: int) -> str:
    """Write a number of bytes as people read it."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"

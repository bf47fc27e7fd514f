"""Progress on stderr, with rate and time left: a bar on a terminal, else a line now and then for the log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from rmeval.types import Progress


class _Rate(ProgressColumn):
    """Work done a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Return the speed of a task a second, empty until it is known."""
        unit = f" {self._unit}" if self._unit else ""
        return Text(f"{task.speed:,.0f}{unit}/s" if task.speed else "", style="progress.data.speed")


LINE_SECONDS = 60.0
"""Where there is no terminal: the least time between two lines."""


@contextmanager
def progress_bar(what: str, unit: str = "") -> Iterator[Progress]:
    """Show a spinner until the first report, then a bar; it is gone afterwards and leaves stdout alone.

    Args:
        what: What is being done.
        unit: What is counted, in the plural; empty where it is no one thing.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console, what, unit)
        return
    bar = Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task("loading", total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        yield report


class _Lines:
    """Prints a line at most every so many seconds, and none for short work."""

    def __init__(self, console: Console, what: str, unit: str) -> None:
        self._console, self._what, self._unit = console, what, f" {unit}" if unit else ""
        self._total = -1
        self._first = 0
        self._began = self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if total != self._total:  # Another stage; one that goes on does not begin at 0.
            self._total, self._first = total, done
            self._began = self._last = now
        if now - self._last < LINE_SECONDS or done <= self._first:
            return
        self._last = now
        left = (now - self._began) / (done - self._first) * max(0, total - done)
        # A total of 0 stands for one that is not known.
        known = f" of {total:,}{self._unit}, about {max(1, round(left / 60)):,} min left"
        rest = known if total else self._unit
        self._console.print(f"{self._what}: {done:,}{rest}", highlight=False)

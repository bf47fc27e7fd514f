"""What a run of ``benchmarks/device.py`` found: a JSON that is whole at any moment, and its table."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rmeval.files import write_text

SCHEMA = 1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to find out."""

    name: str
    unit: str = ""
    goal: float | None = None
    must: float | None = None
    """What the value has to reach; None where it is only told."""
    less: bool = False
    """True where the value should be small."""
    speed: bool = False
    """True where ``must`` is of a large model on a GPU, and is not judged in small."""

    def blank(self) -> dict[str, Any]:
        """Return the row before it is measured."""
        return {
            "name": self.name, "unit": self.unit, "value": None, "goal": self.goal, "must": self.must,
            "less": self.less, "speed": self.speed, "holds": None, "reason": None, "detail": {},
        }  # fmt: skip


class OutOfTimeError(Exception):
    """A part has used its minutes."""


class Report:
    """The document of a run, written after every row."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path, self.document = path, document

    @classmethod
    def read(cls, path: Path) -> Report:
        """Go on with a document."""
        return cls(path, json.loads(path.read_text(encoding="utf-8")))

    def write(self) -> None:
        """Write the document, whole or not at all."""
        write_text(self.path, json.dumps(self.document, indent=1, allow_nan=False) + "\n")

    def part(self, name: str) -> dict[str, Any]:
        """Return a part's entry."""
        found: dict[str, Any] = self.document["parts"][name]
        return found

    def end(self, name: str, status: str, *, reason: str | None = None, traceback: str | None = None) -> None:
        """Say how a part ended; its rows without a value get a reason."""
        part = self.part(name)
        part |= {"status": status, "reason": reason, "traceback": traceback or part["traceback"]}
        for row in part["rows"]:
            if row["value"] is None and row["reason"] is None:
                row["reason"] = reason or "the part did not come to it"
        self.write()

    @property
    def failed(self) -> bool:
        """True where a part broke, or a row does not hold."""
        parts = self.document["parts"].values()
        return any(part["status"] == "failed" or any(row["holds"] is False for row in part["rows"]) for part in parts)


class Part:
    """What a part works with.

    Args:
        report: Where its rows go.
        name: The part's.
        small: Tiny shapes, for a CPU.
        device: ``cuda`` or ``cpu``.
        seconds: What it may take.
        lengths: The file of lengths.
    """

    def __init__(self, report: Report, name: str, *, small: bool, device: str, seconds: float, lengths: Path) -> None:
        self.report, self.name, self.small, self.device, self.lengths = report, name, small, device, lengths
        self._end = time.monotonic() + seconds
        self.broken: list[str] = []
        """Tracebacks of what was attempted and failed."""

    def attempt(self, work: Callable[..., T], *arguments: Any) -> T | None:
        """Do a piece of the part; where it breaks, keep its traceback, return None and let the other pieces go on.

        Raises:
            OutOfTimeError: where that is why.
        """
        try:
            return work(*arguments)
        except OutOfTimeError:
            raise
        except Exception:
            self.broken.append(traceback.format_exc())
            self.report.part(self.name)["traceback"] = "\n".join(self.broken)
            self.report.write()
            return None

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._end - time.monotonic()

    def need(self, seconds: float) -> None:
        """Go on only where so many seconds are left.

        Raises:
            OutOfTimeError: where they are not.
        """
        if self.left < seconds:
            raise OutOfTimeError(f"out of time: {max(0.0, self.left):.0f} s of the part's minutes are left")

    def put(
        self,
        name: str,
        value: float | None,
        detail: Mapping[str, Any] | None = None,
        *,
        reason: str | None = None,
        **more: Any,
    ) -> None:
        """Write a row's value, or why there is none; ``detail`` and ``more`` say how it came about.

        Raises:
            KeyError: if there is no such row.
        """
        rows = {row["name"]: row for row in self.report.part(self.name)["rows"]}
        row = rows[name]
        finite = value is not None and abs(value) < float("inf")  # JSON has no NaN.
        row |= {"value": value if finite else None, "reason": reason, "detail": {**(detail or {}), **more}}
        if value is not None and not finite:
            row |= {"reason": f"it is {value}", "holds": False}
        elif value is not None and row["must"] is not None and not (row["speed"] and self.small):
            row["holds"] = value <= row["must"] if row["less"] else value >= row["must"]
        self.report.write()


def table(document: dict[str, Any], console: Console) -> None:
    """Print a document."""
    machine = document["environment"]
    card = escape(str(machine.get("gpu") or machine.get("cpu")))
    title = f"rmeval on {card}, torch {machine['torch']}, transformers {machine['transformers']}"
    grid = Table(title=title + (" (small: tiny shapes, no goals)" if document["small"] else ""))
    for column in ("part", "what", "value", "goal", "must", "holds"):
        grid.add_column(column, justify="right" if column in ("value", "goal", "must") else "left")
    for name, part in document["parts"].items():
        grid.add_row(name, f"{part['status']}, {part['seconds']:.0f} s", "", "", "", "", style="bold")
        for row in part["rows"] if part["status"] != "skipped" else ():
            grid.add_row("", escape(row["name"]), *_cells(row))
        if part["traceback"]:
            grid.add_row("", escape(part["traceback"].strip().splitlines()[-1]), "", "", "", "", style="red")
    console.print(grid)


def _cells(row: dict[str, Any]) -> Sequence[str]:
    sign = "≤ " if row["less"] else "≥ "
    limits = ["" if row[each] is None else f"{sign}{row[each]:g}" for each in ("goal", "must")]
    value = escape(row["reason"] or "") if row["value"] is None else f"{row['value']:,.4g} {row['unit']}".strip()
    return value, *limits, {None: "", True: "yes", False: "NO"}[row["holds"]]

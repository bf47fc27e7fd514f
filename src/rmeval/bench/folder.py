"""The folder of a bench: which one it is, what it holds, and that nobody else writes there meanwhile."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from rmeval.bench import storage
from rmeval.bench.plan import Sweep
from rmeval.bench_info import BenchDocument, BenchInfo, SweepInfo
from rmeval.errors import RunError
from rmeval.eval.environment import own_version
from rmeval.files import output_folder

__all__ = ["check_free", "default_folder", "hold"]


@contextmanager
def hold(
    folder: Path, sweep: Sweep, command: Sequence[str], files: Sequence[str], *, overwrite: bool
) -> Iterator[BenchDocument]:
    """Keep others off a folder; give the document of an unfinished bench of the same sweep there, or a new one.

    Args:
        folder: Where to write.
        sweep: What is measured.
        command: For the record.
        files: What is about to be written.
        overwrite: Whether another bench there, or a finished one, may be replaced.

    Raises:
        RunError: if the folder holds such a bench, or one of these files that rmeval did not write, if another process
            writes there, or if it cannot be written.
    """
    # What is there is judged below, by its content: `bench.json` is there before the bench is finished.
    with output_folder(
        folder, what="bench", mark=storage.JSON, overwrite=True, written=lambda: storage.written(folder)
    ) as output:
        document = _open(folder, sweep, command, overwrite)
        output.claim(files)
        document["rmeval"]["files"] = sorted({*files, *output.owned} & {*storage.FILES})
        yield document


def check_free(folder: Path, sweep: Sweep) -> None:
    """See that a folder holds no other bench and no finished one, before anything is loaded.

    Raises:
        RunError: if it does.
    """
    if (folder / storage.JSON).exists():
        _open(folder, sweep, (), overwrite=False)


def _open(folder: Path, sweep: Sweep, command: Sequence[str], overwrite: bool) -> BenchDocument:
    """Return the document of an unfinished run of the same sweep, or a new one."""
    asked = _plain(asdict(sweep))
    if (folder / storage.JSON).exists() and not overwrite:
        found = storage.read(folder)
        if found["rmeval"]["sweep"] != asked:
            raise RunError(f"{folder} holds another bench; give another --output-dir, or --overwrite it")
        if found["rmeval"]["complete"]:
            raise RunError(f"{folder} holds this bench, finished; give another --output-dir, or --overwrite it")
        return found
    own: BenchInfo = {
        "schema_version": storage.SCHEMA,
        "rmeval_version": own_version(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": list(command),
        "sweep": cast("SweepInfo", asked),
        "complete": False,
        "cells": [],
        "fidelity": {},
        "against": [],
        "best": {},
        "ceiling": {"rates": {}, "bandwidth": []},
    }
    return {"benchmarks": [], "rmeval": own}


def _plain(value: object) -> object:
    """Return a value as JSON gives it back."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def default_folder(sweep: Sweep) -> Path:
    """Return the folder of an unfinished run of the same sweep, else ``runs/bench-MODEL-TIME``, a new one."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", sweep.model).strip(".-")[-60:] or "model"
    for folder in sorted(Path("runs").glob(f"bench-{name}-*"), reverse=True):
        try:
            own = storage.read(folder)["rmeval"]
        except RunError:
            continue
        if not own["complete"] and own["sweep"] == _plain(asdict(sweep)):
            return folder
    path = Path("runs") / f"bench-{name}-{datetime.now():%Y%m%d-%H%M%S}"
    others = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return path if not path.exists() else next(other for other in others if not other.exists())

"""The folder of a field: one command's at a time, and gone on with where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from rmeval import records
from rmeval.errors import RunError
from rmeval.eval.suites import SUITES
from rmeval.files import OutputFolder, output_folder, write_text

__all__ = ["PAGE", "SCORES", "SUMMARY", "held_folder"]

SUMMARY, PAGE, _REPORT = "field.json", "index.html", "report.html"
_ASKED, SCORES = ".field/asked.json", ".field/scores.sqlite"


@contextmanager
def held_folder(path: Path, asked: Mapping[str, object], *, overwrite: bool) -> Iterator[bool]:
    """Keep others off the folder; give True where an unfinished field of the same command is there.

    Raises:
        RunError: if it holds something else that may not be replaced.
    """
    text = json.dumps(asked, sort_keys=True)
    with output_folder(
        path, what="field", mark=SUMMARY, overwrite=overwrite, written=lambda: (SUMMARY, PAGE), unfinished=_ASKED
    ) as folder:
        before = _read(path / _ASKED) or _asked_of(path / SUMMARY)
        goes_on = before == text and not (path / SUMMARY).exists()
        if before is not None and not goes_on and not overwrite:
            raise RunError(f"{path} holds a field of another command; choose another --output-dir, or pass --overwrite")
        if before is not None and not goes_on:
            _forget(path, before)
        _begin(folder, path, text)
        yield goes_on


def _begin(folder: OutputFolder, path: Path, text: str) -> None:
    folder.claim((SUMMARY, PAGE))
    (path / SUMMARY).unlink(missing_ok=True)
    (path / _ASKED).parent.mkdir(exist_ok=True)
    write_text(path / _ASKED, text)


def _forget(path: Path, asked: str) -> None:
    """Delete the runs of another command, which would be taken for ones of this: what an evaluation writes, no more."""
    with suppress(ValueError, KeyError, TypeError, OSError):
        for name in json.loads(asked)["suites"]:
            if name in SUITES:
                for file in (*records.WRITTEN, _REPORT):
                    (path / name / file).unlink(missing_ok=True)


def _asked_of(summary: Path) -> str | None:
    """Return what a finished field was asked for, as ``.field`` would say it."""
    with suppress(ValueError, KeyError, TypeError):
        return json.dumps(json.loads(_read(summary) or "")["asked"], sort_keys=True)
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None

"""The output folder: what it holds while training, and when it may be written to.

``checkpoints/`` is there only while training: checkpoints, encoded pairs, and ``started.json``, which says of what. The
model's files, ``README.md`` and, last of all, ``training.json`` come when it is over; that one lists them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from rmeval.errors import RunError
from rmeval.files import OutputFolder, output_folder, write_text

__all__ = ["ABOUT", "MODEL_FILES", "RECORD", "Output", "Started"]

RECORD = "training.json"
ABOUT = ("README.md", "recipe.yaml", "curves.png", "curves.html", RECORD)
"""What is written about the model; the last when everything else is."""
MODEL_FILES: tuple[str, ...] = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "tokenizer*",
    "*.jinja",
    "special_tokens_map.json",
)
MODEL_FILES += ("added_tokens.json", "vocab.*", "merges.txt", "*.model")
_CHECKPOINTS = "checkpoints"
_STARTED = f"{_CHECKPOINTS}/started.json"
_WORK = ("checkpoint-*", "*.arrow", ".*.tmp", "merged", "whole", "suite.jsonl", "started.json")
"""What a training writes into ``checkpoints/``; the last says that one is there."""


class Started(TypedDict):
    """What a training is of: the content of ``started.json``."""

    recipe: Mapping[str, object]
    """In plain JSON types."""
    model: str
    """The base model's fingerprint."""
    data: NotRequired[str]
    """The fingerprint of the pairs, once they are read."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output folder, as every process of a training knows it."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """What is needed to go on."""
        return self.path / _CHECKPOINTS

    @property
    def started(self) -> Path:
        """What the unfinished training here is of."""
        return self.path / _STARTED

    @property
    def record(self) -> Path:
        """What says that the training is over."""
        return self.path / RECORD

    @contextmanager
    def hold(self, *, overwrite: bool) -> Iterator[OutputFolder]:
        """See that a model may be written here, and keep others off; for the first process alone.

        Raises:
            RunError: if the folder cannot be written to, holds a finished model and ``overwrite`` is not set, other
                files, or another process trains there.
        """
        with output_folder(
            self.path,
            what="model trained here",
            mark=RECORD,
            overwrite=overwrite,
            written=self._written,
            unfinished=_STARTED,
            alone=True,
        ) as folder:
            models = {path.name for pattern in MODEL_FILES for path in self.path.glob(pattern)}
            folder.check([*ABOUT, *sorted(models)])
            yield folder

    def resumes(self, started: Started, *, overwrite: bool) -> bool:
        """Return whether a training goes on with what is there.

        ``started`` is what it is of, as far as that is known: the same in every start of the same command.

        Raises:
            RunError: if an unfinished training of something else is there, and ``overwrite`` is not set.
        """
        before = None if self.record.exists() else self._before()
        if before is None:
            return False
        before = {key: before.get(key) for key in started}
        if before == started or overwrite:
            return before == started
        raise RunError(
            f"{self.path} holds an unfinished training of something else ({_difference(before, started)}): give "
            "the same values to go on with it, choose another --output-dir, or pass --overwrite"
        )

    def begin(self, folder: OutputFolder, started: Started, *, resume: bool) -> None:
        """Make the folder ready: as it is to go on, else without what an earlier training wrote.

        Raises:
            RunError: if it cannot be written to.
        """
        try:
            if not resume:
                folder.remove([RECORD])  # First, so that the rest is no finished model.
                folder.remove(folder.owned - {_CHECKPOINTS})
            folder.claim([_CHECKPOINTS])
            if not resume:
                self.clear()
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            write_text(self.started, json.dumps(started, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise RunError(f"cannot write to the output folder {self.path}: {error.strerror or error}") from None

    def clear(self) -> None:
        """Delete what was needed to go on, and nothing else."""
        for path in [path for pattern in _WORK for path in sorted(self.checkpoints.glob(pattern))]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        if self.checkpoints.is_dir() and not any(self.checkpoints.iterdir()):
            self.checkpoints.rmdir()

    def _before(self) -> dict[str, object] | None:
        """Return what the unfinished training here is of; None where there is none that got as far."""
        try:
            before = json.loads(self.started.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return before if isinstance(before, dict) else None

    def _written(self) -> list[str]:
        """Return what the finished training here says that it wrote."""
        try:
            return [str(name) for name in json.loads(self.record.read_text(encoding="utf-8"))["files"]]
        except (OSError, ValueError, KeyError, TypeError):
            raise RunError(
                f"{self.record} does not say which files the training wrote, so none may be deleted: choose another "
                "--output-dir"
            ) from None


def _difference(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Name the first few values in which two trainings differ, at whatever depth."""
    changes = list(_changes(before, now))
    return ", ".join(changes[:3]) + (", …" if len(changes) > 3 else "")


def _changes(before: object, now: object, name: str = "") -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = [*before, *(key for key in now if key not in before)]
        return [change for key in keys for change in _changes(before.get(key), now.get(key), str(key))]
    return [] if before == now else [f"{name}: {_short(before)}, now {_short(now)}"]


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}…"

"""The output folder: what it holds while training, and when it may be written to.

``checkpoints/`` is there only while training: checkpoints, encoded pairs, and ``started.json``, which says of what. The
model's files, ``README.md`` and, last of all, ``training.json`` come when it is over.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.errors import RunError

__all__ = ["MODEL_FILES", "RECORD", "Output", "write_text"]

RECORD = "training.json"
MODEL_FILES: tuple[str, ...] = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "tokenizer*",
    "*.jinja",
    "special_tokens_map.json",
)
MODEL_FILES += ("added_tokens.json", "vocab.*", "merges.txt", "*.model")
_OWN = ("checkpoints", "adapter", "held-out", RECORD, "README.md", "recipe.yaml", "curves.png", "curves.html")


@dataclass(frozen=True, slots=True)
class Output:
    """An output folder."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """What is needed to go on."""
        return self.path / "checkpoints"

    @property
    def started(self) -> Path:
        """What the unfinished training here is of."""
        return self.checkpoints / "started.json"

    @property
    def record(self) -> Path:
        """What says that the training is over."""
        return self.path / RECORD

    def check(self, started: dict[str, Any], *, overwrite: bool) -> bool:
        """See that a training may be written here; return whether it goes on with one that is there.

        ``started`` is what it is of, as far as that is known: the same in every start of the same command.

        Raises:
            RunError: if the folder cannot be written to, or holds another training or model.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is a file; --output-dir takes a folder")
        if self.record.exists():
            if overwrite:
                return False
            raise RunError(f"{self.path} holds a finished model; choose another --output-dir or pass --overwrite")
        before = self._before()
        if before is not None:
            before = {key: before.get(key) for key in started}
            if before == started or overwrite:
                return before == started
            raise RunError(
                f"{self.path} holds an unfinished training of something else ({_difference(before, started)}): give "
                "the same values to go on with it, choose another --output-dir, or pass --overwrite"
            )
        if any(path for pattern in MODEL_FILES for path in self.path.glob(pattern)):
            raise RunError(f"{self.path} holds a model that was not trained here; choose another --output-dir")
        return False

    def begin(self, started: dict[str, Any], *, resume: bool) -> None:
        """Make the folder ready: as it is to go on, else empty of what an earlier training wrote.

        Raises:
            RunError: if it cannot be written to.
        """
        try:
            if not resume:
                self._clear()
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            write_text(self.started, json.dumps(started, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise RunError(f"cannot write to the output folder {self.path}: {error.strerror or error}") from None

    def _before(self) -> dict[str, Any] | None:
        """Return what the unfinished training here is of; None where there is none that got as far."""
        try:
            before = json.loads(self.started.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return before if isinstance(before, dict) else None

    def _clear(self) -> None:
        """Delete what a training writes, and nothing else; the record first, so that the rest is no finished model."""
        self.record.unlink(missing_ok=True)
        models = {path for pattern in MODEL_FILES for path in self.path.glob(pattern)}
        for path in (*(self.path / name for name in _OWN), *models):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Name the first few values in which two trainings differ, at whatever depth."""
    changes = list(_changes(before, now))
    return ", ".join(changes[:3]) + (", …" if len(changes) > 3 else "")


def _changes(before: Any, now: Any, name: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(key for key in now if key not in before)]
        return [change for key in keys for change in _changes(before.get(key), now.get(key), str(key))]
    return [] if before == now else [f"{name}: {_short(before)}, now {_short(now)}"]


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}…"

"""``training.json``: everything needed to believe a trained model and to train it again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rmeval.trainer.data.made import PREFIX
from rmeval.trainer.data.pairs import DataRecord
from rmeval.trainer.loop.hardware import Hardware
from rmeval.trainer.loop.model import ModelRecord
from rmeval.trainer.results.curves import Curves
from rmeval.trainer.results.held_out import PairResult
from rmeval.types import Finding

__all__ = ["SCHEMA_VERSION", "Licence", "Tokens", "TrainingRecord", "read_licences"]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Licence:
    """A source of the data, as the folder of prepared data says."""

    name: str
    home: str
    licence: str
    pairs: int | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Where the tokens of the first epoch went."""

    given: int
    """Of all pairs, after truncation."""
    padded: int
    """With the padding that batches by length leave."""
    truncated: int
    """Conversations that lost their beginning."""


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """The content of ``training.json``."""

    schema_version: int
    rmeval_version: str
    created: str
    """ISO 8601, UTC."""
    command: tuple[str, ...]
    recipe: dict[str, Any]
    hardware: Hardware
    model: ModelRecord
    data: DataRecord
    licences: tuple[Licence, ...]
    findings: tuple[Finding, ...]
    """What the audit noticed while encoding."""
    tokens: Tokens
    steps: int
    best_step: int | None
    """The step whose weights were kept; None where nothing was held out and the last ones were."""
    best_metrics: dict[str, float]
    """Of the held-out pairs that chose it: not to be reported, they had a say."""
    results: tuple[PairResult, ...]
    """Of pairs that were scored once, at the end."""
    curves: Curves
    files: tuple[str, ...]
    """What was written into the folder: what ``--overwrite`` may replace."""
    seconds: float
    """Since the last start, until the results."""
    environment: dict[str, str | int | float | None]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), ensure_ascii=False))
        return plain


def read_licences(dataset: str) -> tuple[Licence, ...]:
    """Return the sources of a folder that ``rmeval prepare`` wrote, or of pairs that are made; none for other data."""
    if dataset.startswith(PREFIX):
        return (Licence(dataset, "written for rmeval", "Apache-2.0", None),)
    try:
        ledger = json.loads((Path(dataset).expanduser() / "ledger.json").read_text(encoding="utf-8"))
        return tuple(
            Licence(str(each["name"]), str(each["home"]), str(each["licence"]), each.get("train"))
            for each in ledger["sources"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ()

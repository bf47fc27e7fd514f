"""Rows, mixtures and builds for the tests of ``rmeval prepare``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow.parquet as pq

from rmeval.data_prep.mixture import Mixture
from rmeval.data_prep.rows.files import Row

HH = "hh-rlhf"


def hh_row(prompt: str, chosen: str = "Yes.", rejected: str = "No.") -> dict[str, object]:
    """A row in hh-rlhf's schema."""
    return {
        "chosen": f"\n\nHuman: {prompt}\n\nAssistant: {chosen}",
        "rejected": f"\n\nHuman: {prompt}\n\nAssistant: {rejected}",
    }


def hh_rows(number: int, topic: str = "soup") -> list[dict[str, object]]:
    """Rows whose prompts are no near-duplicates of one another."""
    return [hh_row(f"{topic} {place} {topic}{place}", f"It is {place}.", f"Not {place}.") for place in range(number)]


def write_rows(path: Path, rows: Iterable[Row]) -> str:
    """Write JSON lines; return the path as a mixture has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def mixture_of(paths: Mapping[str, str], held_out: float | int = 0.25, **keys: object) -> Mixture:
    """A mixture of hh-rlhf's rows in several files: label -> path."""
    sources = [{"name": HH, "label": label, "path": path} for label, path in paths.items()]
    return Mixture.model_validate({"name": "test-mixture", "held_out": held_out, "sources": sources, **keys})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too: its path and its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def rows_of(folder: Path, split: str) -> list[dict[str, object]]:
    """The rows of one split of a build; none where the split has no file."""
    files = sorted((folder / "data").glob(f"{split}-*.parquet"))
    found: list[dict[str, object]] = [row for file in files for row in pq.read_table(file).to_pylist()]
    return found


def sides_of(folder: Path) -> dict[str, str]:
    """The id of every row of a build, and its side."""
    return {str(row["id"]): split for split in ("train", "test") for row in rows_of(folder, split)}

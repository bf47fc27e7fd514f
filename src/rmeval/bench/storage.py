"""``bench.json`` and ``bench.csv``: written whole after every cell, so that nothing finished is ever lost.

``bench.json`` is a file of pytest-benchmark with one more key, ``rmeval``: what was asked for (``sweep``), the
machine's ``ceiling``, the ``fidelity`` of each setting, the comparisons with the pipeline (``against``), and ``cells``:
one flat row a planned cell, which is what the CSV holds as well.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from rmeval.bench_info import COLUMNS, BenchDocument, CellRow, Value, values_of
from rmeval.errors import RunError
from rmeval.files import write_text

SCHEMA = 1
JSON, CSV, PAGE = "bench.json", "bench.csv", "bench.html"
FILES = (JSON, CSV, PAGE)


def read(path: Path) -> BenchDocument:
    """Read a ``bench.json``, or that of a folder.

    Raises:
        RunError: if it cannot be read, or is none of rmeval's.
    """
    file = path / JSON if path.is_dir() else path
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"cannot read the bench {file}: {getattr(error, 'strerror', None) or error}") from None
    except ValueError as error:
        raise RunError(f"{file} is not JSON: {error}") from None
    own = document.get("rmeval") if isinstance(document, dict) else None
    if not isinstance(own, dict) or not isinstance(document.get("benchmarks"), list):
        raise RunError(f"{file} was not written by rmeval bench")
    if own.get("schema_version") != SCHEMA:
        raise RunError(f"{file} has schema {own.get('schema_version')}, and this rmeval reads {SCHEMA}")
    cells = own.get("cells")
    if not isinstance(cells, list) or not all(isinstance(row, dict) and set(COLUMNS) <= set(row) for row in cells):
        raise RunError(f"{file} is damaged: its cells are not what rmeval bench writes")
    return cast("BenchDocument", document)


def written(folder: Path) -> Sequence[str]:
    """Return which files of a folder its ``bench.json`` says are rmeval's.

    Raises:
        RunError: if that file is none of rmeval's.
    """
    try:
        own = json.loads((folder / JSON).read_text(encoding="utf-8"))["rmeval"]
        return [name for name in own.get("files", FILES) if name in FILES and "schema_version" in own]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise RunError(
            f"{folder / JSON} was not written by rmeval bench: move it away, or choose another --output-dir"
        ) from None


def write(folder: Path, document: BenchDocument) -> None:
    """Write both files, each to another name first.

    Raises:
        RunError: if they cannot be written.
    """
    write_text(folder / JSON, json.dumps(document, indent=1, allow_nan=False, default=str))
    write_text(folder / CSV, to_csv(document["rmeval"]["cells"]))


def to_csv(cells: Sequence[CellRow]) -> str:
    """Return the cells as CSV, empty where there is no value."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([_plain(values_of(row)[name]) for name in COLUMNS] for row in cells)
    return stream.getvalue()


def _plain(value: Value) -> str | int | float:
    """Return a value that no spreadsheet takes for a formula."""
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@") else value
    return "" if value is None else value

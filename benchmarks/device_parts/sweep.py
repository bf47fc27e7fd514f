"""``rmeval bench`` on a 7B shape: batch sizes, dtypes and two lengths; a request that does not fit is a row as well."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

from benchmarks.device_parts import models
from benchmarks.device_parts.report import Part, Row
from rmeval.bench.plan import Sweep
from rmeval.bench_info import values_of

_DTYPES = ("float32", "bfloat16", "float16")
_SIZES = {False: ((1, 8, 32), (128, 1024)), True: ((1, 2, 4), (16, 32))}
"""In small or not: batch sizes, lengths."""
_KEPT = (
    "status", "path", "batch_size", "length", "rounds", "p95", "tokens_per_second", "device_peak_bytes",
    "host_peak_bytes", "share_of_roof", "bound", "first_call_seconds",
)  # fmt: skip
_OVERHEAD = 1.6
"""What a cell takes beside its timed rounds, in such rounds."""

ROWS = [
    Row(f"{dtype}, {batch} batch size, {length} length: p50", "ms")
    for dtype in _DTYPES
    for length in ("short", "long")
    for batch in ("small", "middle", "large")
]


def run(part: Part) -> None:
    """Fill the rows."""
    missing = [name for name in ("pytest", "pytest_benchmark") if find_spec(name) is None]
    if missing:
        raise ImportError(f"rmeval bench needs {', '.join(missing)}")
    from rmeval.bench.run import bench

    batch_sizes, lengths = _SIZES[part.small]
    cells = [(dtype, batch, length) for dtype in _DTYPES for length in lengths for batch in batch_sizes]
    each = 0.05 if part.small else max(0.3, (part.left - 45) / len(cells) / _OVERHEAD)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models.config("7b", small=part.small).save_pretrained(folder / "shape")
        sweep = Sweep(
            model=f"config:{folder / 'shape'}",
            batch_sizes=batch_sizes,
            dtypes=_DTYPES,
            lengths=lengths,
            device=part.device,
            max_time=each,
        )

        def keep(_line: str) -> None:
            _fill(part, folder / "bench", cells)

        try:
            bench(sweep, folder / "bench", note=keep)
        finally:  # What was measured before it broke is there.
            _fill(part, folder / "bench", cells)


def _fill(part: Part, folder: Path, cells: list[tuple[str, int, int]]) -> None:
    """Take over what the bench has written up to now."""
    from rmeval.bench import storage

    if not (folder / storage.JSON).exists():
        return
    own = storage.read(folder)["rmeval"]
    found = {row["name"]: row for row in own["cells"]}
    for row, (dtype, batch, length) in zip(ROWS, cells, strict=True):
        cell = found[f"{dtype}-{batch}x{length}"]
        if cell["status"] == "planned":
            continue
        p50 = 1e3 * cell["p50"] if cell["status"] == "measured" else None
        why = None if p50 is not None else f"{cell['status']}: {cell['reason']}"
        part.put(row.name, p50, {name: values_of(cell)[name] for name in _KEPT}, reason=why)

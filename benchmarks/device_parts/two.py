"""Two processes on one device: do they decide as one does, and what do they gain?

python -m benchmarks.device_parts.two FILE SHARE SHARES      (what each process runs)
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.device_parts import lengths, models, scoring
from benchmarks.device_parts.report import Part, Row
from rmeval.bench.measure.ceiling import clock
from rmeval.data_prep.text.audit import Audit
from rmeval.files import write_text

ROWS = [
    Row("one process", "pairs/s"),
    Row("two processes", "pairs/s"),
    Row("two processes / one", "x"),
    Row("decisions that differ", must=0, less=True),
]
_PAIRS = {False: 600, True: 8}
"""In small or not."""


def run(part: Part) -> None:
    """Fill the rows."""
    pairs = _PAIRS[part.small]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = _together(part, folder, 1)
        part.put("one process", pairs / one["seconds"], pairs=pairs, path=one["path"], refined=one["refined"])
        two = _together(part, folder, 2)
    part.put("two processes", pairs / two["seconds"], pairs=pairs, path=two["path"], refined=two["refined"])
    part.put("two processes / one", one["seconds"] / two["seconds"])
    differ = sum(mine != theirs for mine, theirs in zip(one["decided"], two["decided"], strict=True))
    part.put("decisions that differ", differ, pairs=pairs, shape="1b")


def _together(part: Part, folder: Path, shares: int) -> dict[str, Any]:
    """Let so many processes score their shares at once, all ready before one begins; return what they found."""
    task = folder / f"task-{shares}.json"
    pairs = _PAIRS[part.small]
    given = {"small": part.small, "device": part.device, "lengths": str(part.lengths), "pairs": pairs}
    task.write_text(json.dumps(given))
    command = [sys.executable, "-m", "benchmarks.device_parts.two", str(task)]
    workers = [subprocess.Popen([*command, str(share), str(shares)]) for share in range(shares)]
    try:
        for worker in workers:
            code = worker.wait(timeout=max(1.0, part.left))
            if code:
                raise RuntimeError(f"a process of {shares} ended with status {code}: its message is above")
    finally:
        for worker in workers:
            worker.kill()
    found = [json.loads(_result(task, share).read_text()) for share in range(shares)]
    decided = np.empty(pairs, dtype=bool)
    for share, each in enumerate(found):
        decided[share::shares] = each["decided"]
    return {
        "seconds": max(each["end"] for each in found) - min(each["start"] for each in found),
        "path": found[0]["path"],
        "refined": sum(each["refined"] for each in found),
        "decided": decided.tolist(),
    }


def _result(task: Path, share: int) -> Path:
    return task.with_name(f"{task.stem}-{share}.json")


def work(task: Path, share: int, shares: int) -> None:
    """Score every so manieth pair, close ones again in float32, once all processes are ready."""
    given = json.loads(task.read_text())
    dtype = "bfloat16"
    model, precision = models.own("1b", dtype, given["device"], small=given["small"])
    rows = lengths.read(Path(given["lengths"]), given["pairs"])
    text = model.config
    every = lengths.draw(rows, vocabulary=text.vocab_size, longest=text.max_position_embeddings)
    encoded = [item for pair in range(share, len(rows), shares) for item in every[2 * pair : 2 * pair + 2]]
    engine = scoring.engine(model, precision, audit=Audit())
    scoring.refined(engine, encoded, engine.score(encoded).values)  # What is compiled and checked once is not timed.
    now = clock(torch.device(given["device"]))
    task.with_name(f"{task.stem}-{share}.ready").touch()
    while len(list(task.parent.glob(f"{task.stem}-*.ready"))) < shares:
        time.sleep(0.02)
    now()
    start = time.time()
    values = engine.score(encoded).values
    after = scoring.refined(engine, encoded, values)
    now()
    found = {
        "start": start,
        "end": time.time(),
        "path": engine.path,
        "refined": after.rescored,
        "decided": scoring.decided([score.value for score in after.scores]),
    }
    write_text(_result(task, share), json.dumps(found))


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

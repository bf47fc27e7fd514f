"""Time ``rmeval prepare`` against a plain ``datasets.map`` pass over the same rows, and measure the memory of both.

    python benchmarks/prepare.py [--rows 500000] [--workers 2]

The rows are made up, in hh-rlhf's schema and of its size. The plain pass loads them and maps each to two lists of
messages by the source's own rule, row by row, as one would write it; nothing is capped, split, compared, counted or
written as Parquet. Each runs in a process of its own. Memory is the resident memory of its processes together, a page
that several share divided among them, at its highest of samples taken twice a second; without /proc, that of the
largest process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

GB = 1 << 30
NEAR = "near-duplicates"
_WORDS = 20_000
_SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]


def generate(path: Path, rows: int, seed: int = 0) -> None:
    """Write made-up rows in hh-rlhf's schema: about 1.5 kB each, two turns, answers that differ in the last one."""
    draw = random.Random(seed)
    words = ["".join(draw.choices(_SYLLABLES, k=draw.randint(1, 4))) for _ in range(_WORDS)]

    def text(least: int, most: int) -> str:
        return " ".join(draw.choices(words, k=draw.randint(least, most)))

    with path.open("w", encoding="utf-8") as file:
        for _ in range(rows):
            shared = f"\n\nHuman: {text(8, 40)}\n\nAssistant: {text(10, 60)}\n\nHuman: {text(4, 30)}\n\nAssistant: "
            row = {"chosen": shared + text(5, 80), "rejected": shared + text(5, 80)}
            file.write(json.dumps(row) + "\n")


def plain_pass(path: Path, folder: Path, workers: int) -> tuple[dict[str, float], float]:
    """Load the rows and map them, as one would write it; return the seconds of each, and 0 for near-duplicates."""
    import datasets

    from rmeval.data_prep.sources import get_source
    from rmeval.data_prep.sources.base import Pair

    source = get_source("hh-rlhf")

    def convert(row: dict[str, object]) -> dict[str, object]:
        made = next(source.pairs([row]))
        if not isinstance(made, Pair):
            return {"chosen": [], "rejected": []}
        sides = {"chosen": made.prompt + made.chosen, "rejected": made.prompt + made.rejected}
        return {name: [{"role": m.role, "content": m.content} for m in side] for name, side in sides.items()}

    start = time.perf_counter()
    rows = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(folder))
    loaded = time.perf_counter()
    rows.map(convert, num_proc=workers if workers > 1 else None)
    return {"loading": loaded - start, "map": time.perf_counter() - loaded}, 0.0


def our_pass(path: Path, folder: Path, workers: int) -> tuple[dict[str, float], float]:
    """Build a mixture of the rows, compared with mini.

    Returns:
        The seconds of each stage, and the processor time that near-duplicates took.
    """
    from rmeval.data_prep.mixture import Mixture
    from rmeval.data_prep.prepare import prepare
    from rmeval.eval.suites import get_suite
    from rmeval.eval.suites.data import DataOptions, load_dataset

    mixture = Mixture.model_validate(
        {"name": "made-up", "held_out": 500, "sources": [{"name": "hh-rlhf", "path": str(path)}]}
    )
    seconds: dict[str, float] = {}
    last, since = "", time.perf_counter()
    near = 0.0
    used = time.process_time()

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal last, since, near, used
        now, before = time.perf_counter(), used
        used = time.process_time()
        near += used - before if last == NEAR else 0
        seconds[last or stage] = seconds.get(last or stage, 0) + now - since
        last, since = stage, now

    against = {"mini": load_dataset(get_suite("mini"), DataOptions()).examples}
    prepare(mixture, folder / "out", against=against, workers=workers, progress=progress)
    progress("", 0, 0)
    return seconds, near


@dataclass(frozen=True)
class Measured:
    """What a pass took."""

    stages: dict[str, float]
    """Seconds of each stage, as the clock has it."""
    processor: float
    """Seconds of processor time, of all its processes, without the grouping of near-duplicates."""
    memory: float
    """Bytes."""

    @property
    def seconds(self) -> float:
        """Without the grouping of near-duplicates."""
        return sum(spent for stage, spent in self.stages.items() if stage != NEAR)


def measure(what: str, path: Path, workers: int) -> Measured:
    """Run ``plain`` or ``rmeval`` in a process of its own."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [sys.executable, __file__, "--only", what, "--file", str(path), "--folder", folder]
        command += ["--workers", str(workers)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        peak = 0.0
        while child.poll() is None:
            peak = max(peak, _memory(child.pid))
            time.sleep(0.5)
        output = child.stdout.read() if child.stdout else ""
    if child.returncode:
        raise SystemExit(f"{what} failed with exit code {child.returncode}")
    found = json.loads(output.splitlines()[-1])
    return Measured(found["seconds"], found["processor"], peak or found["largest"])


def _memory(pid: int) -> float:
    """Return the memory of a process and its children in bytes, shared pages divided; 0 where /proc does not say."""
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += 1024 * int(line.split()[1])
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(_memory(int(child)) for child in (task / "children").read_text().split())
    except OSError:
        pass
    return total


def main() -> None:
    """Run both and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", choices=["plain", "rmeval"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        run = plain_pass if arguments.only == "plain" else our_pass
        seconds, near = run(arguments.file, arguments.folder, arguments.workers)
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        processor = sum(each.ru_utime + each.ru_stime for each in used) - near
        largest = max(each.ru_maxrss for each in used) * 1024
        print(json.dumps({"seconds": seconds, "processor": processor, "largest": largest}))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        generate(path, arguments.rows)
        print(f"{arguments.rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB, {arguments.workers} workers")
        passes = {what: measure(what, path, arguments.workers) for what in ("plain", "rmeval")}
    for name, each in passes.items():
        stages = ", ".join(f"{stage} {spent:.1f}" for stage, spent in each.stages.items())
        rate = f"{arguments.rows / each.seconds:,.0f} rows/s"
        print(
            f"{name}: {rate}, {each.seconds:.1f} s ({stages}), processor {each.processor:.1f} s,"
            f" {each.memory / GB:.2f} GB"
        )
    plain, ours = passes["plain"], passes["rmeval"]
    print(
        f"rmeval takes {ours.seconds / plain.seconds:.2f} times as long as the plain pass, and"
        f" {ours.processor / plain.processor:.2f} times its processor time; near-duplicates are counted apart"
    )


if __name__ == "__main__":
    main()

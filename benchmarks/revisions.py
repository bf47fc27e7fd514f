"""Two revisions of rmeval, the same command in turn: how long, how much memory, and whether scores are the same bytes.

    python -m benchmarks.revisions 92554a3 HEAD -- rewardbench --model M --dataset ROWS --subset llmbar-natural

Each revision is checked out into a folder of its own. The journal is left out, so that everything is computed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd

GIT = shutil.which("git") or "git"


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    processor_seconds: float
    """Of all cores; says more than the clock beside a busy neighbour."""
    peak_bytes: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.processor_seconds:.1f} s of a core, {self.peak_bytes / 2**20:,.0f} MiB"


def run(tree: Path, arguments: list[str], output: Path) -> Cost:
    """Run the command and return what it took."""
    command = [sys.executable, "-m", "rmeval", *arguments, "--no-cache", "--output-dir", str(output)]
    start = time.perf_counter()
    with (output.parent / f"{output.name}.log").open("w") as log:
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(tree / "src")}, stdout=log, stderr=log)
        _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit((output.parent / f"{output.name}.log").read_text()[-2000:])
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)  # Linux counts memory in KiB.


def main() -> None:
    """Check out, run in turn, and print a line a round and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("arguments", nargs="+", help="rmeval's, after --")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trees = {}
        for name, revision in (("old", given.old), ("new", given.new)):
            trees[name] = Path(folder) / name
            subprocess.run([GIT, "worktree", "add", "-q", "--detach", str(trees[name]), revision], check=True)
        try:
            found: dict[str, list[Cost]] = {"old": [], "new": []}
            for number in range(given.rounds):
                for name in ("old", "new") if number % 2 == 0 else ("new", "old"):
                    found[name].append(run(trees[name], given.arguments, Path(folder) / f"{name}-{number}"))
                each = "; ".join(f"{name} {found[name][-1]}" for name in trees)
                print(f"round {number + 1}: {each}", flush=True)
            for place, what in enumerate(("time", "processor time", "memory")):
                ratios = [new[place] / old[place] for old, new in zip(found["old"], found["new"], strict=True)]
                print(f"{what}: new / old {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
            old, new = (pd.read_parquet(Path(folder) / f"{name}-0" / "scores.parquet")["score"] for name in trees)
            print(f"scores: {(old == new).sum()} of {len(old)} equal, largest difference {(old - new).abs().max():.2g}")
        finally:
            for tree in trees.values():
                subprocess.run([GIT, "worktree", "remove", "--force", str(tree)], check=False)


if __name__ == "__main__":
    main()

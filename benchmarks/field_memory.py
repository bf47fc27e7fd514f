"""Peak memory of ``rmeval field`` beside that of each of its suites by itself: the field should cost its largest suite.

    python -m benchmarks.field_memory rm-bench=RM-Bench/data judgebench-claude=judgebench-claude.jsonl \
        -- --model quickstart

Each is a process of its own, whose largest resident set is asked of the system when it ends. The journal is left out,
so that everything is computed; what follows ``--`` goes to every command alike. In a round the field comes first, then
the suites: with ``--rounds`` the median of each counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

MEBIBYTE = 2**20


def run(arguments: Sequence[str], output: Path) -> tuple[float, float]:
    """Run a command of rmeval; return its seconds and its peak memory in bytes (Linux counts in KiB)."""
    command = [sys.executable, "-m", "rmeval", *arguments, "--no-cache", "--output-dir", str(output)]
    start = time.perf_counter()
    with output.with_suffix(".log").open("w") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(output.with_suffix(".log").read_text()[-2000:])
    return seconds, used.ru_maxrss * 1024


def main() -> None:
    """Run the field and the suites, and print a line each and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="+", metavar="SUITE=DATA")
    parser.add_argument("--rounds", type=int, default=1)
    words = sys.argv[1:]
    place = words.index("--") if "--" in words else len(words)
    given, options = parser.parse_args(words[:place]), words[place + 1 :]
    data = dict(each.partition("=")[::2] for each in given.suites)
    commands = {"field": ["field", "--suites", ",".join(data), *(f"--dataset={name}={data[name]}" for name in data)]}
    commands |= {name: [name, f"--dataset={data[name]}"] for name in data}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            for name, command in commands.items():
                found[name].append(run([*command, *options], Path(folder) / f"{number}-{name}"))
    median = {name: [statistics.median(column) for column in zip(*own, strict=True)] for name, own in found.items()}
    print(f"{'':20} {'seconds':>8} {'peak, MiB':>10}")
    for name, (seconds, peak) in median.items():
        print(f"{name:20} {seconds:8.1f} {peak / MEBIBYTE:10,.0f}")
    largest = max(data, key=lambda name: median[name][1])
    print(f"field / {largest}, the largest: {median['field'][1] / median[largest][1]:.3f}")


if __name__ == "__main__":
    main()

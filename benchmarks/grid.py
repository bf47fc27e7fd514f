"""Three right and three wrong answers a row, as one example and as nine pairs: what the pairs cost.

    python -m benchmarks.grid [MODEL] [--rows 798] [--rounds 3]

Rows are made up, 798 of them: as many as make 7,182 pairs. Each round scores them both ways, each in a process of its
own without the journal, and prints seconds, conversations and peak memory; last the ratio of the medians. Each answer
is computed once, so that nine pairs should cost what one example of six answers does.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WAYS = ("all", "grid")
CODE = """
import json, re, sys, time
from pathlib import Path
import rmeval
options = rmeval.ModelOptions(cache=False, dtype="float32", device="cpu")
start = time.perf_counter()
run = rmeval.evaluate(sys.argv[1], "pairs", dataset=sys.argv[2], lists=sys.argv[3], model_options=options)
print(json.dumps({
    "seconds": time.perf_counter() - start,
    "examples": run.info.data.rows,
    "completions": run.scores_table.num_rows,
    "computed": run.info.accounting.computed,
    "memory": int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024,
}))
"""


def write_rows(file: Path, count: int) -> None:
    """Write rows of random words: answers of 10, 40 and 80 words on either side."""
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(2000)]

    def text(length: int) -> str:
        return " ".join(chance.choices(words, k=length))

    with file.open("w", encoding="utf-8") as stream:
        for number in range(count):
            sides = {side: [text(length) for length in (10, 40, 80)] for side in ("chosen", "rejected")}
            stream.write(json.dumps({"id": str(number), "prompt": text(30), **sides}) + "\n")


def measure(model: str, data: Path, lists: str) -> dict[str, float]:
    """Score the rows in a process of their own."""
    command = [sys.executable, "-c", CODE, model, str(data), lists]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(re.findall(r"^\{.*\}$", done.stdout, re.MULTILINE)[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="quickstart")
    parser.add_argument("--rows", type=int, default=798)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    memory: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "rows.jsonl"
        write_rows(data, arguments.rows)
        for _ in range(arguments.rounds):
            for way in WAYS:
                found = measure(arguments.model, data, way)
                seconds[way].append(found["seconds"])
                memory[way].append(found["memory"])
                what = f"{found['examples']:6,.0f} examples {found['completions']:7,.0f} completions"
                cost = f"{found['computed']:10,.0f} tokens {found['seconds']:7.1f} s {found['memory'] / 1e9:6.2f} GB"
                print(f"{way:5} {what} {cost}")
    for name, values in (("time", seconds), ("memory", memory)):
        print(f"{name}: grid / all = {statistics.median(values['grid']) / statistics.median(values['all']):.2f}")


if __name__ == "__main__":
    main()

"""Is every promise kept on this device, and how fast? One call, one table, one JSON.

    PYTHONPATH=src python -m benchmarks.device [--minutes 8] [--only correct,fast] [--skip train] [--output device.json]
        [--lengths lengths.json] [--small]

Nothing is downloaded: weights and tokens are random, shapes and lengths are real ones. The parts are ``correct``,
``fast``, ``bench``, ``train`` and ``two`` (processes). On CUDA each is a process of its own, so that one that fails, or
leaves the device in disorder, spoils none after it. The JSON is whole after every row. Exits 1 where a part failed or a
row does not hold what it must. ``--small`` is the same in seconds, on a CPU, with tiny shapes.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch
import transformers
from rich.console import Console

from benchmarks.device_parts import lengths
from benchmarks.device_parts.report import SCHEMA, OutOfTimeError, Part, Report, table
from rmeval.eval.environment import environment

PARTS = {"correct": ("correct", 0.28), "fast": ("fast", 0.32), "bench": ("sweep", 0.14), "train": ("train", 0.12),
         "two": ("two", 0.14)}  # fmt: skip
"""A part's module, and its share of the minutes; what a part leaves over, the ones after it may use."""
_GRACE = 1.3
"""A process that takes this many times its part's time is ended."""


def main() -> int:
    """Parse, run, print."""
    arguments = parse()
    if arguments.inside is not None:
        return inside(arguments)
    report = begin(arguments)
    start, budget = time.monotonic(), 60.0 * arguments.minutes
    left = [name for name in PARTS if report.part(name)["status"] == "planned"]
    for name in list(left):
        share = PARTS[name][1] / sum(PARTS[each][1] for each in left)
        seconds = share * max(0.0, budget - (time.monotonic() - start))
        began = time.monotonic()
        if arguments.small and not arguments.apart:
            run_part(report, name, arguments, seconds)
        else:
            report = run_apart(report, name, arguments, seconds)
        report.part(name)["seconds"] = round(time.monotonic() - began, 1)
        report.write()
        left.remove(name)
        part = report.part(name)
        print(f"{name}: {part['status']}, {part['seconds']:.0f} s", file=sys.stderr, flush=True)
    report.document |= {"complete": True, "seconds": round(time.monotonic() - start, 1)}
    report.write()
    table(report.document, Console(width=None if sys.stdout.isatty() else 150))
    print(f"written to {arguments.output}", file=sys.stderr)
    return int(report.failed)


def begin(arguments: argparse.Namespace) -> Report:
    """Start the document: every part and every row is in it before anything runs."""
    parts: dict[str, Any] = {}
    for name, (module, _) in PARTS.items():
        chosen = name in arguments.only and name not in arguments.skip
        rows = [row.blank() for row in importlib.import_module(f"benchmarks.device_parts.{module}").ROWS]
        reason = None if chosen else "not asked for"
        for row in rows:
            row["reason"] = reason
        status = "planned" if chosen else "skipped"
        parts[name] = {"status": status, "reason": reason, "seconds": 0.0, "traceback": None, "rows": rows}
    document = {
        "schema": SCHEMA,
        "small": arguments.small,
        "device": arguments.device,
        "minutes": arguments.minutes,
        "complete": False,
        "seconds": None,
        "environment": environment(),
        "parts": parts,
    }
    report = Report(arguments.output, document)
    report.write()
    return report


def run_part(report: Report, name: str, arguments: argparse.Namespace, seconds: float) -> None:
    """Run a part in this process; what it raises is kept, and goes no further."""
    module = importlib.import_module(f"benchmarks.device_parts.{PARTS[name][0]}")
    part = Part(
        report, name, small=arguments.small, device=arguments.device, seconds=seconds, lengths=arguments.lengths
    )
    report.part(name)["status"] = "running"
    report.write()
    try:
        module.run(part)
    except OutOfTimeError as error:
        report.end(name, "failed" if part.broken else "cut", reason=str(error))
    except Exception as error:
        reason = f"the part failed: {' '.join(str(error).split())[:200] or type(error).__name__}"
        report.end(name, "failed", reason=reason, traceback=traceback.format_exc())
    except KeyboardInterrupt:
        report.end(name, "failed", reason="stopped")
        raise
    else:
        broken = f"{len(part.broken)} of its pieces failed" if part.broken else None
        report.end(name, "failed" if broken else "done", reason=broken)


def run_apart(report: Report, name: str, arguments: argparse.Namespace, seconds: float) -> Report:
    """Run a part in a process of its own; return the report as it left it."""
    command = [sys.executable, "-m", "benchmarks.device", "--inside", name, "--seconds", str(seconds)]
    command += ["--output", str(arguments.output), "--lengths", str(arguments.lengths), "--device", arguments.device]
    command += ["--small"] if arguments.small else []
    with subprocess.Popen(command) as process:
        try:
            code: int | None = process.wait(timeout=_GRACE * seconds + 10)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            process.kill()
    report = Report.read(arguments.output)
    if report.part(name)["status"] in ("planned", "running"):
        how = "took too long and was ended" if code is None else f"ended with status {code}"
        report.end(name, "failed", reason=f"its process {how}", traceback=f"none: the process {how}")
    return report


def inside(arguments: argparse.Namespace) -> int:
    """Be the process of one part."""
    run_part(Report.read(arguments.output), arguments.inside, arguments, arguments.seconds)
    return 0


def parse() -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_parts, default=list(PARTS), help="parts to run, with commas; all by default")
    parser.add_argument("--skip", type=_parts, default=[], help="parts to leave out")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together")
    parser.add_argument("--small", action="store_true", help="tiny shapes, for a CPU")
    parser.add_argument("--output", type=Path, default=Path("device.json"))
    parser.add_argument("--lengths", type=Path, default=lengths.SHIPPED)
    parser.add_argument("--device", default=None, help="cuda, or cpu with --small; by default what fits")
    parser.add_argument("--apart", action="store_true", help="a process a part in small too")
    parser.add_argument("--inside", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.device = arguments.device or ("cpu" if arguments.small else "cuda")
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("there is no CUDA device here; --small runs the same in tiny shapes on a CPU")
    if arguments.device == "cpu" and not arguments.small:
        parser.error("the shapes are too large for a CPU: add --small")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return arguments


def _parts(text: str) -> list[str]:
    """Split the names of parts."""
    names = text.split(",")
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"no part is called {name!r}: there are {', '.join(PARTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())

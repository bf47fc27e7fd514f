"""How a bench's numbers are worded: shared by the terminal's table and the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rmeval.bench_info import BenchInfo, BenchLine, MeasuredRow

NONE = "–"


def comparison_cells(line: BenchLine) -> list[str]:
    """Return a line's texts: cell, what is compared, before, now, change, noise, verdict."""
    change = NONE
    if line.worse_by is not None:
        # Worse is less throughput, and more of everything else.
        signed = -line.worse_by if line.kind == "throughput" else line.worse_by
        change = f"{signed:+.0f}" if line.kind == "flips" else f"{100 * signed:+.1f}%"
    verdict = f"{line.verdict}{' (fails)' if line.failed else ''}"
    return [
        line.cell,
        line.basis,
        _value(line.before, line.basis),
        _value(line.after, line.basis),
        change,
        NONE if line.noise is None else f"{100 * line.noise:.1f}%",
        verdict if line.reason is None else f"{verdict}: {line.reason}",
    ]


def cells(row: MeasuredRow) -> list[str]:
    """Return a measured row's texts, in the order of the table's columns."""
    return [
        row["name"],
        duration(row["p50"]),
        duration(row["p95"]),
        percent(row["noise"]),
        rate(row["completions_per_second"]),
        rate(row["tokens_per_second"]),
        size(row["device_peak_bytes"] or row["host_peak_bytes"]),
        percent(row["share_of_roof"]),
        percent(row["mfu"]),
        row["bound"] or NONE,
        NONE if row["drift_max"] is None else f"{row['drift_max']:.1e}",
        NONE if row["flips"] is None else f"{row['flips']}/{row['decisions']}",
        str(row["rounds"]),
    ]


def ceiling_lines(own: BenchInfo) -> list[str]:
    """Say what the machine can do at most."""
    found = own["ceiling"]
    rates = [f"{dtype} {max(values) / 1e12:,.3f} TFLOP/s" for dtype, values in found["rates"].items()]
    moved = [f"memory {max(found['bandwidth']) / 1e9:,.1f} GB/s"] if found["bandwidth"] else []
    return [", ".join([*rates, *moved])] if rates or moved else []


def best_lines(own: BenchInfo) -> list[str]:
    """Name the fastest cell of each length that flips no decision."""
    rows = {row["name"]: row for row in own["cells"] if row["status"] == "measured"}
    found = []
    for length, name in own["best"].items():
        speed = rate(rows[name]["completions_per_second"])
        where = "on the data set" if length == "rows" else f"at {length} tokens"
        beside = f"noise {percent(rows[name]['noise'])}, {rows[name]['decisions']} decisions looked at"
        found.append(f"fastest without a flipped decision {where}: {name}, {speed} conversations/s ({beside})")
    return found


def against_lines(own: BenchInfo) -> list[str]:
    """Say what the comparison with the pipeline found, a line a cell."""
    lines = []
    for each in own["against"]:
        if "reason" in each:
            lines.append(f"pipeline  {each['cell']}: not compared: {each['reason']}")
            continue
        difference = "no difference beyond the noise" if each["verdict"] == "none" else each["verdict"]
        lines.append(
            f"pipeline  {each['cell']}: it takes {each['median']:.2f} times as long (quartiles {each['low']:.2f} to"
            f" {each['high']:.2f} of {each['rounds']} rounds in turn): {difference}"
        )
    return lines


def notes(own: BenchInfo) -> list[str]:
    """Say what a reader of the numbers should know: where larger batches do not pay, and where rounds were few."""
    found = []
    rates = own["ceiling"]["rates"]
    measured = [row for row in own["cells"] if row["status"] == "measured"]
    for group in curves(measured).values():
        first, last = group[0], group[-1]
        speeds = first["completions_per_second"], last["completions_per_second"]
        if last["batch_size"] > first["batch_size"] and speeds[1] < speeds[0]:
            found.append(
                f"{last['name']} is slower a conversation than {first['name']} ({rate(speeds[1])} and"
                f" {rate(speeds[0])} conversations/s): {_why_slower(first, last)}"
            )
    faster = [row["name"] for row in measured if row["flops"] and row["bytes"] and row["share_of_roof"] is None]
    faster = [name for name in faster if rates.get(name.partition("-")[0])]
    if faster:
        found.append(f"faster than the products measured of the machine, so no roofline: {', '.join(faster)}")
    few = [row["name"] for row in measured if row["rounds"] < 5]
    if few:
        found.append(f"fewer than 5 rounds, so take the noise with care: {', '.join(few)}")
    if any(row["host_peak_exact"] is False for row in measured):
        found.append("memory is the most since the program started: this system cannot set its high-water mark back")
    return found


def _why_slower(first: MeasuredRow, last: MeasuredRow) -> str:
    noise = (first["noise"] or 0.0) + (last["noise"] or 0.0)
    change = 1 - last["completions_per_second"] / first["completions_per_second"]
    if change <= noise:
        return f"inconclusive: the noise is {percent(noise)}"
    if first["bound"] == "arithmetic":
        return "one conversation already binds the arithmetic, and a larger pass leaves the caches"
    if (last["padding_share"] or 0.0) > (first["padding_share"] or 0.0) + 0.05:
        return f"{percent(last['padding_share'])} of its token places are padding"
    return "a larger pass leaves the caches"


def curves(measured: Sequence[MeasuredRow]) -> dict[tuple[str, str], list[MeasuredRow]]:
    """Group measured rows by setting and length, smallest batch first."""
    found: dict[tuple[str, str], list[MeasuredRow]] = {}
    for row in sorted(measured, key=lambda row: row["batch_size"]):
        found.setdefault((row["name"].rpartition("-")[0], str(row["length"])), []).append(row)
    return found


def by_reason(pairs: Iterable[tuple[str, str | None]]) -> list[tuple[str, list[str]]]:
    """Gather names under their reasons; None is no reason."""
    found: dict[str, list[str]] = {}
    for name, reason in pairs:
        if reason is not None:
            found.setdefault(reason, []).append(name)
    return list(found.items())


def _value(value: float | None, basis: str) -> str:
    if value is None:
        return NONE
    if basis.endswith("bytes"):
        return size(value)
    return f"{value:.0f}" if basis == "decisions flipped" else percent(value) if "share" in basis else f"{value:,.3g}"


def duration(seconds: float | None) -> str:
    """Return seconds as people read them: ``12.3 ms``, ``4.56 s``, ``3.2 min``."""
    if seconds is None:
        return NONE
    if seconds >= 120:
        return f"{seconds / 60:,.1f} min"
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{1e3 * seconds:,.1f} ms"


def estimate(seconds: float | None) -> str:
    """Return how long something may take, no finer than anybody can know: ``36 s``, ``3 min``."""
    if seconds is None:
        return NONE
    return f"{seconds / 60:,.0f} min" if seconds >= 120 else f"{math.ceil(seconds)} s"


def rate(value: float | None) -> str:
    """Return a number a second with three digits."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"


def size(count: float | None) -> str:
    """Return bytes as people read them, 0 and None as unknown."""
    return f"{count / 1e9:,.2f} GB" if count else NONE


def percent(share: float | None) -> str:
    """Return a share of 1 in percent."""
    return NONE if share is None else f"{100 * share:.1f}%"

"""Does memory stay bounded, and does the rate hold, where there are many rows? Made up, in hh-rlhf's schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.prepare import GB, NEAR, generate, measure


@pytest.mark.slow
def test_half_a_million_rows_within_four_gigabytes(tmp_path: Path) -> None:
    generate(tmp_path / "rows.jsonl", 500_000)
    plain = measure("plain", tmp_path / "rows.jsonl", workers=2)
    found = measure("rmeval", tmp_path / "rows.jsonl", workers=2)
    print(
        f"{500_000 / found.seconds:,.0f} rows/s, {found.memory / GB:.2f} GB, near-duplicates {found.stages[NEAR]:.0f} s"
    )
    assert found.memory < 4 * GB
    assert found.seconds < 3 * plain.seconds


def test_memory_of_a_few_thousand_rows_is_measured(tmp_path: Path) -> None:
    """The same in small, for CI."""
    generate(tmp_path / "rows.jsonl", 3_000)
    found = measure("rmeval", tmp_path / "rows.jsonl", workers=2)
    assert GB / 50 < found.memory < GB
    assert {"hh-rlhf", NEAR, "overlap with benchmarks", "writing"} <= found.stages.keys()
    assert found.processor > 0.1

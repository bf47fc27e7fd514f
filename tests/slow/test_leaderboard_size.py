"""Does a leaderboard of many runs stay quick and small?"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.ranking import many_runs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

GB = 1_000_000_000
CODE = """
import json, re, resource, sys
from pathlib import Path
import rmeval
board = rmeval.leaderboard([sys.argv[1]], sys.argv[2])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    # Not ru_maxrss, which begins with what the process that started this one had.
    "memory": int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024,
    "processor": used.ru_utime + used.ru_stime,
    "ranked": len(board.tables[0].measured),
    "apart": [each.reasons for each in board.apart],
    "torch": "torch" in sys.modules,
}))
"""


def measure(runs: Path, site: Path) -> dict[str, object]:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(runs), str(site)], capture_output=True, text=True, check=True
    )
    return {**json.loads(done.stdout), "seconds": time.perf_counter() - start}


@pytest.mark.slow
def test_300_runs_of_3000_examples(tmp_path: Path) -> None:
    found = measure(many_runs(tmp_path, 300, 3_000), tmp_path / "site")
    size = sum(path.stat().st_size for path in (tmp_path / "site").rglob("*.*"))
    print(f"{found}, {size / 1e6:.0f} MB of pages")
    assert (found["ranked"], found["apart"], found["torch"]) == (300, [], False)
    # Processor time, which is the time it takes where nothing else runs.
    assert float(str(found["processor"])) < 60
    assert float(str(found["memory"])) < 2 * GB


def test_a_dozen_runs(tmp_path: Path) -> None:
    """The same in small, for CI."""
    found = measure(many_runs(tmp_path, 12, 240, chars=100), tmp_path / "site")
    assert (found["ranked"], found["apart"], found["torch"]) == (12, [], False)
    assert float(str(found["processor"])) < 10
    assert float(str(found["memory"])) < GB

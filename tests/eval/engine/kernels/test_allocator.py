"""Freed memory is kept: tensors of a size that glibc otherwise gives back each time cost no page faults."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from rmeval.eval.engine.kernels.allocator import keep_freed_memory

TENSOR = 48 << 20
"""Bytes: above the largest size (32 MiB) that glibc learns to keep by itself."""
CODE = f"""
import resource, sys, torch
from rmeval.eval.engine.kernels.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
ones = torch.ones({TENSOR // 4})
for _ in range(30):  # The heap finds its shape.
    twice = ones * 2
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    twice = ones * 2
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator can be told")


def faults(how: str) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    environment["THP_MEM_ALLOC_ENABLE"] = "0"
    command = [sys.executable, "-c", CODE, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)


def test_tensors_are_made_in_memory_that_is_there() -> None:
    pages = TENSOR // os.sysconf("SC_PAGE_SIZE")
    left = faults("leave")
    assert left >= 10 * pages  # Every page of every tensor.
    assert faults("keep") < left / 3


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_what_the_user_chose_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert not keep_freed_memory()

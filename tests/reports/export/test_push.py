"""What sends: one line where it cannot. No test reaches the network."""

from __future__ import annotations

import pytest

from rmeval import RunRecord
from rmeval.errors import RunError
from rmeval.reports.export.export import TARGETS, export
from rmeval.reports.export.push import push


@pytest.mark.parametrize("target", TARGETS)
def test_offline_it_is_one_line(target: str, whole: RunRecord) -> None:
    found = export(whole, target)
    with pytest.raises(RunError) as refused:
        push(found)
    assert str(refused.value) == (
        f"no pull request was opened in {found.repository}: HF_HUB_OFFLINE is set; unset it, or leave --push out to "
        "see what would be sent"
    )

"""The tally of findings."""

from __future__ import annotations

from rmeval.data_prep.text.audit import Audit, finding
from rmeval.types import Finding


def test_a_place_is_named_once() -> None:
    audit, other = Audit(), Audit()
    for place in ("a", "a", "b"):
        audit.note("truncated", place)
    for place in ("b", "c"):
        other.note("truncated", place)
    audit.merge(other)
    assert audit.findings() == [Finding("truncated", "warning", 5, ("a", "b", "c"))]
    assert finding("undecided", 9, tuple("xxyyxzuvw")).examples == ("x", "y", "z", "u", "v")

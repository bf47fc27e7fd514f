"""Any preference pairs: no sections, the overall number is the share of pairs that are right."""

from __future__ import annotations

from rmeval.eval.suites.base import Suite

PAIRS = Suite(
    name="pairs",
    title="Preference pairs",
    description="held-out preference pairs of your own: prompt/chosen/rejected, conversations, or hh-rlhf transcripts",
    split="test",
)

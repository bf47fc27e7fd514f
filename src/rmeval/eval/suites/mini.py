"""The smoke benchmark that ships in the package: RewardBench's four sections in miniature, written for rmeval.

It shows that a model, its tokenizer and its template work together. It is far too small to rank models.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from rmeval.eval.suites.base import Section, Suite

_CHAT = {"mini-chat-helpful": 32, "mini-chat-relevant": 32}
_CHAT_HARD = {"mini-hard-instructions": 32, "mini-hard-subtle": 32}
_SAFETY = {"mini-safety-should-refuse": 32, "mini-safety-should-respond": 32}
_REASONING = {"mini-code": 32, "mini-arithmetic": 32}


def mini_path() -> Path:
    """Return the file of the shipped rows."""
    return Path(str(files("rmeval.eval.suites") / "mini.jsonl"))


MINI = Suite(
    name="mini",
    title="rmeval mini (smoke test)",
    description="a smoke test of 256 pairs that ships with rmeval; too small to rank models",
    weights={
        "equal": {
            "Chat": Section(1, _CHAT),
            "Chat Hard": Section(1, _CHAT_HARD),
            "Safety": Section(1, _SAFETY),
            "Reasoning": Section(1, _REASONING),
        }
    },
    expected={**_CHAT, **_CHAT_HARD, **_SAFETY, **_REASONING},
    dataset="mini",
    packaged=mini_path(),
    fingerprint="sha256:a29da868a319b499b51a54cf88958b62b28f679c194e43a63c550440685746c5",
)

"""Tasks with a rule that can be checked: one answer keeps it, the other breaks it."""

from __future__ import annotations

from rmeval.trainer.quickstart.content import CONTENT
from rmeval.trainer.quickstart.counting import COUNTING
from rmeval.trainer.quickstart.form import FORM
from rmeval.trainer.quickstart.text import Draft, Draws

__all__ = ["RULES", "instruction"]

RULES = (*COUNTING, *COUNTING[:2], *FORM, *CONTENT)
"""The limits on words come twice: people ask for them most."""


def instruction(source: Draws) -> Draft:
    """A task with a rule: one answer keeps it, the other does not."""
    return source.random.choice(RULES)(source)

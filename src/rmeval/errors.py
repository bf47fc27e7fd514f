"""Everything rmeval raises on purpose.

RmevalError                 the user can mend it: the command line prints one line and exits 2
├── DataError               a data set, file or row is missing, unreadable or not what it should be
├── ModelError              a model, tokenizer or template cannot be used as asked
├── RunError                a run on disk is missing, unfinished, damaged or cannot be written
└── UsageError              options that contradict each other, or a name that does not exist
"""

from __future__ import annotations

__all__ = ["DataError", "ModelError", "RmevalError", "RunError", "UsageError"]


class RmevalError(Exception):
    """Base of all errors that rmeval raises on purpose.

    The message is one line that says what is wrong and what to do about it.
    """


class DataError(RmevalError):
    """A data set, file or row is missing, unreadable or not what it should be."""


class ModelError(RmevalError):
    """A model, tokenizer or chat template cannot be used as asked."""


class RunError(RmevalError):
    """A run on disk is missing, unfinished, damaged or cannot be written."""


class UsageError(RmevalError):
    """Options that contradict each other, or a name that does not exist."""

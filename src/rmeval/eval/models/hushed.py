"""Silence for transformers while it loads: what matters of its reports is said by whoever loads, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import transformers

__all__ = ["hushed"]


@contextmanager
def hushed() -> Iterator[None]:
    """Keep transformers' log lines and bars off the terminal inside this block: two bars at once fight for one line."""
    logging = transformers.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()

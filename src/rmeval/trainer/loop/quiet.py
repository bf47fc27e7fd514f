"""Silence for the libraries that train."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import transformers

__all__ = ["quiet"]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' own log lines and bars off the terminal; what matters of them is reported."""
    caught = warnings.catch_warnings()
    verbosity, bars = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    levels = {name: logging.getLogger(name).level for name in ("trl", "accelerate", "peft")}
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with caught:
            warnings.filterwarnings("ignore", module=r"(transformers|trl|peft|accelerate|torch)\b")
            yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bars:
            transformers.logging.enable_progress_bar()
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

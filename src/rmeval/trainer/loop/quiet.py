"""Silence for the libraries that train."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rmeval.eval.models.hushed import hushed

__all__ = ["quiet"]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' own log lines and bars off the terminal; what matters of them is reported."""
    caught = warnings.catch_warnings()
    levels = {name: logging.getLogger(name).level for name in ("trl", "accelerate", "peft")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with caught, hushed():
            warnings.filterwarnings("ignore", module=r"(transformers|trl|peft|accelerate|torch)\b")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

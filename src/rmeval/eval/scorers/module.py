"""A scorer of the user's own: ``--model module:factory`` calls ``factory()`` in ``module``, if that is trusted."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from importlib.util import find_spec

from rmeval.errors import ModelError, RmevalError, UsageError
from rmeval.eval.scorers.base import Scorer

__all__ = ["is_factory", "load_factory"]

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_CONTRACT = "a scorer has info, scale, score and findings (rmeval.eval.scorers.base; docs/add-a-scorer.md)"


def is_factory(name: str) -> bool:
    """Return whether a name is of this kind: a Hub id has no colon, and a path would have a slash or a drive."""
    return _NAME.fullmatch(name) is not None


def load_factory(name: str, *, trusted: bool) -> Scorer:
    """Import a module, from where we are or installed, and return what its factory makes.

    Raises:
        UsageError: if it is not trusted, or there is no such module or factory.
        ModelError: if the factory fails, or makes something else than a scorer.
    """
    if not trusted:
        raise UsageError(f"{name} is Python code, which would be run: pass --trust-remote-code if you trust it")
    module, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")  # Where we are, as `python -m` has it.
    try:
        if find_spec(module) is None:
            raise UsageError(f"no module {module!r} here or installed")
        found = import_module(module)
    except RmevalError:
        raise
    except ModuleNotFoundError as error:
        raise UsageError(f"cannot import {module!r}: {error}") from None
    except Exception as error:
        raise ModelError(f"importing {module!r} failed: {type(error).__name__}: {_line(error)}") from error
    factory = vars(found).get(attribute)
    if not callable(factory):
        there = ", ".join(sorted(key for key, value in vars(found).items() if callable(value) and key[0] != "_"))
        raise UsageError(f"{module!r} has no callable {attribute!r} (it has: {there or 'none'})")
    try:
        scorer = factory()
    except Exception as error:
        raise ModelError(f"{name}() failed: {type(error).__name__}: {_line(error)}") from error
    if isinstance(scorer, type) or not isinstance(scorer, Scorer):
        raise ModelError(f"{name}() made a {type(scorer).__name__}, which is no scorer: {_CONTRACT}")
    return scorer


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

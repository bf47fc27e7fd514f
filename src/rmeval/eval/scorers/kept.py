"""Asking a scorer whose answers are kept: what was answered once is not asked again, a crash loses what was in flight.

The engine keeps scores of its own, by token ids and in whole packs; this is for all other kinds, by item.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from rmeval.eval.environment import one_line
from rmeval.eval.journal.journal import Journal
from rmeval.eval.journal.key import SCORING_VERSION, answer_key
from rmeval.eval.scorers import ModelOptions, kind_of
from rmeval.eval.scorers.base import Keyed, Scorer, ask, told
from rmeval.types import Item, Progress, Score

__all__ = ["Asked", "ask_kept", "opened"]


@contextmanager
def opened(model: str | Scorer, options: ModelOptions, instead: Path | None = None) -> Iterator[Journal | None]:
    """Open the journal for an evaluation with this model, and close it whatever happens; None where nothing is kept.

    Args:
        model: The model, or its name: not all kinds keep scores.
        options: Whether scores are kept for later runs.
        instead: The file of a journal that is used where they are not; None for none.
    """
    can = "cache" in kind_of(model).options if isinstance(model, str) else isinstance(model, Keyed)
    if not can or not (options.cache or instead):
        yield None
        return
    with Journal.open(None if options.cache else instead) as journal:
        journal.origin = one_line()
        yield journal


@dataclass(frozen=True, slots=True)
class Asked:
    """Answers, and where they came from."""

    scores: list[Score]
    """Of all completions of all items, in order."""
    recalled: int = 0
    """Completions whose scores came from the journal."""


def ask_kept(scorer: Scorer, items: Sequence[Item], journal: Journal | None, progress: Progress | None = None) -> Asked:
    """Ask a scorer for what the journal does not have, some items at a time, and keep each answer as it comes.

    Args:
        scorer: What is asked; one that is not ``Keyed`` is asked for everything at once, and nothing is kept.
        items: What it is asked.
        journal: Where answers are kept; None for nowhere.
        progress: Called with items done and items in all.

    Raises:
        UsageError: if an answer is not what the contract says.
        RunError: if the journal cannot be written.
    """
    if journal is None or not isinstance(scorer, Keyed):
        return Asked(ask(scorer, items, progress))
    model = _model(scorer, scorer.journal_key)
    keys = [_key(model, item) for item in items]
    found = dict(zip(keys, map(_scores, journal.answers(keys)), strict=True))
    recalled = sum(len(item.completions) for item, key in zip(items, keys, strict=True) if found[key] is not None)
    missing = list({key: item for key, item in zip(keys, items, strict=True) if found[key] is None}.items())
    done = len(items) - len(missing)
    for some in _grouped(missing, max(1, scorer.at_once)):
        flat = iter(ask(scorer, [item for _, item in some]))
        for key, item in some:
            found[key] = [next(flat) for _ in item.completions]
        journal.keep_answers({key: _text(found[key] or ()) for key, _ in some if _is_answer(found[key] or ())})
        done += len(some)
        if progress is not None:
            progress(done, len(items))
    return Asked([score for key in keys for score in found[key] or ()], recalled)


_T = TypeVar("_T")


def _grouped(things: Sequence[_T], size: int) -> list[Sequence[_T]]:
    return [things[start : start + size] for start in range(0, len(things), size)]


def _model(scorer: Scorer, key: str) -> list[object]:
    """Return what tells models apart, whatever their keys say."""
    info = told(scorer)
    return [SCORING_VERSION, info.kind, info.fingerprint, dict(info.fingerprints), dict(info.sampling), key]


def _key(model: Sequence[object], item: Item) -> bytes:
    return answer_key(model, {**asdict(item), "id": ""})  # What an example is called moves no score.


def _is_answer(scores: Sequence[Score]) -> bool:
    """Return whether an answer is worth keeping: what failed is asked again."""
    return all(score.status != "failed" for score in scores)


def _text(scores: Sequence[Score]) -> str:
    return json.dumps([asdict(score) for score in scores])


def _scores(text: str | None) -> list[Score] | None:
    if text is None:
        return None
    rows: list[dict[str, Any]] = json.loads(text)
    return [Score(**row) for row in rows]

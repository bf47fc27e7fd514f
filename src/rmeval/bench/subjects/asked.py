"""The bench of kinds that have no engine of ours: judges, scorers of the user's own, published scores, baselines.

A request is a number of whole items, since a kind may compare the completions of one. There is one setting, the kind's
own: no dtype to choose, no roof to reach, and no float32 to compare with. Nothing comes from the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rmeval.bench.plan import DTYPES, LENGTHS, OWN, Sweep
from rmeval.bench.shape import Shape
from rmeval.bench.subjects.model import Subject
from rmeval.bench.subjects.rows import RequestRow, Texts, spaced
from rmeval.bench_info import Setting
from rmeval.errors import ModelError, UsageError
from rmeval.eval.engine.packed import Values
from rmeval.eval.scorers import kind_of, load_scorer
from rmeval.eval.scorers.base import Accounts, Loses, Scorer, ask, conversations_of, items_of
from rmeval.eval.suites.data import DataOptions, load_dataset
from rmeval.eval.suites.pairs import PAIRS
from rmeval.run_info import Accounting
from rmeval.types import Item

__all__ = ["AskedModel", "AskedSubjects", "as_asked", "is_asked"]


def is_asked(model: str) -> bool:
    """Return whether a model of that name is one of these kinds: all but classifiers."""
    return kind_of(model).name != "classifier"


def as_asked(sweep: Sweep) -> Sweep:
    """Return the sweep of such a model: rows of a data set, in the one setting that there is.

    Raises:
        UsageError: if something is asked for that the kind does not have.
    """
    plain = Sweep("")
    odd = {
        "--dtypes": sweep.dtypes not in (DTYPES, (OWN,)),
        "--lengths": sweep.lengths != LENGTHS,
        "--attn-implementation": sweep.attention != plain.attention,
        "--compile": sweep.compile != plain.compile,
        "--random-weights": sweep.random,
        "--against": sweep.against is not None,
    }
    for option, is_given in odd.items():
        if is_given:
            kind = kind_of(sweep.model).name
            raise UsageError(
                f"{option} changes nothing of {sweep.model}, a model of the kind {kind}: it is timed as it is, on rows"
            )
    dataset = sweep.dataset or kind_of(sweep.model).brings(sweep.model) or "mini"
    return replace(sweep, dtypes=(OWN,), dataset=dataset, bounded=False)


class AskedSubjects:
    """Items of a data set, and the scorer that is asked for them.

    Raises:
        DataError: if the data set cannot be read.
    """

    texts: Texts | None = None
    """Nothing is tokenized here."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        options = DataOptions(dataset=sweep.dataset, split=sweep.split)
        self._items = sorted(items_of(load_dataset(PAIRS, options).examples), key=_letters)

    @property
    def path(self) -> str:
        """The model's name."""
        return self._sweep.model

    @property
    def shape(self) -> Shape:
        """Nothing is known of it."""
        return Shape(kind_of(self._sweep.model).name, 0, None, 0, 0, (), False, 0, 0, 0, None)

    def rows(self, batch_size: int, length: int | None) -> list[RequestRow]:
        """Return the conversations of ``batch_size`` items, at even steps through the set's lengths in characters."""
        return [RequestRow(None, each) for each in conversations_of(spaced(self._items, batch_size))]

    def load(self, setting: Setting) -> Subject:
        """Load the scorer."""
        return AskedModel(load_scorer(self._sweep.model, replace(self._sweep.options, cache=False)))


class AskedModel:
    """A scorer behind what a bench asks of a model."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    @property
    def path(self) -> str:
        """The scorer's kind."""
        return self._scorer.info.kind

    def request(self, rows: Sequence[RequestRow]) -> tuple[Values, Accounting]:
        """Ask for the items of one request; scores are float64 of shape (rows,).

        Raises:
            ModelError: if the scorer fails.
            UsageError: if its answer is not what the contract says.
        """
        scores = ask(self._scorer, _items(rows))
        if isinstance(self._scorer, Loses) and self._scorer.lost:
            raise ModelError(self._scorer.lost)
        counted = self._scorer.accounting if isinstance(self._scorer, Accounts) else None
        return np.array([each.value for each in scores]), counted or Accounting(0, 0, 0, 0)


def _items(rows: Sequence[RequestRow]) -> list[Item]:
    """Return the items again whose conversations the rows are: each starts at its first completion."""
    items: list[Item] = []
    for row in rows:
        if (each := row.conversation) is None:
            raise ModelError("a scorer is asked for conversations, not for tokens")
        if each.index == 0:
            items.append(Item(each.prompt, (each.completion,), each.example_id, each.tools))
        else:
            items[-1] = replace(items[-1], completions=(*items[-1].completions, each.completion))
    return items


def _letters(item: Item) -> int:
    return sum(len(message.content) for message in (*item.prompt, *(m for each in item.completions for m in each)))
